"""Upstream → contract.

main        the process, put together
intake      HTTP in → 202 only after the broker or the outbox has it
publishers  who may publish what: tokens bound to sources and types
providers/  PURE: what an upstream sends → events of the contract
hand_over   broker or outbox, and the order of a key between them
problems    PURE: refusals that name field, rule and way out, and echo nothing
store       the only SQL
"""
