"""CloudEvents 1.0: read structured and binary mode, write structured. Pure.

Every refusal is an `EventError` with a code from the list below and the path of the field; it never holds a value.

    not-json, not-utf-8       the bytes cannot be read
    attribute-missing, attribute-invalid
                              a CloudEvents attribute or its header (`field` says which)
    text-not-storable         NUL or a lone surrogate anywhere
    type-unknown              no schema for this type
    data-invalid              a field of the data (`rule` is the validator's name for what was broken)
    key-mismatch              the record key is not the event's subject
    topic-mismatch            the type belongs on another topic
    tombstone                 a null value on a topic that is not compacted
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from schemas.topics import DATA_OF_TYPE, TOPIC_OF_TYPE
from schemas.types import Data, MemberId, Time

STRUCTURED = "application/cloudevents+json"
STRUCTURED_CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
Headers = Iterable[tuple[str, bytes | None]]

D_co = TypeVar("D_co", bound=Data, covariant=True)
T = TypeVar("T")

_ATTRIBUTE = re.compile(r"[\x21-\x7e]+")
_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]{1,64}")
_JSON_MEDIA_TYPE = re.compile(r"application/json *(;.*)?", re.IGNORECASE)
_TYPE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+\.v[0-9]+")
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
_SUBJECT: TypeAdapter[str] = TypeAdapter(MemberId)
_canonical_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class EventError(ValueError):
    """An event that was refused: a code for machines, the field for people, never the value."""

    def __init__(self, code: str, field: str = "", rule: str = "") -> None:
        self.code = code
        self.field = field
        self.rule = rule
        super().__init__(self.reason)

    @property
    def reason(self) -> str:
        """`code`, then the field and the rule where there are any: `data-invalid: data.phone (string_type)`."""
        text = f"{self.code}: {self.field}" if self.field else self.code
        return f"{text} ({self.rule})" if self.rule else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[D_co]):
    """A valid event. `time` is aware UTC, set by the producer, the same on every retry."""

    source: str
    id: str
    type: str
    subject: str
    time: datetime
    data: D_co
    content_sha256: bytes
    """Over type, subject, time and data as sent, in canonical JSON: tells a redelivery from an id used twice."""


def read_record(headers: Headers, value: bytes | None) -> Event[Data]:
    """Read a Kafka record's value in either mode, with or without content-type.

    Structured is what we write (and it copies `ce_id` and `ce_type`), so binary mode is told by `ce_specversion`.
    Headers that are not ours (neither `ce_*` nor content-type) may hold anything.
    """
    if value is None:
        raise EventError("tombstone")
    ours = _our_headers(headers)
    content_type = ours.pop("content-type", None)
    if "ce_specversion" in ours and not (content_type or "").lower().startswith(STRUCTURED):
        attributes: dict[str, Any] = {name[3:]: text for name, text in ours.items()}
        if content_type is not None:
            attributes["datacontenttype"] = content_type
        attributes["data"] = parse_json(value)
        return read_event(attributes)
    document = parse_json(value)
    _refuse_other_than_object(document)
    for name in ("id", "type"):
        if ours.get(f"ce_{name}", document.get(name)) != document.get(name):
            raise EventError("attribute-invalid", f"header ce_{name}", "differs from the event")
    # The parser refuses bare NUL, invalid UTF-8 and lone surrogates; only this escape gets past it.
    if b"\\u0000" in value:
        refuse_unstorable(document)
    return _validated(document, publishing=False)


class Record(Protocol):
    """Where a consumer found an event."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def read_in_place(record: Record) -> Event[Data]:
    """`read_record`, of an event on its own topic, under its subject as the key.

    The key decides the partition, and with it the order of what happens to one subject.
    """
    event = read_record(record.headers, record.value)
    belongs_on = TOPIC_OF_TYPE[event.type].name
    if record.topic != belongs_on:
        raise EventError("topic-mismatch", "type", f"belongs on {belongs_on}")
    if record.key != event.subject.encode():
        raise EventError("key-mismatch", "record key", "must be the subject")
    return event


def read_event(document: Any, *, publishing: bool = False) -> Event[Data]:
    """Validate a CloudEvent as parsed JSON. `publishing`: unknown fields of the data are refused, not ignored.

    Extension attributes are CloudEvents' own: a publisher may send them, named as it says; nobody reads them.
    """
    _refuse_other_than_object(document)
    refuse_unstorable(document)
    return _validated(document, publishing=publishing)


def _refuse_other_than_object(document: Any) -> None:
    if not isinstance(document, Mapping):
        raise EventError("attribute-invalid", "$", "a CloudEvent is a JSON object")


def _validated(document: Mapping[str, Any], *, publishing: bool) -> Event[Data]:
    if document.get("specversion") != "1.0":
        raise _missing_or_invalid(document, "specversion", "must be 1.0")
    source = _text(document, "source", 255)
    id_ = _text(document, "id", 128)
    type_ = _text(document, "type", 128)
    if not _TYPE.fullmatch(type_):
        raise EventError("attribute-invalid", "type", "lower case, dots, ends in .vN")
    subject = _checked(_SUBJECT, document, "subject", "opaque id: letters, digits, . _ ~ : -, at most 64")
    time = _checked(_TIME, document, "time", "RFC 3339 with zone, 2000 to 2100")
    _check_other_attributes(document, publishing=publishing)
    model = DATA_OF_TYPE.get(type_)
    if model is None:
        raise EventError("type-unknown", "type")
    if "data" not in document:
        raise EventError("attribute-missing", "data")
    raw = document["data"]
    try:
        data = model.model_validate(raw, extra="forbid" if publishing else None)
    except ValidationError as error:
        raise data_error(error) from None
    content = _canonical_json([type_, subject, time.isoformat(), raw])
    return Event(
        source=source,
        id=id_,
        type=type_,
        subject=subject,
        time=time,
        data=data,
        content_sha256=hashlib.sha256(content.encode()).digest(),
    )


