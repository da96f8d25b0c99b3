"""Messages as the API shows them."""

from collections.abc import Callable
from typing import Any

from demo.catcher.messages import Mail, Message, Shown, Text

KINDS: dict[type[Message], str] = {Mail: "mail", Text: "sms", Shown: "portal"}


def summary(message: Message) -> dict[str, Any]:
    """A line of the list."""
    line: dict[str, Any] = {
        "id": message.id,
        "kind": KINDS[type(message)],
        "received_at": message.received_at.isoformat(),
        "from": message.sender,
        "to": list(message.recipients),
        "subject": message.subject,
        "size": message.size,
    }
    match message:
        case Mail():
            return {**line, "message_id": message.message_id, "language": message.language}
        case Text():
            return {**line, "sid": message.sid, "parts": message.segments.parts}
        case Shown():
            return {**line, "event": message.event, "language": message.language, "name": message.name}


def detail(message: Message) -> dict[str, Any]:
    """Everything but the HTML and the bytes, which have addresses of their own."""
    match message:
        case Mail():
            more = {
                "text": message.text,
                "has_html": bool(message.html),
                "headers": [list(pair) for pair in message.headers],
                "attachments": [
                    {"filename": each.filename, "content_type": each.content_type, "size": len(each.content)}
                    for each in message.attachments
                ],
            }
        case Text():
            segments = message.segments
            more = {
                "text": message.body,
                "encoding": segments.encoding,
                "units": segments.units,
                "form": message.form,
            }
        case Shown():
            more = {
                "text": message.text,
                "link": message.link,
                "notice": message.notice,
                "record": message.record,
            }
    return {**summary(message), **more}


def wanted(to: str, q: str, kind: str) -> Callable[[Message], bool] | None:
    """What a filter lets through: `to` is a whole address, `q` part of one or of the words. None: everything."""
    to, q = to.lower(), q.strip().lower()
    if not (to or q or kind):
        return None

    def is_wanted(message: Message) -> bool:
        if kind and kind != KINDS[type(message)]:
            return False
        recipients = [each.lower() for each in message.recipients]
        if to and to not in recipients:
            return False
        return not q or q in _words(message).lower() or any(q in each for each in recipients)

    return is_wanted


def _words(message: Message) -> str:
    match message:
        case Text():
            return message.body
        case Shown():
            return f"{message.title} {message.name}"
        case _:
            return message.subject


def with_links_in_new_tab(html: str) -> str:
    """A sandboxed frame may not leave its place, so a link needs a tab of its own."""
    base = '<base target="_blank">'
    head = html.lower().find("<head>")
    return html[: head + 6] + base + html[head + 6 :] if head >= 0 else base + html
