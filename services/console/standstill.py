"""Which group has records to read and reads none: from what it has committed, look after look. PURE."""

from collections.abc import Mapping

AFTER_SECONDS = 60.0
"""A batch is accepted or given back within so long, whatever happens."""


class Standstill:
    """What was committed, and since when it has been that."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[Mapping[int, int], float]] = {}

    def seconds(self, group: str, topic: str, committed: Mapping[int, int], behind: int, at: float) -> float:
        """How long it has been seen to stand, 0 while it moves or has read all. `at`: seconds on one clock."""
        key = (group, topic)
        known = self._since.get(key)
        if not behind:
            self._since.pop(key, None)
            return 0.0
        if known is None or known[0] != committed:
            self._since[key] = (committed, at)
            return 0.0
        return at - known[1]
