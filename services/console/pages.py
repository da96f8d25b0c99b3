"""Templates → HTML, and the policy that lets their one style sheet and their one script run, and nothing else."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

DASH = "\N{EN DASH}"
FOLDER = Path(__file__).parent / "pages"
STYLE = (FOLDER / "console.css").read_text("utf-8")
SCRIPT = (FOLDER / "live.js").read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; connect-src 'self'; img-src data:; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def when(at: datetime | None) -> Markup:
    """A `<time>` in UTC, to the second; a dash where there is none."""
    if at is None:
        return Markup('<span class="none">{}</span>').format(DASH)
    there = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(f"{there:%Y-%m-%dT%H:%M:%SZ}", f"{there:%Y-%m-%d %H:%M:%S}")


def span(seconds: float | timedelta | None) -> str:
    """`97 s`, `7 min`, `3 h 5 min`, `12 d 4 h`: as long as one says it aloud."""
    if seconds is None:
        return DASH
    left = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    if left < 120:
        return f"{left} s"
    minutes, hours, days = left // 60, left // 3600, left // 86_400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def number(value: float | None) -> str:
    """`1 234 567`, with a thin space that does not break; a rate below 10 with one decimal."""
    if value is None:
        return DASH
    text = f"{value:,.1f}" if value < 10 and value % 1 else f"{round(value):,}"
    return text.replace(",", "\u202f")


def link(path: str, **query: object) -> str:
    """A path with what of the query is not None or empty."""
    asked = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(asked)}" if asked else path


def segment(value: object) -> str:
    """As one step of a path."""
    return quote(str(value), safe="")


class Pages:
    """`version`, `reads_live`: what stands at the foot of every page."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "when": when, "span": span, "number": number, "segment": segment, "json": json.dumps,
        }  # fmt: skip
        # Ours, read once at start; what is escaped would not match the policy's hashes.
        self._environment.globals |= {"link": link, "style": Markup(STYLE), "script": Markup(SCRIPT)}  # noqa: S704
        self._environment.globals["still"] = False

    def page(self, template: str, status: int = 200, **told: Any) -> Response:
        """`now` and what the template names; `still`: it is not asked for again by itself."""
        text = self._environment.get_template(template).render(**told)
        return HTMLResponse(text, status_code=status)

    def message(self, status: int, title: str, *sentences: str, headers: Mapping[str, str] | None = None) -> Response:
        """A page that says what is wrong and what to do."""
        response = self.page("message.html", status, title=title, sentences=sentences, here=None, now=datetime.now(UTC))
        response.headers.update(headers or {})
        return response

    def forbidden(self) -> Response:
        return self.message(
            403,
            "Not for you, or not this way",
            "The console opens to what comes through the proxy that signs people in.",
            "If you run it: CONSOLE_PROXY_SECRET_SHA256 is the hash of what the proxy sends in X-Console-Proxy-Secret; "
            "with CONSOLE_CLIENT_CA_FILE it comes over TLS with a certificate instead. "
            "On this machine alone, CONSOLE_OPEN_ON_LOOPBACK=true and an address such as http://127.0.0.1.",
        )

    def not_allowed(self) -> Response:
        return self.message(405, "The console only reads", "GET and HEAD are all it answers.",
                            headers={"Allow": "GET, HEAD"})  # fmt: skip