def write_structured(event: Event[Data]) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers of the record; the key is `event.subject`."""
    document = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": event.data.model_dump(mode="json", exclude_unset=True),
    }
    value = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return value, record_headers(event.id, event.type)


def record_headers(id: str, type: str) -> list[tuple[str, bytes]]:
    """Of a record in structured mode."""
    return [("content-type", STRUCTURED_CONTENT_TYPE.encode()), ("ce_id", id.encode()), ("ce_type", type.encode())]


def new_event(*, source: str, id: str, type: str, subject: str, time: datetime, data: Data) -> Event[Data]:
    """An event of our own making, through the same validation as everybody's."""
    document = {
        "specversion": "1.0",
        "source": source,
        "id": id,
        "type": type,
        "subject": subject,
        "time": time.isoformat(),
        "data": data.model_dump(mode="json", exclude_unset=True),
    }
    return read_event(document, publishing=True)


def parse_json(value: bytes) -> Any:
    """Strict UTF-8 JSON; NaN and Infinity are not JSON, lone surrogates not text."""
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError:
        raise _why_not_json(value) from None


def _why_not_json(value: bytes) -> EventError:
    """The standard library lets lone surrogates through: so the refusal can say that they are it, and where."""
    try:
        refuse_unstorable(json.loads(value.decode("utf-8")))
    except EventError as error:
        return error
    except UnicodeDecodeError:
        return EventError("not-utf-8")
    except (ValueError, RecursionError):
        pass  # not JSON to the standard library either
    return EventError("not-json")


def data_error(error: ValidationError, prefix: str = "data") -> EventError:
    """The first refusal of a validation, as field path and rule; the value stays where it was."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    path = ".".join([prefix, *(_path_part(part) for part in first["loc"])])
    return EventError("data-invalid", path, first["type"])


def refuse_unstorable(value: Any) -> None:
    """NUL and lone surrogates are valid JSON and poison to PostgreSQL (SQLSTATE 22021) and to UTF-8."""
    path = _path_to_unstorable(value)
    if path is not None:
        raise EventError("text-not-storable", ".".join(map(_path_part, reversed(path))) or "$")


def _path_to_unstorable(value: Any) -> list[object] | None:
    """From the leaf up: a path is only built when there is something to tell."""
    if isinstance(value, str):
        return None if _is_storable(value) else []
    if isinstance(value, Mapping):
        items: Iterable[tuple[object, Any]] = value.items()
        if not all(_is_storable(key) for key in value):
            return ["*"]
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return None
    for part, inner in items:
        path = _path_to_unstorable(inner)
        if path is not None:
            path.append(part)
            return path
    return None


def _is_storable(text: str) -> bool:
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _path_part(part: object) -> str:
    """A key from outside may itself be an address or a code: name only what looks like a field."""
    text = str(part)
    return text if re.fullmatch(r"[a-z][a-z_]{0,40}|[0-9]{1,4}", text) else "*"


def _our_headers(headers: Headers) -> dict[str, str]:
    ours: dict[str, str] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if name != "content-type" and not name.startswith("ce_"):
            continue
        if value is None:
            raise EventError("attribute-invalid", _header_name(name), "null value")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            raise EventError("attribute-invalid", _header_name(name), "not UTF-8") from None
        if ours.setdefault(name, text) != text:
            raise EventError("attribute-invalid", _header_name(name), "given twice")
    return ours


def _header_name(name: str) -> str:
    return f"header {name}" if re.fullmatch(r"content-type|ce_[a-z]{1,20}", name) else "header ce_*"


def _text(document: Mapping[str, Any], name: str, limit: int) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not _ATTRIBUTE.fullmatch(value) or len(value) > limit:
        raise _missing_or_invalid(document, name, f"1 to {limit} printable ASCII characters")
    return value


def _check_other_attributes(document: Mapping[str, Any], *, publishing: bool) -> None:
    media_type = document.get("datacontenttype")
    if media_type is not None and not (isinstance(media_type, str) and _JSON_MEDIA_TYPE.fullmatch(media_type)):
        raise EventError("attribute-invalid", "datacontenttype", "must be application/json")
    if not publishing:
        return
    for name, value in document.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise EventError("attribute-invalid", _path_part(name), "attribute names are lower-case letters and digits")
        if name != "data" and not isinstance(value, str | int | None):
            raise EventError("attribute-invalid", _path_part(name), "an extension is text, an integer or true or false")


def _checked(adapter: TypeAdapter[T], document: Mapping[str, Any], name: str, rule: str) -> T:
    try:
        return adapter.validate_python(document.get(name))
    except ValidationError:
        raise _missing_or_invalid(document, name, rule) from None


def _missing_or_invalid(document: Mapping[str, Any], name: str, rule: str) -> EventError:
    return EventError("attribute-invalid" if name in document else "attribute-missing", name, rule)
