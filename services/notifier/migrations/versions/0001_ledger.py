"""The ledger: events, notifications, attempts, contacts, supersede groups, outbox."""

from alembic import op

revision = "0001"
down_revision = None

EVENTS = """
CREATE TABLE notifier.events (
    day date NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    member_id text NOT NULL,
    time timestamptz NOT NULL,
    content_sha256 bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('planned', 'waiting', 'skipped', 'failed')),
    reason text,
    origin text NOT NULL,
    accepted_at timestamptz NOT NULL,
    waits_until timestamptz,
    payload bytea,
    PRIMARY KEY (day, source, id),
    CHECK ((state = 'waiting') = (payload IS NOT NULL)),
    CHECK ((state = 'waiting') = (waits_until IS NOT NULL))
) PARTITION BY RANGE (day)
"""

NOTIFICATIONS = """
CREATE TABLE notifier.notifications (
    day date NOT NULL,
    id uuid NOT NULL,
    event_source text NOT NULL,
    event_id text NOT NULL,
    event_type text NOT NULL,
    event_time timestamptz NOT NULL,
    member_id text NOT NULL,
    notice text NOT NULL,
    channel text NOT NULL,
    role text NOT NULL,
    lane text NOT NULL,
    brand text NOT NULL,
    locale text NOT NULL,
    address bytea,
    address_hash bytea,
    facts bytea,
    secrets bytea,
    supersede_group text,
    expires_at timestamptz,
    hand_over_by timestamptz,
    state text NOT NULL CHECK (state IN (
        'accepted', 'claimed', 'handing-over', 'retrying', 'unknown',
        'sent', 'delivered', 'bounced', 'failed', 'expired', 'superseded', 'suppressed', 'cancelled')),
    state_at timestamptz NOT NULL,
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    due_at timestamptz,
    accepted_at timestamptz NOT NULL,
    sent_at timestamptz,
    reference text,
    PRIMARY KEY (day, id),
    CHECK ((state IN ('accepted', 'claimed', 'handing-over', 'retrying', 'unknown')) = (due_at IS NOT NULL))
) PARTITION BY RANGE (day)
"""

ATTEMPTS = """
CREATE TABLE notifier.attempts (
    day date NOT NULL,
    notification_id uuid NOT NULL,
    attempt integer NOT NULL,
    lease_token uuid NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    result text,
    reply_code text,
    reason text,
    PRIMARY KEY (day, notification_id, attempt)
) PARTITION BY RANGE (day)
"""

OTHERS = (
    "CREATE INDEX events_waiting ON notifier.events (member_id) WHERE state = 'waiting'",
    "CREATE INDEX events_waiting_until ON notifier.events (waits_until) WHERE state = 'waiting'",
    # What still has contents though it has ended: bounded by the 30 days they live.
    """
    CREATE INDEX notifications_contents ON notifier.notifications (state_at)
    WHERE facts IS NOT NULL AND due_at IS NULL
    """,
    "CREATE INDEX notifications_open ON notifier.notifications (lane, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX notifications_member ON notifier.notifications (member_id, supersede_group)",
    """
    CREATE TABLE notifier.contacts (
        member_id text PRIMARY KEY,
        version bigint NOT NULL,
        time timestamptz NOT NULL,
        data bytea,
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    """
    CREATE TABLE notifier.supersede_groups (
        member_id text NOT NULL,
        supersede_group text NOT NULL,
        newest_time timestamptz NOT NULL,
        newest_id text NOT NULL,
        PRIMARY KEY (member_id, supersede_group)
    )
    """,
    "CREATE INDEX supersede_groups_age ON notifier.supersede_groups (newest_time)",
    """
    CREATE TABLE notifier.outbox (
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

# Made apart and then attached: CREATE … PARTITION OF would lock out every reader and writer of the parent, and wait for
# each of them first.
ENSURE_PARTITIONS = """
CREATE FUNCTION notifier.ensure_partitions(first_day date, last_day date) RETURNS integer LANGUAGE plpgsql
SET lock_timeout = '2s' AS $$
DECLARE
    parent text;
    partition text;
    made integer := 0;
    each_day date := first_day;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('notifier.partitions', 0));
    WHILE each_day <= last_day LOOP
        FOREACH parent IN ARRAY ARRAY['events', 'notifications', 'attempts'] LOOP
            partition := format('%s_%s', parent, to_char(each_day, 'YYYYMMDD'));
            IF to_regclass(format('notifier.%I', partition)) IS NULL THEN
                EXECUTE format('CREATE TABLE notifier.%I (LIKE notifier.%I INCLUDING ALL)', partition, parent);
                EXECUTE format(
                    'ALTER TABLE notifier.%I ATTACH PARTITION notifier.%I FOR VALUES FROM (%L) TO (%L)',
                    parent, partition, each_day, each_day + 1);
                made := made + 1;
            END IF;
        END LOOP;
        each_day := each_day + 1;
    END LOOP;
    RETURN made;
END $$
"""

# Every state that is told to the world is told by the database, in the statement that records it: no code path can
# forget it, and the record and its outcome cannot part.
TELL = """
CREATE FUNCTION notifier.{name}() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = on AS $$
BEGIN
    INSERT INTO notifier.outbox (topic, key, headers, value, encrypted)
    SELECT 'notifications.outcomes.v1', told.member_id,
        jsonb_build_array(
            jsonb_build_array('content-type', 'application/cloudevents+json; charset=UTF-8'),
            jsonb_build_array('ce_id', told.outcome_id), jsonb_build_array('ce_type', told.outcome_type)),
        convert_to(jsonb_build_object(
            'specversion', '1.0', 'source', 'urn:member-notices:notifier',
            'id', told.outcome_id, 'type', told.outcome_type, 'subject', told.member_id, 'time', told.at,
            'datacontenttype', 'application/json',
            'data', jsonb_build_object(
                'cause', jsonb_build_object('source', told.event_source, 'id', told.event_id),
                'notice', told.notice, 'role', told.role, 'channel', told.channel, 'attempt', told.attempts,
                'state', told.state, 'occurred_at', told.at, 'reason', told.reason))::text, 'UTF8'),
        false
    FROM (
        SELECT changed.*, changed.id::text || '/' || changed.attempts || '/' || changed.state AS outcome_id,
            'notifications.' || changed.state || '.v1' AS outcome_type,
            to_char(changed.state_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
        FROM {changed}
        WHERE changed.state IN ('sent', 'delivered', 'bounced', 'failed', 'expired', 'superseded', 'suppressed',
                        'cancelled', 'unknown')
    ) told;
    RETURN NULL;
END $$
"""

TRIGGERS = (
    """
    CREATE TRIGGER tell_inserted AFTER INSERT ON notifier.notifications
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION notifier.tell_inserted()
    """,
    """
    CREATE TRIGGER tell_updated AFTER UPDATE ON notifier.notifications
    REFERENCING OLD TABLE AS before NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION notifier.tell_updated()
    """,
)


def upgrade() -> None:
    moved = (
        "changed JOIN before ON changed.id = before.id AND changed.day = before.day AND changed.state <> before.state"
    )
    tell = (
        TELL.replace("{name}", "tell_inserted").replace("{changed}", "changed"),
        TELL.replace("{name}", "tell_updated").replace("{changed}", moved),
    )
    for statement in (EVENTS, NOTIFICATIONS, ATTEMPTS, *OTHERS, ENSURE_PARTITIONS, *tell, *TRIGGERS):
        op.execute(statement)
    op.execute("SELECT notifier.ensure_partitions(current_date - 130, current_date + 2)")
