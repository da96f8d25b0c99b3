"""Complaint deadlines: lifecycle events in, letters due and deadlines kept or missed out; each explains itself.

main            the process, put together
ingest          events and outcomes → cases, each once
watermark       through which instant the story is known; nothing is decided beyond it
sweep           the loop: cases whose instant has come, a batch and a transaction at a time
engine          PURE: case + cause → case + what is told (happened, instants, working; letters, case)
cases           the only SQL that writes;  reading: for people and metrics

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
