"""CloudEvents over HTTP: structured, binary, batch → events. PURE.

A batch is all or nothing: the first refusal is the batch's. The same (source, id) twice in it must be the same event.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from schemas.envelope import Event, EventError, parse_json, read_event
from schemas.types import Data
from services.auth_events import problems
from services.auth_events.problems import RefusedError

MAX_EVENTS = 1000
_ATTRIBUTE_HEADER = re.compile(r"ce-[a-z0-9]{1,20}")

Headers = Sequence[tuple[str, str]]
"""Names in lower case."""


def read(headers: Headers, body: bytes) -> list[Event[Data]]:
    """Valid events in the order sent; an event sent twice is there twice. Raises `RefusedError`."""
    media_type = _media_type(headers)
    if media_type == "application/cloudevents+json":
        return [_one(_json(body), event=None)]
    if media_type == "application/cloudevents-batch+json":
        return _batch(_json(body))
    attributes = _attributes(headers)
    if media_type == "application/json" and "specversion" in attributes:
        return [_one({**attributes, "datacontenttype": media_type, "data": _json(body)}, event=None, prefix="ce-")]
    raise RefusedError(problems.media_type("the content-type says which mode of CloudEvents this is"))


def _media_type(headers: Headers) -> str:
    given = [value for name, value in headers if name == "content-type"]
    if len(given) != 1:
        raise RefusedError(problems.media_type("exactly one content-type"))
    media_type, *parameters = (part.strip().lower() for part in given[0].split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "us-ascii"):
            raise RefusedError(problems.media_type("charset is UTF-8"))
    if any(name == "content-encoding" and value.lower() != "identity" for name, value in headers):
        raise RefusedError(problems.media_type("no content-encoding"))
    return media_type


def _attributes(headers: Headers) -> dict[str, str]:
    """CloudEvents HTTP binding 3.1.3.2: values are percent-encoded UTF-8."""
    attributes: dict[str, str] = {}
    for name, value in headers:
        if not name.startswith("ce-"):
            continue
        if not _ATTRIBUTE_HEADER.fullmatch(name):
            raise RefusedError(problems.header("ce-*", "attribute names are up to 20 lower-case letters and digits"))
        if name[3:] in attributes:
            raise RefusedError(problems.header(name, "given once"))
        try:
            attributes[name[3:]] = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise RefusedError(problems.header(name, "percent-encoded UTF-8")) from None
    return attributes


def _batch(document: Any) -> list[Event[Data]]:
    if not isinstance(document, list):
        raise RefusedError(problems.header("$", "a batch is a JSON array of CloudEvents"))
    if len(document) > MAX_EVENTS:
        raise RefusedError(problems.too_large("The batch", f"{MAX_EVENTS} events", "Send it in several requests."))
    events = [_one(entry, event=position) for position, entry in enumerate(document)]
    first: dict[tuple[str, str], bytes] = {}
    for position, event in enumerate(events):
        if first.setdefault((event.source, event.id), event.content_sha256) != event.content_sha256:
            raise RefusedError(problems.id_reused(position))
    return events


def _one(document: Any, *, event: int | None, prefix: str = "") -> Event[Data]:
    if not isinstance(document, Mapping):
        error = EventError("attribute-invalid", "$", "a CloudEvent is a JSON object")
        raise RefusedError(problems.of_event_error(error, event=event))
    try:
        return read_event(document, publishing=True)
    except EventError as error:
        raise RefusedError(problems.of_event_error(error, event=event, header_prefix=prefix)) from None


def _json(body: bytes) -> Any:
    try:
        return parse_json(body)
    except EventError as error:
        raise RefusedError(problems.of_event_error(error, event=None)) from None
