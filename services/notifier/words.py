"""A notification and an event in words, for who is asked "did she get it?" and for who is woken at night. PURE."""

from schemas.words import OF_EVENT_STATE, OF_STATE, because, of_result
from services.notifier.story import EventRow, NotificationRow

__all__ = ["because", "of_event", "of_notification", "of_result"]


def of_notification(row: NotificationRow) -> str:
    """Two sentences at most, for somebody who does not know our states."""
    said = _of_special(row) or OF_STATE.get(row.state, row.state)
    why = because(row.reason)
    return said if why is None else f"{said} Because {why}."


def _of_special(row: NotificationRow) -> str | None:
    """Where a message behaves unlike others in the same state: a complaint's, or one that a summary lists."""
    if row.reason == "in-summary":
        return f"Not sent on its own: notification {row.reference} carries it."
    if row.state == "accepted" and row.not_before is not None and row.reason != "throttled":
        return "Accepted; it goes when a person may be told."
    if row.state == "unknown" and row.role == "complainant":
        return "Handed over, but nobody knows whether it arrived; it goes again by itself, and then says so."
    return None


def of_event(event: EventRow) -> str:
    said = OF_EVENT_STATE.get(event.state, event.state)
    why = because(event.reason)
    return said if why is None else f"{said} Because {why}."
