"""May a notification go again because somebody asks for it? PURE.

What is refused here names the way out: usually the event again under a new id, since an id is planned once.
"""

from dataclasses import dataclass
from datetime import datetime

from services.notifier import words
from services.notifier.story import ContactRow, NotificationRow

_NEW_ID = "if it is still wanted, have it published again under a new id"
_MENDED = {False: "have the member's contact corrected", True: "have the complaint desk name an address or a handler"}
_NOT_ENDED = "nothing to do: it goes by itself when it is due; member-notices why says when"
_REFUSED = {
    "sent": ("it was sent; again would be a second copy", "ask the member to look in junk mail; else " + _NEW_ID),
    "delivered": ("it was delivered; again would be a second copy", _NEW_ID),
    "bounced": ("its address bounced", "have the member's contact corrected, then " + _NEW_ID),
    "superseded": ("a newer one took its place", "look at the newer one: member-notices why names it"),
    "suppressed": ("it was held back on purpose", "remove the cause, then " + _NEW_ID),
    "cancelled": ("it was cancelled", _NEW_ID),
    "accepted": ("it is open already", _NOT_ENDED),
    "claimed": ("it is being worked on", _NOT_ENDED),
    "handing-over": ("it is being handed over now", _NOT_ENDED),
    "retrying": ("it is open already", _NOT_ENDED),
}


@dataclass(frozen=True, slots=True)
class Reopens:
    """It may go; `what` will happen."""

    what: str


@dataclass(frozen=True, slots=True)
class StaysClosed:
    why: str
    way_out: str


def judge(row: NotificationRow, contact: ContactRow | None, now: datetime) -> Reopens | StaysClosed:
    """What was failed, what expired though its limit is still ahead, and what is unknown may go; nothing late may."""
    if row.reason == "in-summary":
        return StaysClosed(
            "another one of its kind lists it",
            f"look at that one, and re-open it if it failed: member-notices why {row.reference}",
        )
    if row.state in _REFUSED:
        why, way_out = _REFUSED[row.state]
        return StaysClosed(why, way_out)
    for refused, why, way_out in (
        (
            row.hand_over_by is not None and row.hand_over_by <= now,
            "its hand-over limit has passed, and nothing is sent late",
            _NEW_ID,
        ),
        (
            _is_forgotten(row, contact),
            "the member's contact was forgotten (tombstone)",
            "none: a member who was forgotten gets nothing more",
        ),
        (not row.has_facts, "its contents were erased 30 days after its end", _NEW_ID),
        (
            not row.has_address,
            f"it has no address: {words.because(row.reason)}",
            f"{_MENDED[row.of_complaint]}; {_NEW_ID}",
        ),
        (
            row.needs_secrets and not row.has_secrets,
            "its code or link was erased when it ended",
            "have a new code or link issued",
        ),
    ):
        if refused:
            return StaysClosed(why, way_out)
    limit = "" if row.hand_over_by is None else f", at the latest {row.hand_over_by:%Y-%m-%dT%H:%M:%SZ}"
    if row.state == "unknown":
        return Reopens(f"goes at once instead of waiting, with the same Message-ID; a second copy is possible{limit}")
    return Reopens(f"{row.state} → retrying; attempt {row.attempts + 1} at once{limit}")


def _is_forgotten(row: NotificationRow, contact: ContactRow | None) -> bool:
    """As the ledger itself sees it when the row is claimed."""
    return (
        contact is not None and contact.forgotten and contact.time >= row.event_time and row.notice != "account-deleted"
    )
