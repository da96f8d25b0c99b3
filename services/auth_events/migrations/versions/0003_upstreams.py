"""What providers send: what was taken, whose it is, what waits for its member, and the browsers members sign on from.

Safe beside running services of the version before: only tables it does not know.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    # `identity` here and below: SHA-256 of issuer and subject.
    """
    CREATE TABLE IF NOT EXISTS auth_events.taken (
        source text NOT NULL,
        event_id text NOT NULL,
        identity bytea NOT NULL,
        twin_group text,
        twin_kind text,
        at timestamptz NOT NULL,
        paired boolean NOT NULL DEFAULT false,
        taken_at timestamptz NOT NULL,
        PRIMARY KEY (source, event_id)
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS taken_twin ON auth_events.taken (identity, twin_group, at)
        WHERE twin_group IS NOT NULL AND NOT paired
    """,
    "CREATE INDEX IF NOT EXISTS taken_at ON auth_events.taken (taken_at)",
    """
    CREATE TABLE IF NOT EXISTS auth_events.members (
        member_id text PRIMARY KEY,
        version bigint NOT NULL,
        time timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS auth_events.identities (
        identity bytea PRIMARY KEY,
        member_id text NOT NULL,
        time timestamptz NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS identities_member ON auth_events.identities (member_id)",
    # A row that ended keeps no payload: it says what was not told, until it is forgotten.
    """
    CREATE TABLE IF NOT EXISTS auth_events.waiting (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        identity bytea NOT NULL,
        source text NOT NULL,
        event_id text NOT NULL,
        type text NOT NULL,
        payload bytea,
        waits_until timestamptz NOT NULL,
        ended_at timestamptz,
        CONSTRAINT waits_with_payload CHECK ((payload IS NULL) = (ended_at IS NOT NULL))
    )
    """,
    "CREATE INDEX IF NOT EXISTS waiting_identity ON auth_events.waiting (identity) WHERE ended_at IS NULL",
    "CREATE INDEX IF NOT EXISTS waiting_until ON auth_events.waiting (waits_until) WHERE ended_at IS NULL",
    "CREATE INDEX IF NOT EXISTS waiting_ended ON auth_events.waiting (ended_at) WHERE ended_at IS NOT NULL",
    # One row a member who ever signed on: whoever looks at the member's browsers locks it.
    """
    CREATE TABLE IF NOT EXISTS auth_events.sign_ons (
        member_id text PRIMARY KEY,
        first_at timestamptz
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS auth_events.browsers (
        member_id text NOT NULL,
        browser bytea NOT NULL,
        last_seen_at timestamptz NOT NULL,
        PRIMARY KEY (member_id, browser)
    )
    """,
    "CREATE INDEX IF NOT EXISTS browsers_seen ON auth_events.browsers (last_seen_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
