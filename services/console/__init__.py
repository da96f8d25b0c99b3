"""The console: what is open, what went wrong and why, for people on call and at the desk. It changes nothing.

    gate.py           who may look, which methods, the headers of every answer
    metrics.py        what was asked for, how it was answered, how long it took
    site.py           routes → questions → pages; what a question that failed looks like
    views.py          the connection, as a role that can read the services' views only
    overview.py       PURE: is the promise kept, and since when: from figures.py and breaches.py
    notifications.py  what was sent and what was not: search, list, one
    searching.py      PURE: what is looked for → the SQL that an index answers
    interventions.py  what people did by hand, with who and why
    complaints.py     what is due, what was missed, one complaint
    timeline.py       PURE: a complaint's deadlines on one line of time
    broker.py         end offsets, groups, last records, dead letters, without a group of its own
    standstill.py     PURE: which group has records to read and reads none
    redacted.py       PURE: a record as it may be shown, and what people wrote
    gallery.py        every notice as it is sent, from the folder that the notifier wrote
    pages.py          templates (pages/*.html) → HTML

It imports no other service and reads no table of one: each service owns views for it (`console_…`) and migrates them.
"""
