"""PURE: the timeline of a complaint as a picture: one SVG file, light and dark, with nothing to fetch.

A state is a shape and a word, never a colour alone; letters are numbered envelopes, and the list below says what became
of each. `<title>` and `<desc>` tell it all to who does not see it.
"""

from collections.abc import Iterator
from datetime import datetime
from html import escape

from services.complaint_sla import words
from services.complaint_sla.axis import DAY, Axis
from services.complaint_sla.case import Case, Owed
from services.complaint_sla.timeline import upcoming
from services.complaint_sla.words import named

MEDIA_TYPE = "image/svg+xml"
WIDTH, LEFT, RIGHT = 1080, 250, 1056
TOP, ROW, LINE = 156, 74, 24
ENVELOPE = 27
"""Its width, with the space beside it."""
STYLE = """
:root { color-scheme: light dark; --paper:#fff; --ink:#1c2126; --quiet:#56606a; --line:#c9d0d6; --off:#eef1f3;
  --open:#0b5cad; --met:#1a7040; --missed:#b3261e; --held:#66707a; }
@media (prefers-color-scheme: dark) { :root { --paper:#14181c; --ink:#e8ecef; --quiet:#a3adb7; --line:#3c454d;
  --off:#20262c; --open:#7ab8f5; --met:#6ccb92; --missed:#ff8a80; --held:#a3adb7; } }
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--ink); }
.h { font-size: 20px; font-weight: 600; } .b { font-weight: 600; font-size: 14px; } .q { fill: var(--quiet); }
.s { font-size: 12px; } .paper { fill: var(--paper); } .off { fill: var(--off); } .line { stroke: var(--line); }
.open { --c: var(--open); } .met { --c: var(--met); } .missed { --c: var(--missed); } .held { --c: var(--held); }
.bar { stroke: var(--c); stroke-width: 4; stroke-linecap: round; } .edge { stroke: var(--c); stroke-width: 2; }
.mark { fill: none; stroke: var(--c); stroke-width: 2.5; stroke-linecap: round; stroke-linejoin: round; }
.word { fill: var(--c); font-weight: 600; } .clear { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.disc { fill: var(--paper); stroke: var(--c); }
.flap { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.envelope { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
.dashed { stroke-dasharray: 3 2; } .now { stroke: var(--ink); stroke-dasharray: 4 4; }
"""
_CLASS = {"open": "open", "held": "held", "met": "met", "met-not-delivered": "missed", "missed": "missed"}
_SHAPES = {
    "open": "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0",
    "held": "M-3,-5v10M3,-5v10",
    "met": "M-6,0l4,5l8,-10",
    "met-not-delivered": "M-6,0l4,5l8,-10M-7,8h14",
    "missed": "M-5,-5l10,10M5,-5l-10,10",
    "lapsed": "M-5,0h10",
    "cancelled": "M-5,0h10",
}
"""Circle, pause, check, check underlined, cross, dash: around 0,0."""


def picture(case: Case, axis: Axis | None, zone_name: str, now: datetime) -> str:
    """The whole file. `axis` is None where there is nothing to count: unregistered, or without deadlines."""
    title = f"Complaint {case.id}: {words.of_case(case, zone_name)}"
    rows = case.owed if axis is not None else []
    bottom = TOP + ROW * len(rows) if rows else 92
    height = bottom + LINE * (len(case.requests) + 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" {_size(height)}>',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(" ".join(described(case, zone_name)))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        *_head(case, zone_name),
    ]
    if axis is not None:
        parts += [*_days_off(axis, bottom), *_days(axis, bottom), *_now(axis, now, bottom)]
        for number, owed in enumerate(rows):
            parts += _row(owed, case, axis, TOP + ROW * number)
    parts += _list(case, bottom + LINE * 1.5, zone_name, now)
    return "\n".join([*parts, "</svg>", ""])


def described(case: Case, zone_name: str) -> Iterator[str]:
    """The picture in sentences."""
    if case.received is not None:
        yield f"Received {words.local(case.received.received_at, zone_name)} ({zone_name})."
    for owed in case.owed:
        yield f"{_name(owed)}, owed {words.until(owed.limit_at, zone_name)}: {words.of_owed(owed, zone_name)}."
    for number, request in enumerate(case.requests, 1):
        yield f"Letter {number}, {named(request.letter)}, {words.of_request(request, zone_name)}."


def _size(height: float) -> str:
    return f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'


def _head(case: Case, zone_name: str) -> Iterator[str]:
    yield _text(24, 38, f"Complaint {case.id}", "h")
    yield _text(24, 62, words.of_case(case, zone_name))
    if case.received is not None:
        received = words.local(case.received.received_at, zone_name)
        said = f"Licence {case.received.licence}. Received {received} ({zone_name}). Times of day and days are local."
        yield _text(24, 84, said, "q")


def _days_off(axis: Axis, bottom: float) -> Iterator[str]:
    """Below everything else, so that no name of a day is cut."""
    for day in axis.wide_days():
        x, why = axis.x_of_day(day), axis.days_off.get(day)
        if why is not None:
            size = f'width="{axis.x_of_day(day + DAY) - x:.1f}" height="{bottom - TOP + 50:.1f}"'
            yield f'<rect class="off" x="{x:.1f}" y="{TOP - 50}" {size}>'
            yield f"<title>{day:%a} {day.day} {day:%b}: {escape(why)}</title></rect>"


