"""Refusals over HTTP (RFC 9457). PURE.

Each names the field, the rule and the way out, and echoes nothing it was sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from schemas.envelope import EventError

MEDIA_TYPE = "application/problem+json"
CLOUDEVENTS = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json with ce-* headers",
)
_HANG_UP = (("Connection", "close"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`code` is stable, for machines and metrics; `detail` is the way out, for people."""

    status: int
    code: str
    title: str
    detail: str
    field: str | None = None
    rule: str | None = None
    event: int | None = None
    """Position in a batch, from 0."""
    headers: tuple[tuple[str, str], ...] = ()

    def body(self) -> dict[str, Any]:
        document = {
            "type": f"urn:member-notices:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "field": self.field,
            "rule": self.rule,
            "event": self.event,
        }
        return {name: value for name, value in document.items() if value is not None}


class RefusedError(Exception):
    """Nothing of the request was published."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    title: str
    detail: str


_OF_EVENT_ERROR = {
    "not-json": _Kind(400, "Not JSON", "Send strict JSON: no NaN, no trailing comma, at most 200 levels deep."),
    "not-utf-8": _Kind(400, "Not UTF-8", "Encode the body as UTF-8."),
    "attribute-missing": _Kind(400, "A CloudEvents attribute is missing", "Set the attribute named in `field`."),
    "attribute-invalid": _Kind(
        400, "A CloudEvents attribute is not usable", "Set the attribute named in `field` as `rule` says."
    ),
    "text-not-storable": _Kind(422, "Text that cannot be stored", "Remove NUL characters and lone surrogates."),
    "type-unknown": _Kind(
        422, "Unknown event type", "Use a type of the contract, version included; schemas/json has a file for each."
    ),
    "data-invalid": _Kind(
        422, "The data breaks the type's schema", "Correct the field named in `field`; `rule` is what it broke."
    ),
}


def of_event_error(error: EventError, *, event: int | None, header_prefix: str = "") -> Problem:
    """`header_prefix`: how attributes are spelt where they came as HTTP headers (binary mode: `ce-`)."""
    kind = _OF_EVENT_ERROR[error.code]
    name = error.field
    if header_prefix and name and error.code.startswith(("attribute-", "type-")) and name != "data":
        name = "content-type" if name == "datacontenttype" else header_prefix + name
    return Problem(
        status=kind.status,
        code=error.code,
        title=kind.title,
        detail=kind.detail,
        field=name or None,
        rule=error.rule or None,
        event=event,
    )


def media_type(rule: str) -> Problem:
    return Problem(
        status=415,
        code="media-type",
        title="Not a CloudEvents media type",
        detail=f"Send {', '.join(CLOUDEVENTS[:-1])}, or {CLOUDEVENTS[-1]}; uncompressed, in UTF-8.",
        field="content-type",
        rule=rule,
        headers=(("Accept", "application/cloudevents+json, application/cloudevents-batch+json, application/json"),),
    )


def header(name: str, rule: str) -> Problem:
    kind = _OF_EVENT_ERROR["attribute-invalid"]
    return Problem(status=400, code="attribute-invalid", title=kind.title, detail=kind.detail, field=name, rule=rule)


def too_large(what: str, limit: str, way_out: str, *, event: int | None = None) -> Problem:
    """The connection ends with the answer: what is left of the body is not read."""
    return Problem(
        status=413,
        code="too-large",
        title=f"{what} is too large",
        detail=way_out,
        rule=f"at most {limit}",
        event=event,
        headers=_HANG_UP,
    )


def id_reused(event: int) -> Problem:
    return Problem(
        status=422,
        code="id-reused",
        title="Two different events with one id",
        detail="Give each event an id of its own; the same id is for the same event sent again.",
        field="id",
        rule="source and id name one event",
        event=event,
    )


def unauthorized() -> Problem:
    return Problem(
        status=401,
        code="token",
        title="No valid token",
        detail="Send `Authorization: Bearer` with the token made for this publisher.",
        field="authorization",
        rule="a token of AUTH_EVENTS_PUBLISHERS_FILE",
        headers=(("WWW-Authenticate", 'Bearer realm="auth-events"'),),
    )


def forbidden(name: str, *, event: int | None) -> Problem:
    return Problem(
        status=403,
        code=f"{name}-not-yours",
        title=f"This token may not publish that {name}",
        detail=f"Use the token that belongs to this {name}, or have the {name} added to the publisher's entry.",
        field=name,
        rule=f"bound to the publisher's {name}s",
        event=event,
    )


def slow_body(seconds: float) -> Problem:
    return Problem(
        status=408,
        code="slow-body",
        title="The body did not arrive",
        detail="Send the whole body at once, then repeat the request with the same ids.",
        rule=f"within {seconds:g} s",
        headers=_HANG_UP,
    )


def unavailable(retry_after_seconds: int) -> Problem:
    return Problem(
        status=503,
        code="unavailable",
        title="Not accepted",
        detail="Neither the broker nor the outbox took it. Repeat the request later with the same ids.",
        headers=(("Retry-After", str(retry_after_seconds)),),
    )


def of_http(status: int, headers: Mapping[str, str]) -> Problem:
    """What the router refuses: no such path, no such method."""
    phrase = HTTPStatus(status).phrase
    return Problem(
        status=status,
        code=phrase.lower().replace(" ", "-"),
        title=phrase,
        detail="POST events to /v1/events; docs/upstreams.md has the addresses of providers.",
        headers=tuple(headers.items()),
    )


def internal() -> Problem:
    return Problem(
        status=500,
        code="internal",
        title="A defect of ours",
        detail="Repeat the request later with the same ids; the log of auth_events says what happened.",
    )


def unproven(field: str, rule: str) -> Problem:
    """A provider's request that nothing proves to be the provider's."""
    return Problem(
        status=401,
        code="unproven",
        title="Not proven to come from a provider that we know",
        detail="Compare the secret at the provider with AUTH_EVENTS_PROVIDERS_FILE; docs/upstreams.md says which.",
        field=field,
        rule=rule,
        headers=(("WWW-Authenticate", 'Upstream realm="auth-events"'),),
    )


def not_yours(field: str, rule: str) -> Problem:
    return Problem(
        status=403,
        code="not-yours",
        title="This secret is for another one",
        detail="Each realm has its own entry in AUTH_EVENTS_PROVIDERS_FILE, and its own secret.",
        field=field,
        rule=rule,
    )


def outside_window(field: str, rule: str) -> Problem:
    return Problem(
        status=403,
        code="outside-window",
        title="Too old, or not yet",
        detail="Nothing was told of it; sending it again changes nothing. Compare the clocks if it is new.",
        field=field,
        rule=rule,
    )


def unreadable(rule: str, *, field: str = "$") -> Problem:
    return Problem(
        status=400,
        code="unreadable",
        title="Not what this provider sends",
        detail="docs/upstreams.md says what each address takes.",
        field=field,
        rule=rule,
    )


def encoded() -> Problem:
    return Problem(
        status=415,
        code="encoded",
        title="A body that is not as it is",
        detail="Send it uncompressed.",
        field="content-encoding",
        rule="none",
        headers=(("Accept-Encoding", "identity"),),
    )


def strangers(retry_after_seconds: int) -> Problem:
    return Problem(
        status=429,
        code="strangers",
        title="Too many requests that nothing proves",
        detail="Mend the secret first.",
        headers=(("Retry-After", str(retry_after_seconds)),),
    )


def too_many(retry_after_seconds: int) -> Problem:
    """503 and not 429: some providers send again after a 5xx only."""
    return Problem(
        status=503,
        code="too-many",
        title="More than this provider's entry allows in a second",
        detail="Send it again later; or raise `per_second` in AUTH_EVENTS_PROVIDERS_FILE.",
        headers=(("Retry-After", str(retry_after_seconds)),),
    )
