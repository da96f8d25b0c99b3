CREATE TABLE members (
    id text PRIMARY KEY,
    name text,
    email text NOT NULL,
    language text NOT NULL,
    time_zone text NOT NULL
);

CREATE TABLE mails (
    source text NOT NULL,
    event_id text NOT NULL,
    member_id text NOT NULL REFERENCES members (id),
    type text NOT NULL,
    recipient text NOT NULL,
    language text NOT NULL,
    status text NOT NULL DEFAULT 'accepted',
    accepted_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    PRIMARY KEY (source, event_id)
);
