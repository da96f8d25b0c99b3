"""Upstream → contract; and what former members are told of their access to the portal, when it is time.

main        the process, put together
intake      HTTP in → 202 only after the broker or the outbox has it
publishers  who may publish what: tokens bound to sources and types
providers/  PURE: what an upstream sends → events of the contract
hand_over   broker or outbox, and the order of a key between them
problems    PURE: refusals that name field, rule and way out, and echo nothing
store       what the intake asks of the database

coverage     members' activity in → timers
access       PURE: how long access lasts, when that is said, which of two events holds
timers       SQL: a row for each member, changed with what is said of it
sweep        the loop that keeps time, behind the watermark
timekeeping  these four, run beside the intake and never in its way
metrics      what both halves count
"""
