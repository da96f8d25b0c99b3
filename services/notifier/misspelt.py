"""What somebody who writes a template meant by a name that there is not. PURE."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: str, known: Iterable[str]) -> str:
    """To go on with after the name: the one that is nearest, else all there are."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
