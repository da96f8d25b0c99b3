"""Complaint deadlines: what is owed, by when, and why then. This is the computing half; nothing here keeps time yet.

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
