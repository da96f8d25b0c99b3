"""Messages as the API shows them."""

from typing import Any

from demo.catcher.messages import Mail, Message, Text


def summary(message: Message) -> dict[str, Any]:
    """A line of the list."""
    line: dict[str, Any] = {
        "id": message.id,
        "kind": "mail" if isinstance(message, Mail) else "sms",
        "received_at": message.received_at.isoformat(),
        "from": message.sender,
        "to": list(message.recipients),
        "subject": message.subject,
        "size": message.size,
    }
    if isinstance(message, Mail):
        return {**line, "message_id": message.message_id, "language": message.language}
    return {**line, "sid": message.sid, "parts": message.segments.parts}


def detail(message: Message) -> dict[str, Any]:
    """Everything but the HTML and the bytes, which have addresses of their own."""
    if isinstance(message, Text):
        segments = message.segments
        return {
            **summary(message),
            "text": message.body,
            "encoding": segments.encoding,
            "units": segments.units,
            "form": message.form,
        }
    return {
        **summary(message),
        "text": message.text,
        "has_html": bool(message.html),
        "headers": [list(pair) for pair in message.headers],
        "attachments": [
            {"filename": each.filename, "content_type": each.content_type, "size": len(each.content)}
            for each in message.attachments
        ],
    }


def with_links_in_new_tab(html: str) -> str:
    """A sandboxed frame may not leave its place, so a link needs a tab of its own."""
    base = '<base target="_blank">'
    head = html.lower().find("<head>")
    return html[: head + 6] + base + html[head + 6 :] if head >= 0 else base + html
