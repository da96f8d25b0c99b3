"""The statements that fill a ledger and complaints (`console_fill`), with rows as the services write them."""

SLOTS = 1000
KINDS = """
CREATE TABLE bench.kinds (slot integer PRIMARY KEY, notice text, type text, lane text, brand text, channel text,
    role text, letter boolean)
"""
STATES = """
CASE WHEN n.open THEN
         CASE WHEN k.lane = 'letters' THEN 'unknown' WHEN k.lane = 'general' THEN 'accepted'
              WHEN n.roll % 3 = 0 THEN 'handing-over' WHEN n.roll % 3 = 1 THEN 'claimed' ELSE 'retrying' END
     WHEN n.roll < 10 THEN 'bounced' WHEN n.roll < 22 THEN 'failed' WHEN n.roll < 30 THEN 'expired'
     WHEN n.roll < 48 THEN 'suppressed' WHEN n.roll < 120 AND k.lane = 'codes' THEN 'superseded'
     WHEN n.roll < 120 AND k.letter THEN 'cancelled' WHEN k.channel = 'sms' THEN 'delivered' ELSE 'sent' END
"""
"""`roll`: 0 to 999, of each row its own."""
REASONS = """
CASE s.state WHEN 'bounced' THEN 'dsn:5.1.1' WHEN 'failed' THEN 'smtp:550' WHEN 'expired' THEN 'late'
    WHEN 'suppressed' THEN 'address-bounced' WHEN 'superseded' THEN 'newer' WHEN 'cancelled' THEN 'higher-letter'
    WHEN 'retrying' THEN 'smtp:421' WHEN 'unknown' THEN 'smtp:time-out-after-data' END
"""
# What is open: of the last three minutes, general notices of the last ten hours (a campaign behind a slow relay), and
# one in 5,000 of the last three days. Every fifth row is the second message of the event before it.
NOTIFICATIONS = f"""
INSERT INTO notifier.notifications_{{day}} (day, id, event_source, event_id, event_type, event_time, member_id, notice,
    channel, role, lane, brand, locale, address, address_hash, facts, secrets, supersede_group, expires_at,
    hand_over_by, state, state_at, reason, attempts, lease_token, due_at, accepted_at, sent_at, reference,
    cancelled_from, limit_at)
SELECT $1::date, gen_random_uuid(), 'urn:example:' || split_part(k.type, '.', 1) || '-' || n.hash % 2, n.event,
    k.type, n.at,
    s.member, k.notice, k.channel, CASE WHEN n.second THEN 'communication' ELSE k.role END, k.lane, k.brand,
    (ARRAY['en', 'fr', 'nl', 'de'])[1 + n.hash % 4], $7::bytea,
    CASE WHEN $7 IS NOT NULL THEN sha256(s.member::bytea) END,
    $8::bytea, CASE WHEN n.open AND k.lane = 'codes' THEN $7 END, CASE WHEN k.lane = 'codes' THEN k.notice END,
    CASE WHEN k.lane = 'codes' THEN n.at + interval '15 minutes' END,
    n.at + CASE k.lane WHEN 'codes' THEN interval '14 minutes' ELSE interval '3 days' END,
    s.state, least($4, n.at + n.took + CASE s.state WHEN 'bounced' THEN interval '4 hours' ELSE interval '0' END),
    {REASONS}, s.tried, CASE WHEN s.state IN ('claimed', 'handing-over') THEN gen_random_uuid() END,
    CASE WHEN n.open THEN $4 + interval '1 minute' END, n.at + interval '40 ms',
    CASE WHEN s.state IN ('sent', 'delivered', 'bounced') THEN n.at + n.took END,
    CASE WHEN s.tried > 0 THEN '<' || n.event || '@mail.example.test>' END,
    CASE WHEN k.letter THEN 3 END, CASE WHEN k.letter THEN n.at + interval '5 days' END
FROM (
    SELECT *, md5('event ' || e)::uuid::text AS event, hashint8extended(e, 7) & 9223372036854775807 AS hash,
        (hashint8extended(i, 8) & 9223372036854775807) % 1000 AS roll,
        CASE WHEN i % 97 = 0 THEN interval '95 s' ELSE (100 + i % 900) * interval '1 ms' END AS took
    FROM (
        SELECT i, e, i <> e AS second,
            $1::date::timestamp AT TIME ZONE 'UTC' + interval '1 day' * (u + 0.08 * sin(2 * pi() * u)) AS at
        FROM generate_series($2::bigint, $2 + $3::bigint - 1) AS i,
            LATERAL (SELECT i - (i % 5 = 4)::integer AS e) AS number,
            LATERAL (SELECT (e - $2 + 0.5)::float8 / $3::float8 AS u) AS share) AS timed
    WHERE at < $4::timestamptz) AS raw,
    LATERAL (SELECT raw.hash % {SLOTS} AS slot) AS slot
JOIN bench.kinds k USING (slot),
    LATERAL (SELECT raw.*, raw.at > $4 - interval '3 minutes'
        OR (k.lane = 'general' AND raw.at > $4 - interval '10 hours')
        OR (raw.hash % 5000 = 1 AND raw.at > $4 - interval '3 days') AS open) AS n,
    LATERAL (SELECT ({STATES}) AS state) AS stated,
    LATERAL (SELECT stated.state, CASE WHEN k.letter THEN 'c-' || (n.hash >> 20) % $6::bigint
            WHEN n.hash % 2003 = 0 THEN 'm-heavy'
            ELSE 'm-' || lpad(((n.hash >> 20) % $5::bigint)::text, 9, '0') END AS member,
        CASE WHEN stated.state IN ('accepted', 'claimed', 'expired', 'suppressed', 'superseded', 'cancelled') THEN 0
             WHEN n.roll % 40 = 0 THEN 2 ELSE 1 END AS tried) AS s
"""  # noqa: S608 (constants of this module; a day)
EVENTS = """
INSERT INTO notifier.events_{day} (day, source, id, type, member_id, time, content_sha256, state, origin, accepted_at)
SELECT day, event_source, event_id, event_type, member_id, event_time, sha256(event_id::bytea), 'planned',
    'identity.security.v1/3/' || (hashtext(event_id) & 1073741823), accepted_at
FROM notifier.notifications_{day} WHERE role <> 'communication'
"""
# Waiting for a contact: of the last three days only.
UNPLANNED = """
INSERT INTO notifier.events_{day} (day, source, id, type, member_id, time, content_sha256, state, reason, origin,
    accepted_at, waits_until, payload)
SELECT $1::date, 'urn:example:members-0', 'u-' || i, 'members.activity-seen.v1',
    'm-' || lpad((i % $4::bigint)::text, 9, '0'), at,
    sha256(i::text::bytea), state, CASE state WHEN 'skipped' THEN 'no-notice' WHEN 'failed' THEN 'no-contact' END,
    'members.activity.v1/1/' || i, at, CASE state WHEN 'waiting' THEN at + interval '3 days' END,
    CASE state WHEN 'waiting' THEN $5::bytea END
FROM generate_series($2::bigint, $2 + $3::bigint - 1) AS i,
    LATERAL (SELECT $1::date::timestamp AT TIME ZONE 'UTC'
        + (i - $2) * interval '1 day' / greatest($3, 1) AS at) AS timed,
    LATERAL (SELECT CASE WHEN (i - $2) % 400 = 3 THEN 'failed'
        WHEN (i - $2) % 8 = 1 AND $6 - at < interval '3 days' THEN 'waiting' ELSE 'skipped' END AS state) AS stated
WHERE at < $6::timestamptz
"""
ATTEMPTS = """
INSERT INTO notifier.attempts_{day} (day, notification_id, attempt, lease_token, started_at, ended_at, result,
    reply_code, reason)
SELECT day, id, number, id, event_time + number * interval '50 ms',
    CASE WHEN state <> 'handing-over' THEN state_at END,
    CASE WHEN state = 'handing-over' THEN NULL WHEN number < attempts OR state = 'retrying' THEN 'retry'
         WHEN state IN ('failed', 'unknown') THEN state ELSE 'sent' END,
    CASE WHEN state IN ('sent', 'delivered', 'bounced') AND number = attempts THEN '250' ELSE '421' END,
    CASE WHEN number < attempts THEN 'smtp:421' ELSE reason END
FROM notifier.notifications_{day}, generate_series(1, attempts) AS number
"""
BESIDE = (
    """
    INSERT INTO notifier.suppressions (address_hash, channel, reason, notification_id, since, lifted_at, lifted_because)
    SELECT sha256(i::text::bytea), CASE i % 4 WHEN 0 THEN 'sms' ELSE 'email' END,
        CASE i % 4 WHEN 0 THEN 'opted-out' ELSE 'address-bounced' END, gen_random_uuid(),
        $2::timestamptz - i * interval '300 s', CASE i % 5 WHEN 0 THEN $2 END, CASE i % 5 WHEN 0 THEN 'address' END
    FROM generate_series(1, $1::integer / 300) AS i
    """,
    """
    INSERT INTO notifier.interventions (at, kind, subject, who, why)
    SELECT $2::timestamptz - i * interval '1 hour', 'retry', gen_random_uuid(), 'desk', 'asked for'
    FROM generate_series(1, 1 + $1::integer / 10000) AS i
    """,
    """
    INSERT INTO notifier.outbox (topic, key, headers, value, encrypted, written_at)
    SELECT 'notifications.outcomes.v1', 'm-' || i, '[]', '{}', false, $2::timestamptz - interval '1 s'
    FROM generate_series(1, 1 + $1::integer / 10000) AS i
    """,
)
"""The size of the ledger, and now."""


