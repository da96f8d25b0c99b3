"""How long former members may use the portal, what was said of it and what comes next; how far coverage is known.

Safe beside running services of the version before: tables it does not know, and no lock on the one it has.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    # A row is begun empty, so that two replicas that hear of the same new member take turns; none is committed so.
    """
    CREATE TABLE IF NOT EXISTS auth_events.portal_access (
        member_id text PRIMARY KEY,
        event_source text,
        event_id text,
        event_time timestamptz,
        ended_on date,
        cause_source text,
        cause_id text,
        access_ends_on date,
        told_at timestamptz,
        reminded_at timestamptz,
        due_at timestamptz,
        forget_at timestamptz NOT NULL,
        CONSTRAINT due_is_whole CHECK (
            due_at IS NULL OR num_nulls(event_source, ended_on, cause_source, cause_id, access_ends_on) = 0
        )
    )
    """,
    "CREATE INDEX IF NOT EXISTS portal_access_due ON auth_events.portal_access (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS portal_access_forget ON auth_events.portal_access (forget_at)",
    """
    CREATE TABLE IF NOT EXISTS auth_events.progress (
        topic text NOT NULL,
        partition integer NOT NULL,
        through timestamptz NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (topic, partition)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
