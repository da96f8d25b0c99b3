"""When the promise was broken, and what people did by hand: for the console.

A promise is broken by what left later than it should, or never; so the console knows since when it is kept. Safe beside
running services of the version before: an index and views of its own. The index has the few rows that broke a promise,
and is built CONCURRENTLY, day by day.
"""

from alembic import op

from services.runtime.migrations import console_grants, index_partitions

revision = "0007"
down_revision = "0006"

MIGHT_LEAVE = "greatest(event_time, not_before)"
IN_TIME = """
CASE lane WHEN 'codes' THEN interval '10 seconds' WHEN 'security' THEN interval '60 seconds' ELSE interval '1 hour' END
"""
BROKEN = f"(state = 'expired' OR sent_at - {MIGHT_LEAVE} > {IN_TIME})"
ON = f"(lane, coalesce(sent_at, state_at)) WHERE {BROKEN}"
VIEWS = {
    "console_breaches": f"""
        SELECT day, id, lane, coalesce(sent_at, state_at) AS at, {MIGHT_LEAVE} + {IN_TIME} AS since,
               state = 'expired' AS never
        FROM notifier.notifications WHERE {BROKEN}
    """,  # noqa: S608 (constants of this module)
    "console_interventions": "SELECT id, at, kind, subject, who, why, result FROM notifier.interventions",
}


def upgrade() -> None:
    index_partitions("notifier", "notifications", "notifications_breaches", ON)
    for name, query in VIEWS.items():
        op.execute(f"CREATE OR REPLACE VIEW notifier.{name} AS {query}")
    op.execute(console_grants("notifier", VIEWS))