def _days(axis: Axis, bottom: float) -> Iterator[str]:
    for day in axis.wide_days():
        middle, why = (axis.x_of_day(day) + axis.x_of_day(day + DAY)) / 2, axis.days_off.get(day)
        yield _text(middle, TOP - 36, f"{day:%a}"[:2], "s q", "middle")
        named_month = f"{day.day} {day:%b}" if day in {axis.first, day.replace(day=1)} else str(day.day)
        yield _text(middle, TOP - 21, named_month, "s" if why is None else "s q", "middle")
    for number, day in axis.weeks():
        x = axis.x_of_day(day)
        yield f'<path class="line" d="M{x:.1f},{TOP - 14}V{bottom:.1f}"/>'
        yield _text(x, TOP - 36, f"week {number}", "s q", "middle")
        yield _text(x, TOP - 21, f"{day.day} {day:%b}", "s q", "middle")
    yield f'<path class="line" d="M{LEFT},{TOP - 14}H{RIGHT}"/>'


def _row(owed: Owed, case: Case, axis: Axis, top: float) -> Iterator[str]:
    """Name and state on the left; the bar runs from the receipt to the limit, what happened stands on it."""
    assert case.received is not None, "what is owed runs from a receipt"
    y, look = top + 34, _CLASS.get(owed.state, "held")
    begins, limit = axis.x(case.received.received_at), axis.x(owed.limit_at)
    yield f'<g class="{look}">'
    yield _text(24, top + 22, _name(owed), "b")
    yield _shape(owed.state, 30, top + 40)
    yield _text(44, top + 44, _word(owed), "word s")
    yield f'<path class="bar" d="M{begins:.1f},{y}H{limit:.1f}"/>'
    yield f'<path class="edge" d="M{limit:.1f},{y - 12}V{y + 22}"/>'
    anchor, label = ("start", limit + 6) if limit + 250 < RIGHT else ("end", limit - 6)
    yield _text(label, y + 20, _limit(owed, axis.zone), "s clear", anchor)
    happened_at = owed.limit_at if owed.state == "missed" else owed.met_at
    if happened_at is not None and axis.holds(happened_at):
        x = axis.x(happened_at)
        yield f'<circle class="disc" cx="{x:.1f}" cy="{y}" r="10"/>'
        yield _shape(owed.state, x, y)
    yield "</g>"
    yield from _letters(owed, case, axis, y - 19)


def _letters(owed: Owed, case: Case, axis: Axis, y: float) -> Iterator[str]:
    """Side by side where they are close; one that meets nothing stands in the last row."""
    free_from = 0.0
    for number, request in enumerate(case.requests, 1):
        at = request.sent_at or request.requested_at
        if owed.obligation == (request.obligation or case.owed[-1].obligation) and axis.holds(at):
            x = max(axis.x(at), free_from)
            free_from = x + ENVELOPE
            yield _envelope(number, x, y, gone=request.sent_at is not None)


def _now(axis: Axis, now: datetime, bottom: float) -> Iterator[str]:
    if axis.holds(now):
        x = axis.x(now)
        yield f'<path class="now" d="M{x:.1f},{TOP - 50}V{bottom:.1f}"/>'
        yield _text(x, TOP - 54, "now", "s", "middle")


def _list(case: Case, y: float, zone_name: str, now: datetime) -> Iterator[str]:
    for number, request in enumerate(case.requests, 1):
        yield _text(24, y, str(number), "b")
        yield _envelope(None, 56, y - 4, gone=request.sent_at is not None)
        attempt = f", attempt {request.attempt}" if request.attempt > 1 else ""
        became = words.of_request(request, zone_name)
        yield _text(78, y, f"{named(request.letter).capitalize()} letter{attempt}, {became}")
        y += LINE
    coming = upcoming(case)
    said = "Nothing more comes by itself"
    if coming is not None:
        said = f"{'Due since' if coming.at < now else 'Next,'} {words.local(coming.at, zone_name)}: {coming.what}"
    yield _text(24, y + 6, f"{said}. Drawn {words.local(now, zone_name)}.", "q")


def _name(owed: Owed) -> str:
    return named(owed.obligation).capitalize()


def _word(owed: Owed) -> str:
    """Short: the picture shows when."""
    if owed.state == "missed" and owed.met_at is not None:
        return "missed, sent late"
    return {"held": "held", "met-not-delivered": "met, came back"}.get(owed.state, words.OF_STATE[owed.state])


def _limit(owed: Owed, zone_name: str) -> str:
    """`business day 5: end of Tue 8 Dec 2026`."""
    until = words.until(owed.limit_at, zone_name).removeprefix("until the ")
    counted = words.counted(owed)
    return f"{counted}: {until}" if counted else until


def _shape(state: str, x: float, y: float) -> str:
    return f'<path class="mark" transform="translate({x:.1f} {y:.1f})" d="{_SHAPES[state]}"/>'


def _envelope(number: int | None, x: float, y: float, *, gone: bool) -> str:
    """Dashed until it has gone."""
    dashed = "" if gone else " dashed"
    count = "" if number is None else f'<text class="s" y="-12" text-anchor="middle">{number}</text>'
    return (
        f'<g transform="translate({x:.1f} {y:.1f})"><path class="envelope{dashed}" d="M-11,-8h22v16h-22z"/>'
        f'<path class="flap" d="M-11,-8l11,8l11,-8"/>{count}</g>'
    )


def _text(x: float, y: float, said: str, look: str = "", anchor: str = "start") -> str:
    anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{look}"{anchored}>{escape(said)}</text>'
