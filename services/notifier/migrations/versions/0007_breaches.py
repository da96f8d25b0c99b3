"""When the promise was broken, and what people did by hand: for the console.

A promise is broken by what left later than it should, or never; so the console knows since when it is kept. Safe beside
running services of the version before: an index and views of its own. The index has the few rows that broke a promise,
and is built day by day, each day in a transaction of its own.
"""

from alembic import op
from sqlalchemy import text

from services.runtime.migrations import console_grants

revision = "0007"
down_revision = "0005"

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
PARTITIONS = """
SELECT child.relname FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'notifier.notifications'::regclass AND NOT inhdetachpending
  AND NOT EXISTS (
    SELECT FROM pg_inherits attached JOIN pg_index ON indexrelid = attached.inhrelid
    WHERE attached.inhparent = 'notifier.notifications_breaches'::regclass AND indrelid = child.oid)
ORDER BY child.relname
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # From here on new partitions are born with it.
        op.execute(f"CREATE INDEX IF NOT EXISTS notifications_breaches ON ONLY notifier.notifications {ON}")
        for (name,) in op.get_bind().execute(text(PARTITIONS)).all():
            index = f"{name}_breaches"
            op.execute(f'CREATE INDEX IF NOT EXISTS "{index}" ON notifier."{name}" {ON}')
            op.execute(f'ALTER INDEX notifier.notifications_breaches ATTACH PARTITION notifier."{index}"')
    for name, query in VIEWS.items():
        op.execute(f"CREATE OR REPLACE VIEW notifier.{name} AS {query}")
    op.execute(console_grants("notifier", VIEWS))
