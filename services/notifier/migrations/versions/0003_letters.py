"""Letters of a complaint: what outranks and cancels them, when they may go, and what was written, for six years.

Safe beside running services of the version before: columns without a default that it neither reads nor needs, and
tables it does not know. The columns take the table's lock for a moment, so they wait for it a second at a time and let
everybody else pass in between: a writer is never kept longer than that.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = """
DO $$
BEGIN
    SET LOCAL lock_timeout = '1s';
    FOR attempt IN 1..120 LOOP
        BEGIN
            ALTER TABLE notifier.notifications
                ADD COLUMN IF NOT EXISTS cancelled_from smallint,
                ADD COLUMN IF NOT EXISTS not_before timestamptz,
                ADD COLUMN IF NOT EXISTS limit_at timestamptz;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.5);
        END;
    END LOOP;
    RAISE EXCEPTION 'notifier.notifications was never free for a moment; run the migration again'
        USING ERRCODE = 'lock_not_available';
END $$
"""

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS notifier.letter_ranks (
        complaint text NOT NULL,
        rank smallint NOT NULL,
        newest_time timestamptz NOT NULL,
        PRIMARY KEY (complaint, rank)
    )
    """,
    "CREATE INDEX IF NOT EXISTS letter_ranks_age ON notifier.letter_ranks (newest_time)",
    """
    CREATE TABLE IF NOT EXISTS notifier.cancelled_letters (
        complaint text NOT NULL,
        source text NOT NULL,
        id text NOT NULL,
        reason text NOT NULL,
        time timestamptz NOT NULL,
        PRIMARY KEY (complaint, source, id)
    )
    """,
    "CREATE INDEX IF NOT EXISTS cancelled_letters_age ON notifier.cancelled_letters (time)",
    """
    CREATE TABLE IF NOT EXISTS notifier.letters (
        id uuid NOT NULL,
        again boolean NOT NULL,
        complaint text NOT NULL,
        notice text NOT NULL,
        composed_at timestamptz NOT NULL,
        sha256 bytea NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (id, again)
    )
    """,
    # Ciphertext does not compress.
    "ALTER TABLE notifier.letters ALTER COLUMN body SET STORAGE EXTERNAL",
    "CREATE INDEX IF NOT EXISTS letters_complaint ON notifier.letters (complaint)",
    "CREATE INDEX IF NOT EXISTS letters_age ON notifier.letters (composed_at)",
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for statement in (COLUMNS, *TABLES):
            op.execute(statement)
