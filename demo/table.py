"""The live table: event → notice → brand → to → channel → language → state → reason → latency."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from demo.stage import Published
from demo.watch import Seen

STATE_STYLES = {
    "sent": "green",
    "delivered": "green",
    "waiting": "yellow",
    "retrying": "yellow",
    "unknown": "yellow",
    "failed": "red",
    "bounced": "red",
    "expired": "magenta",
    "superseded": "magenta",
    "suppressed": "magenta",
}
SHORT_NOTICES = {
    "one-time-verification-code": "one-time-code",
    "email-address-changed": "address-changed",
    "security-method-enrolled": "method-enrolled",
}
SHORT_BRANDS = {"cigna-healthcare": "cigna"}
COLUMNS = ("event", "notice", "brand", "to", "channel", "lang", "state", "reason", "latency")
NARROWER = tuple(
    tuple(name for name in COLUMNS if name not in without)
    for without in (set[str](), {"to"}, {"to", "event"}, {"to", "event", "brand"})
)
"""What a terminal does without, in this order: to whom, then the event, as its notice says nearly as much, then whose
it is."""
FOLDED = frozenset({"event", "notice", "to", "reason"})
"""Take more lines where there is no room, as nothing is ever cut; the others are always one line."""

Cells = Mapping[str, str]


def table_of(
    rows: Sequence[Seen], published: Mapping[str, Published], *, width: int, newest: int | None = None
) -> Table:
    """`width`: of the terminal. `newest`: how many rows to show; it says how many earlier ones there are."""
    cells, columns = _fitting([_cells(row, published) for row in rows], width)
    hidden = 0 if newest is None else max(0, len(rows) - newest)
    table = Table(
        title=f"{hidden} earlier ones are not shown" if hidden else None,
        title_style="dim",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in columns:
        table.add_column(
            name, justify="right" if name == "latency" else "left", no_wrap=name not in FOLDED, overflow="fold"
        )
    for row in cells[hidden:]:
        styles = {"state": STATE_STYLES.get(row["state"], "")}
        table.add_row(*(Text(row[name], styles.get(name, "")) for name in columns))
    return table


def masked(address: str | None) -> str:
    """Enough to tell two members apart, too little to write to them. A member's id, which the portal goes by, is
    nobody's address.
    """
    if address is None:
        return "-"
    if "@" in address:
        mailbox, _, domain = address.partition("@")
        return f"{mailbox[:2]}…@{domain}"
    return f"{address[:3]}…{address[-2:]}" if address.startswith("+") else address


def latency(row: Seen) -> str:
    """From the event's time to the relay's or provider's acceptance."""
    if row.sent_at is None:
        return ""
    seconds = (row.sent_at - row.event_time).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _fitting(rows: Sequence[Cells], width: int) -> tuple[Sequence[Cells], Sequence[str]]:
    """Chosen by all rows, shown or not, so that the columns stay while rows come and go."""
    if _width(rows, COLUMNS) <= width:
        return rows, COLUMNS
    short = [
        {
            **row,
            "notice": SHORT_NOTICES.get(row["notice"], row["notice"]),
            "brand": SHORT_BRANDS.get(row["brand"], row["brand"]),
        }
        for row in rows
    ]
    fitting = (columns for columns in NARROWER if _width(short, columns) <= width)
    return short, next(fitting, NARROWER[-1])


def _width(rows: Sequence[Cells], columns: Sequence[str]) -> int:
    """Each column has a space of padding, and one of the box before the next."""
    return sum(max(cell_len(text) for text in (name, *(row[name] for row in rows))) + 2 for name in columns) - 1


def _cells(row: Seen, published: Mapping[str, Published]) -> Cells:
    return {
        "event": _event(row, published),
        "notice": row.notice,
        "brand": row.brand,
        "to": masked(row.to),
        "channel": row.channel,
        "lang": row.locale,
        "state": row.state,
        "reason": _reason(row, published[row.event].remark if row.event in published else ""),
        "latency": latency(row),
    }


def _event(row: Seen, published: Mapping[str, Published]) -> str:
    name = row.event_type.removeprefix("identity.").rpartition(".v")[0]
    copies = published[row.event].copies if row.event in published else 1
    return f"{name} {copies}x" if copies > 1 else name


def _reason(row: Seen, remark: str) -> str:
    if row.reason:
        return row.reason
    return f"attempt {row.attempts}" if row.attempts > 1 else remark
