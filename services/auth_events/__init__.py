"""Upstream → contract; and what members are told without an upstream that says it.

main        the process, put together

intake      HTTP in → 202 only after the broker or the outbox has it
entries     a TOML file, read or refused; of publishers and of providers
publishers  who may publish what: tokens bound to sources and types
hand_over   broker or outbox, and the order of a key between them
problems    PURE: refusals that name field, rule and way out, and echo nothing
body        what is read of a request, at most
records     an event as the record of its topic, and back

hooks       what identity providers call → taken, in one transaction
providers/  PURE: what an upstream sends → signals, or ignored for a reason; CloudEvents → events
upstreams   which providers there are, and what proves it
trust, sets, jwks   signatures and header values; security event tokens (PURE); the keys of a transmitter
whose       provider's subject → member, once; what waits for its contact
identities  SQL: who is who at which provider
contacts    members' contacts in → identities
sign_ons    sign-ons in → is this browser new to its member?
browser     PURE: by what a browser is known again, and what it is called
reception   what the hooks need of the process
listening   these, run beside the intake and never in its way

coverage     members' activity in → timers
access       PURE: how long access lasts, when that is said, which of two events holds
timers       SQL: a row for each member, changed with what is said of it
sweep        the loop that keeps time, behind the watermark
timekeeping  these four, run beside the intake and never in its way

follow       one subscription: what fails is begun again after a pause
metrics      what all of them count
"""
