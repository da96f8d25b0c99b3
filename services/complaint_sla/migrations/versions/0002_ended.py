"""What ended, by when it last changed: for forgetting it when it is no evidence any more.

Safe beside running services of the version before: an index they do not need, built without keeping a writer.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # A build that was broken off leaves an index that nobody may use.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS complaint_sla.cases_ended")
        op.execute(
            """
            CREATE INDEX CONCURRENTLY cases_ended ON complaint_sla.cases (changed_at)
            WHERE closed_at IS NOT NULL OR received_at IS NULL
            """
        )
