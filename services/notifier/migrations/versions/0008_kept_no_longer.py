"""When an address that a member has left is to be gone from the contact; suppressions by when they were lifted.

Safe beside running services of the version before: a column without a default that they neither read nor write, and
indexes built CONCURRENTLY over the few contacts that have left an address, and the few suppressions lifted. What they
write meanwhile has no date, or the one of what it replaces, which is earlier: whoever knows the column looks into such
a contact, and dates it.
"""

from alembic import op

from services.runtime.migrations import index_table

revision = "0008"
down_revision = "0007"

DUE = "(coalesce(left_until, '-infinity'::timestamptz)) WHERE left_addresses IS NOT NULL"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE notifier.contacts ADD COLUMN IF NOT EXISTS left_until timestamptz")
    index_table("notifier", "contacts", "contacts_left", DUE)
    index_table("notifier", "suppressions", "suppressions_lifted", "(lifted_at) WHERE lifted_at IS NOT NULL")
