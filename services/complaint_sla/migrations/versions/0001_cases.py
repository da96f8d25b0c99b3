"""Cases, what they are owed, what was heard and said of them, how far the topics are read, outbox."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    # `state` is the whole case, encrypted; the other columns are what is searched for.
    """
    CREATE TABLE complaint_sla.cases (
        complaint_id text PRIMARY KEY,
        state bytea NOT NULL,
        revision integer NOT NULL,
        licence text,
        brand text,
        received_at timestamptz,
        closed_at timestamptz,
        how text,
        next_at timestamptz,
        unregistered boolean NOT NULL DEFAULT false,
        unconfirmed integer NOT NULL DEFAULT 0,
        rules_version text,
        calendar_version text,
        stuck_at timestamptz,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX cases_next ON complaint_sla.cases (next_at) WHERE next_at IS NOT NULL",
    """
    CREATE INDEX cases_trouble ON complaint_sla.cases (complaint_id)
    WHERE unregistered OR unconfirmed > 0 OR stuck_at IS NOT NULL
    """,
    """
    CREATE INDEX cases_computed ON complaint_sla.cases (rules_version, calendar_version, complaint_id)
    WHERE closed_at IS NULL AND received_at IS NOT NULL
    """,
    """
    CREATE TABLE complaint_sla.obligations (
        complaint_id text NOT NULL,
        obligation text NOT NULL,
        licence text NOT NULL,
        limit_at timestamptz NOT NULL,
        send_by date NOT NULL,
        state text NOT NULL
            CHECK (state IN ('open', 'held', 'met', 'met-not-delivered', 'missed', 'lapsed', 'cancelled')),
        met_at timestamptz,
        detected_at timestamptz,
        source text NOT NULL,
        PRIMARY KEY (complaint_id, obligation)
    )
    """,
    "CREATE INDEX obligations_due ON complaint_sla.obligations (limit_at) WHERE state IN ('open', 'held')",
    "CREATE INDEX obligations_missed ON complaint_sla.obligations (detected_at) WHERE state = 'missed'",
    # Evidence, kept as long as the case: what was heard, once each, in the order in which it was accepted.
    """
    CREATE TABLE complaint_sla.heard (
        complaint_id text NOT NULL,
        source text NOT NULL,
        id text NOT NULL,
        number bigint GENERATED ALWAYS AS IDENTITY,
        type text NOT NULL,
        time timestamptz NOT NULL,
        content_sha256 bytea NOT NULL,
        origin text NOT NULL,
        accepted_at timestamptz NOT NULL,
        payload bytea NOT NULL,
        PRIMARY KEY (complaint_id, source, id)
    )
    """,
    # What was said: the primary key is why nothing is ever said twice under one id.
    """
    CREATE TABLE complaint_sla.said (
        complaint_id text NOT NULL,
        id text PRIMARY KEY,
        number bigint GENERATED ALWAYS AS IDENTITY,
        type text NOT NULL,
        at timestamptz NOT NULL,
        payload bytea NOT NULL
    )
    """,
    "CREATE INDEX said_complaint ON complaint_sla.said (complaint_id)",
    """
    CREATE TABLE complaint_sla.progress (
        topic text NOT NULL,
        partition integer NOT NULL,
        through timestamptz NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (topic, partition)
    )
    """,
    """
    CREATE TABLE complaint_sla.outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL,
        key text,
        headers jsonb NOT NULL,
        value bytea,
        encrypted boolean NOT NULL,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
