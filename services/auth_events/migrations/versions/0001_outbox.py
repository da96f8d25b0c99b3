"""The outbox: what was answered 202 before the broker had it."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE auth_events.outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            topic text NOT NULL,
            key text,
            headers jsonb NOT NULL,
            value bytea,
            encrypted boolean NOT NULL,
            written_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    # Asked on every request: does an earlier event of this key still wait?
    op.execute("CREATE INDEX outbox_key ON auth_events.outbox (key)")
