"""What the console searches by: ended notifications by notice, state, address and when they left; events that caused
nothing, by time.

Safe beside running services of the version before: each partition's index is built CONCURRENTLY, one after the other.
Only what has ended is in them, so that accepting and handing over write no more than before (ADR 0033).
"""

from services.runtime.migrations import index_partitions

revision = "0006"
down_revision = "0005"

BAD = "'delivered', 'bounced', 'failed', 'expired', 'superseded', 'suppressed', 'cancelled'"
"""Every ended state but the common one, sent."""
INDEXES = {
    "notifications_notice": ("notifications", "(notice, event_time, id) WHERE due_at IS NULL"),
    "notifications_state": ("notifications", f"(state, event_time, id) WHERE state IN ({BAD})"),
    "notifications_address": (
        "notifications",
        "(address_hash) WHERE address_hash IS NOT NULL AND due_at IS NULL",
    ),
    "notifications_sent": ("notifications", "(sent_at) WHERE sent_at IS NOT NULL"),
    "events_unplanned_time": ("events", "(state, time) WHERE state <> 'planned'"),
}


def upgrade() -> None:
    for name, (table, definition) in INDEXES.items():
        index_partitions("notifier", table, name, definition)
