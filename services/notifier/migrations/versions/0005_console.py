"""What the console may see of the ledger: views without contents, addresses and facts, and the role that reads them.

Safe beside running services of the version before: a view takes nothing from who writes. The hash of an address is
a keyed one; without SEARCH_KEY it says nothing.
"""

from alembic import op

from services.runtime.migrations import console_grants, console_role

revision = "0005"
down_revision = "0004"

VIEWS = {
    "console_notifications": """
        SELECT day, id, event_source, event_id, event_type, event_time, member_id, notice, channel, role, lane, brand,
               locale, address_hash, state, state_at, reason, attempts, due_at, not_before, limit_at, expires_at,
               hand_over_by, accepted_at, sent_at,
               CASE WHEN reason = 'in-summary' THEN reference END AS carried_by,
               cancelled_from IS NOT NULL AS of_complaint
        FROM notifier.notifications
    """,
    "console_attempts": """
        SELECT day, notification_id, attempt, started_at, ended_at, result, reply_code, reason FROM notifier.attempts
    """,
    "console_events": """
        SELECT day, source, id, type, member_id, time, state, reason, origin, accepted_at, waits_until
        FROM notifier.events
    """,
    "console_suppressions": """
        SELECT address_hash, channel, reason, notification_id, since, lifted_at FROM notifier.suppressions
    """,
    "console_outbox": "SELECT id, topic, written_at FROM notifier.outbox",
}


def upgrade() -> None:
    for name, query in VIEWS.items():
        op.execute(f"CREATE OR REPLACE VIEW notifier.{name} AS {query}")
    op.execute(console_role())
    op.execute(console_grants("notifier", VIEWS))
