"""A refused record or a notification's facts, shown without what is private. PURE.

Nothing of a refused record was ever validated, so a value is shown only where the contract's field holds words, times
or opaque ids, and the value looks like one. Everything else is a length.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from schemas.envelope import Headers
from schemas.topics import DATA_OF_TYPE
from services.notifier.letters import letter_fact_names

MAX_DEPTH = 8
MAX_ITEMS = 20
_ATTRIBUTES = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"})
_NAMES = _ATTRIBUTES | {"role", "has_card"}.union(
    *(data.model_fields for data in DATA_OF_TYPE.values()), *(letter_fact_names(data) for data in DATA_OF_TYPE.values())
)
"""A key from outside may itself be an address: only names of the contract and of facts are shown."""
_OPAQUE = re.compile(r"(?!\+?[0-9]{4,}$)(?!https?:)[A-Za-z0-9][A-Za-z0-9._~:/-]{0,254}")
_WORD = re.compile(r"[a-z]{1,30}(-[a-z]{1,30}){0,5}(-[0-9])?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{5,18}([Zz]|[+-][0-9]{2}:[0-9]{2})?")
_SHAPES: dict[str, re.Pattern[str]] = {
    "specversion": re.compile(r"[0-9]\.[0-9]"),
    "type": re.compile(r"[a-z-]+(\.[a-z-]+){1,3}\.v[0-9]{1,3}"),
    "datacontenttype": re.compile(r"[a-z]+/[a-z+.-]+(; ?charset=[A-Za-z0-9-]+)?"),
    "content-type": re.compile(r"[a-z]+/[a-z+.-]+(; ?charset=[A-Za-z0-9-]+)?"),
    "source": re.compile(r"https?://[a-z0-9.-]+/?|urn:[a-z0-9:-]+"),
    "time_zone": re.compile(r"UTC|[A-Z][a-z]+/[A-Z][A-Za-z_]+"),
    **dict.fromkeys(("id", "subject", "key"), _OPAQUE),
    **dict.fromkeys(
        ("channel", "purpose", "brand", "locale", "language", "which", "method", "change", "means", "role"), _WORD
    ),
}
_COUNTS = frozenset({"version"})


def value_of(value: bytes) -> str:
    """The JSON of a record, indented and masked; or that it is none."""
    try:
        document = json.loads(value.decode())  # as bytes it would take surrogates, which are not UTF-8
        return json.dumps(redacted(document), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return f"••• ({len(value)} bytes that are not JSON)"


def headers_of(headers: Headers) -> list[str]:
    """CloudEvents' own with what may be shown; of others only how many there are."""
    lines: list[str] = []
    foreign = 0
    for raw, value in headers:
        name = raw.lower()
        if name != "content-type" and name.removeprefix("ce_") not in _ATTRIBUTES:
            foreign += 1
        elif value is None:
            lines.append(f"{name}: null")
        else:
            lines.append(f"{name}: {key_of(value, name.removeprefix('ce_'))}")
    return [*lines, *([f"and {foreign} that are not CloudEvents'"] if foreign else [])]


def key_of(key: bytes | None, name: str = "key") -> str:
    """A record key, an id or an attribute as bytes."""
    if key is None:
        return "null"
    try:
        text = key.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    return text if text and _may_show(name, text) else f"••• ({len(key)} bytes)"


def redacted(value: Any, name: str = "", depth: int = 0) -> Any:
    """JSON with everything replaced that is not known to be harmless."""
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list):
        shown = [redacted(item, name, depth + 1) for item in value[:MAX_ITEMS]]
        return shown + ([f"… {len(value) - MAX_ITEMS} more"] if len(value) > MAX_ITEMS else [])
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if name in _COUNTS else "••• (number)"
    return value if _may_show(name, value) else f"••• ({len(value)} characters)"


def _mapping(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, inner in list(value.items())[:50]:
        shown[name if name in _NAMES else f"••• (name {len(shown) + 1})"] = redacted(inner, name, depth + 1)
    return shown


def _may_show(name: str, text: str) -> bool:
    shape = _TIME if name == "time" or name.endswith("_at") else _SHAPES.get(name)
    return shape is not None and shape.fullmatch(text) is not None
