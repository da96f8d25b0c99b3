"""Complaint deadlines: what is owed, by when, and why then; letters due, deadlines kept or missed.

ingest.py        what the desk and the notifier say, each event once → engine
sweep.py         instants that have come, behind the watermark → engine
engine.py        PURE: case + cause → case + events;  happened.py: an event;  instants.py: a sweep;  working.py: both
case.py          PURE: all that is known of a complaint;  letters.py: what a letter's event carries
cases.py         SQL: case, evidence and outbox in one transaction;  reading.py: for people and metrics
service_desk.py  why_command.py    one complaint for people: timeline.py, picture.py on axis.py, why.py, in words.py

data/            licences, rules and calendar versions, overrides: TOML, reviewed by people
tables.py        reads a data file, or refuses it by file, field and rule
zones.py         time zones from the pinned wheel, not the machine's
calendars.py     business days per jurisdiction, versioned
licences.py  rules.py      what each licence is and owes;  rulebook.py: all of it, complete and consistent
procedure.py     PURE: receipt + rulebook → deadlines
explain.py       PURE: deadline → the sentence that says how it was counted
deadlines_command.py  ics.py    `member-notices deadlines`: as a page, JSON, or a calendar file
seed.py          makes a calendar version;  calendar_changes.py says what that would move
"""
