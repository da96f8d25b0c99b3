"""What was met, by when: the console counts the last 30 days.

Safe beside running services of the version before: an index they do not need, built without keeping a writer.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # A build that was broken off leaves an index that nobody may use.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS complaint_sla.obligations_met")
        op.execute(
            """
            CREATE INDEX CONCURRENTLY obligations_met ON complaint_sla.obligations (met_at, state)
            WHERE met_at IS NOT NULL
            """
        )
