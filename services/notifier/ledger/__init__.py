"""The only SQL of the notifier: what was accepted, what is owed, what became of it.

    rows.py       a notification as the lanes see it, and its sealed columns
    accepting.py  events and their notifications, planned once
    contacts.py   contacts, and the addresses that were left (known.py: as planning sees them)
    waiting.py    events that waited for a contact
    forgetting.py what goes with a tombstone
    inserting.py  notifications, leased at once where there is room; what they supersede
    sending.py    claim → hand over → record; the lease token on every write
    handing_over.py  the mark before the first byte, and what becomes of those who may not go (verdicts.py: why)
    letters.py    a complaint's letters: ranks, cancellations, turns, and what was written, kept for six years
    receipts.py   what became of it after it was sent
    upkeep.py     partitions by the day of the event, the end of waiting, contents that have lived long enough
    stories.py    reading for people: by member, event or notification, masked
    interventions.py  what people do by hand, with who and why

Open states (`due_at` is set): accepted, claimed, handing-over, retrying, unknown. `due_at` is on the database's
clock and says when somebody may next take the row: for a leased one the end of the lease, for one that is retried its
time. All other instants are on the process's clock, handed in as `now`.
"""