# --- complaints: the oldest three years ago, those of the last eight weeks open ---------------------------------------

CASES = """
INSERT INTO complaint_sla.cases (complaint_id, state, revision, licence, brand, received_at, closed_at, how, next_at,
    unregistered, unconfirmed, rules_version, calendar_version, stuck_at, changed_at)
SELECT 'c-' || i, $5::bytea, 6, (ARRAY['uk', 'belgium', 'jersey', 'guernsey'])[1 + i % 4], 'cigna-healthcare', received,
    closed, CASE WHEN closed IS NOT NULL THEN 'final-response' END,
    CASE WHEN closed IS NULL THEN $4 + i % 1700000 * interval '1 s' END, closed IS NULL AND i % 400 = 0,
    CASE WHEN closed IS NULL AND i % 150 = 1 THEN 1 ELSE 0 END, '2026-11-22', '2026-11-22',
    CASE WHEN closed IS NULL AND i % 9000 = 3 THEN $4::timestamptz END, coalesce(closed, received)
FROM generate_series($1::integer, $2::integer - 1) AS i,
    LATERAL (SELECT $4::timestamptz - interval '1095 days' * (1 - i::float8 / $3) AS received) AS begun,
    LATERAL (SELECT CASE WHEN i % 900 <> 5 AND ($4 - received > interval '56 days' OR i % 4 = 0)
        THEN least($4, received + (3 + i % 52) * interval '1 day') END AS closed) AS ended
"""
OBLIGATIONS = """
INSERT INTO complaint_sla.obligations (complaint_id, obligation, licence, limit_at, send_by, state, met_at, detected_at,
    source)
SELECT complaint_id, obligation, licence, limit_at, (limit_at - interval '1 day')::date, owed,
    CASE WHEN owed IN ('met', 'met-not-delivered') THEN least($3, limit_at - days * interval '5 hours') END,
    CASE WHEN owed = 'missed' THEN limit_at + interval '1 minute' END, 'DISP 1.6.2 R'
FROM complaint_sla.cases c
CROSS JOIN (VALUES ('acknowledgement', 7, 1), ('decision-or-holding', 28, 2), ('final-response', 56, 3)) AS o
    (obligation, days, number),
    LATERAL (SELECT received_at + days * interval '1 day' AS limit_at,
        (hashtextextended(complaint_id, number) & 9223372036854775807) % 1000 AS roll) AS due,
    LATERAL (SELECT CASE WHEN closed_at IS NULL AND limit_at > $3 THEN CASE WHEN roll < 80 THEN 'held' ELSE 'open' END
        WHEN roll < 5 THEN 'missed' WHEN roll < 9 THEN 'met-not-delivered'
        WHEN closed_at < received_at + (days - 14) * interval '1 day' THEN 'lapsed'
        WHEN roll < 30 THEN 'cancelled' ELSE 'met' END AS owed) AS stated
WHERE complaint_id = ANY (SELECT 'c-' || i FROM generate_series($1::integer, $2::integer - 1) AS i)
"""
HEARD = """
INSERT INTO complaint_sla.heard (complaint_id, source, id, type, time, content_sha256, origin, accepted_at, payload)
SELECT 'c-' || i, 'urn:example:complaint-desk', 'd-' || i || '-' || number,
    (ARRAY['complaints.received.v1', 'complaints.decided.v1'])[number], at, sha256('seen'),
    'complaints.lifecycle.v1/1/' || i, at, $3
FROM generate_series($1::integer, $2::integer - 1) AS i, generate_series(1, 2) AS number,
    LATERAL (SELECT timestamptz '2024-01-01Z' + i * interval '95 s' AS at) AS timed
"""
SAID = """
INSERT INTO complaint_sla.said (complaint_id, id, type, at, payload)
SELECT 'c-' || i, md5(i || '-' || number), 'complaints.letter-due.v1',
    timestamptz '2024-01-01Z' + i * interval '95 s', $3
FROM generate_series($1::integer, $2::integer - 1) AS i, generate_series(1, 3) AS number
"""
PROGRESS = """
INSERT INTO complaint_sla.progress (topic, partition, through)
SELECT topic, number, $1::timestamptz - interval '2 s'
FROM unnest(ARRAY['complaints.lifecycle.v1', 'notifications.outcomes.v1']) AS topic, generate_series(0, 11) AS number
"""
