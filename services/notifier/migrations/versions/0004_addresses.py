"""Addresses that take no mail any more, those a member has left, and what waits to leave in one summary.

Services of the version before may run beside it: tables that they do not know, a column without a default that they
neither read nor write, and a wider check. What they do not know either is a summary: they send its first action alone.
So THROTTLE_SECONDS=0 for the new ones until none of them runs (docs/operations.md).
"""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS notifier.suppressions (
        address_hash bytea NOT NULL,
        channel text NOT NULL,
        reason text NOT NULL CHECK (reason IN ('address-bounced', 'opted-out')),
        notification_id uuid NOT NULL,
        since timestamptz NOT NULL,
        lifted_at timestamptz,
        lifted_because text,
        PRIMARY KEY (address_hash, channel),
        CHECK ((lifted_at IS NULL) = (lifted_because IS NULL))
    )
    """,
    "CREATE INDEX IF NOT EXISTS suppressions_since ON notifier.suppressions (since) WHERE lifted_at IS NULL",
    "CREATE INDEX IF NOT EXISTS suppressions_notification ON notifier.suppressions (notification_id)",
    "ALTER TABLE notifier.contacts ADD COLUMN IF NOT EXISTS left_addresses bytea",
    """
    CREATE TABLE IF NOT EXISTS notifier.throttles (
        member_id text NOT NULL,
        notice text NOT NULL,
        channel text NOT NULL,
        role text NOT NULL,
        address_hash bytea NOT NULL,
        until timestamptz NOT NULL,
        day date,
        carrier uuid,
        PRIMARY KEY (member_id, notice, channel, role)
    )
    """,
    "CREATE INDEX IF NOT EXISTS throttles_until ON notifier.throttles (until)",
    """
    ALTER TABLE notifier.interventions DROP CONSTRAINT IF EXISTS interventions_kind_check,
        ADD CONSTRAINT interventions_kind_check CHECK (kind IN ('retry', 'replay', 'reveal', 'lift'))
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)
