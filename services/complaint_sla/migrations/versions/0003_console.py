"""What the console may see of complaints: views without the sealed case and evidence, and the role that reads them.

Safe beside running services of the version before: a view takes nothing from who writes.
"""

from alembic import op

from services.runtime.migrations import console_grants, console_role

revision = "0003"
down_revision = "0002"

VIEWS = {
    "console_cases": """
        SELECT complaint_id, licence, brand, received_at, closed_at, how, next_at, unregistered, unconfirmed,
               rules_version, calendar_version, stuck_at, changed_at
        FROM complaint_sla.cases
    """,
    "console_obligations": """
        SELECT complaint_id, obligation, licence, limit_at, send_by, state, met_at, detected_at, source
        FROM complaint_sla.obligations
    """,
    "console_heard": "SELECT complaint_id, source, id, number, type, time, accepted_at FROM complaint_sla.heard",
    "console_said": "SELECT complaint_id, id, number, type, at FROM complaint_sla.said",
    "console_progress": "SELECT topic, partition, through, written_at FROM complaint_sla.progress",
}


def upgrade() -> None:
    for name, query in VIEWS.items():
        op.execute(f"CREATE OR REPLACE VIEW complaint_sla.{name} AS {query}")
    op.execute(console_role())
    op.execute(console_grants("complaint_sla", VIEWS))
