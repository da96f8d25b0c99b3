"""Contract events in, messages out: each accepted once, sent in its lane, accounted for.

main          composes one process from the parts below; startup says what must be right before it
accept        a batch of records → plans → the ledger in one transaction → dead letters → offsets
plan          event + contact + now → notifications, or why there are none (catalogue, recipients, facts, brands)
ledger/       events, notifications, attempts, contacts: the only SQL
lanes         codes > security > letters > general: a queue, workers and a claimer for each
deliver       a chunk: compose → hand over → send → record; retry decides what a failure means
compose       template + facts → subject, HTML, text, SMS, files (enclosures); mime makes bytes of them
channels/     SMTP and Twilio: `Sent`, or a `ChannelError` that says what it means for us
housekeeping  ends what waited in vain, keeps partitions, watches the clock, measures the promise

Beside the flow, for people: `service_desk` answers "did she get it?" over HTTP, `why` tells a story in ten lines,
`reopening` says what may be sent again, `bounces` reads delivery reports, `dead_letter_box` lists, shows and replays
what was not accepted, `send_test_command` tries a channel out past the ledger.
"""
