"""What people did by hand, with who and why; and the events that caused nothing, by member.

Safe beside running services of the version before: a table nobody writes yet, and an index that is built day by day,
each day in a transaction of its own, over the few events that are not planned.
"""

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"

INTERVENTIONS = """
CREATE TABLE IF NOT EXISTS notifier.interventions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL CHECK (kind IN ('retry', 'replay', 'reveal')),
    subject text NOT NULL,
    who text NOT NULL CHECK (who <> ''),
    why text NOT NULL CHECK (why <> ''),
    result text
)
"""
PARTITIONS = """
SELECT child.relname FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'notifier.events'::regclass AND NOT inhdetachpending
  AND NOT EXISTS (
    SELECT FROM pg_inherits attached JOIN pg_index ON indexrelid = attached.inhrelid
    WHERE attached.inhparent = 'notifier.events_unplanned'::regclass AND indrelid = child.oid)
ORDER BY child.relname
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(INTERVENTIONS)
        op.execute("CREATE INDEX IF NOT EXISTS interventions_subject ON notifier.interventions (subject)")
        # From here on new partitions are born with it.
        op.execute(
            "CREATE INDEX IF NOT EXISTS events_unplanned ON ONLY notifier.events (member_id) WHERE state <> 'planned'"
        )
        for (name,) in op.get_bind().execute(text(PARTITIONS)).all():
            index = f"{name}_unplanned"
            op.execute(
                f'CREATE INDEX IF NOT EXISTS "{index}" ON notifier."{name}" (member_id) WHERE state <> \'planned\''
            )
            op.execute(f'ALTER INDEX notifier.events_unplanned ATTACH PARTITION notifier."{index}"')
