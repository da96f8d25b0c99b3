"""A canary code through the real path, every minute: what a member would have waited.

It is sent as upstreams send, by auth-events or onto the topic, to a member who is nobody. It disturbs no number of
members: the notifier measures what goes to `PROBE_MEMBER` under the lane `canary`, and counts it among nothing open.

settings  who it is written to, and by which door it goes in
canary    PURE: the code event and the contact; what an outcome says of it
doors     auth-events or Kafka: how an event goes in
watch     its outcome, on the one partition it will be on
main      one canary after the other; the process, and `--once`
metrics   how long it took, when it last went well, and why it did not
"""
