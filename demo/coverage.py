"""What the day came to: each notice of each brand, its languages and channels, and how it ended."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from demo.table import STATE_STYLES
from demo.watch import Seen
from services.notifier.catalogue import CATALOGUE, OF_COMPLAINTS

PAIRS = tuple(
    (notice.name, brand) for notice in CATALOGUE if notice.on not in OF_COMPLAINTS for brand in sorted(notice.brands)
)
"""Every notice of a member, for each brand that has it; complaints have a table of their own."""


def coverage_of(rows: Sequence[Seen]) -> Table:
    """In the catalogue's order; one that nothing happened to is a row all the same."""
    table = Table(
        title="Every notice of both brands", title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        show_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for name in ("notice", "brand", "language", "channels", "outcome"):
        table.add_column(name, overflow="fold")
    for notice, brand in PAIRS:
        mine = [row for row in rows if (row.notice, row.brand) == (notice, brand)]
        languages = " ".join(sorted({row.locale for row in mine}))
        table.add_row(notice, brand, languages, _channels(mine), _outcome(mine))
    return table


def missing(rows: Iterable[Seen]) -> list[str]:
    """A line for each notice that nobody of a brand got."""
    got = {(row.notice, row.brand) for row in rows if row.state == "sent"}
    return [f"missing: {notice} was sent to nobody of {brand}" for notice, brand in PAIRS if (notice, brand) not in got]


def _channels(rows: Iterable[Seen]) -> str:
    return ", ".join(sorted({row.channel for row in rows}))


def _outcome(rows: Iterable[Seen]) -> Text:
    counts = Counter((row.state, row.reason) for row in rows)
    if not counts:
        return Text("nothing", "red")
    ends = sorted(counts.items(), key=lambda each: (each[0][0] != "sent", each[0][0]))
    return Text(", ").join(
        Text(f"{count} {state}" + (f" ({reason})" if reason else ""), STATE_STYLES.get(state, ""))
        for (state, reason), count in ends
    )
