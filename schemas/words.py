"""Reason codes, results and states of outcomes in words, for who is asked "did she get it?". PURE."""

from collections.abc import Mapping

_OF_REASON = {
    "late": "its hand-over limit had passed before a first attempt",
    "late-after-attempts": "its hand-over limit passed while it was being retried",
    "newer": "a newer message of the same purpose was accepted for the member",
    "not-live": "DELIVERY_MODE=allow-list, and the address is not on ALLOW_LIST",
    "switched-off": "the member's preferences switch off what is not about security",
    "address-bounced": "mail to its address came back for good; it is lifted when the member changes or confirms it",
    "opted-out": "its phone answered STOP; it is lifted when the member changes or confirms the phone",
    "throttled": "one like it went to the member minutes ago; it goes soon, and lists what comes until then",
    "in-summary": "another message of its kind lists it; what becomes of that one becomes of it",
    "forgotten": "the member's contact was forgotten (tombstone)",
    "no-contact": "no contact of the member came before its time was over",
    "phone-not-registered": "the event names a phone that is not one of the contact's",
    "cannot-compose": "template and facts do not make a message; the log says cannot_compose and why",
    "lost-lease": "the process that held it ended or hung in mid-hand-over",
    "lease-short": "too little of its lease was left to begin, so it was given back unsent",
    "reopened": "somebody re-opened it by hand",
    "defect": "the channel broke in our own code; the log says channel_defect",
    "higher-letter": "a letter of its complaint that ranks higher and is not older took its place",
    "withdrawn": "the complaint was withdrawn",
    "waits-its-turn": "another letter of its complaint was being handed over, or its time had not come",
    "no-address": "the complainant has no e-mail address",
    "no-handler": "the complaint has no handler, and COMPLAINTS_TEAM_MAILBOX is not set",
    "cancels-a-letter": "it cancels a letter, and is none itself",
    "no-notice": "the catalogue has no notice for this type",
    "not-for-brand": "no notice of this type is for the member's brand",
    "brand-unknown": "the member's brand has no folder here",
    "link-not-allowed": "its link is not on one of the brand's domains",
    "unreadable": "its stored contents could not be read",
}
_OF_PROVIDER = {
    "time-out": "did not answer in time",
    "tls": "did not agree on TLS; check SMTP_TLS and the certificate",
    "disconnected": "cut the connection before it had the message",
    "unreadable": "gave an answer that is not of its protocol",
    "not-offered": "does not offer STARTTLS or AUTH; check SMTP_TLS and SMTP_PORT",
    "unreachable": "could not be reached",
    "broken-off": "broke off while it had the message",
}
_OF_REPORT = {
    "5.1.1": "there is no such mailbox",
    "5.1.2": "there is no such domain",
    "5.1.10": "the domain takes no mail",
    "5.2.1": "the mailbox takes no mail",
    "5.2.2": "the mailbox is full",
    "5.7.1": "it was refused by policy",
    "4.4.7": "it could not be delivered in time",
}
"""Enhanced status codes (RFC 3463) of delivery reports; the code stands beside the words."""
_PROVIDERS = {"smtp": "the mail relay", "twilio": "Twilio", "broker": "the broker"}
_OF_RESULT = {
    None: "it has not ended",
    "sent": "the provider took responsibility",
    "lost-lease": "nobody recorded its end before the lease was over",
    "given-back": "it was not begun",
}
OF_STATE: Mapping[str, str] = {
    "accepted": "Accepted; it waits for a worker of its lane.",
    "claimed": "A worker has it and is about to hand it over.",
    "handing-over": "It is being handed over now.",
    "retrying": "Not sent yet; it goes again by itself.",
    "unknown": "Handed over, but nobody knows whether it arrived; it goes again by itself while it is still valid.",
    "sent": "Sent: the provider took responsibility for it.",
    "delivered": "Delivered, as the provider says.",
    "bounced": "Bounced: it was sent, and came back.",
    "failed": "Not sent, and it will not be by itself.",
    "expired": "Not sent: it was too late.",
    "superseded": "Not sent: a newer one took its place.",
    "suppressed": "Not sent, on purpose.",
    "cancelled": "Cancelled: it is not to leave any more.",
}
OF_EVENT_STATE: Mapping[str, str] = {
    "planned": "Accepted and planned.",
    "waiting": "Accepted; it waits for the member's contact.",
    "skipped": "Accepted; it causes no message.",
    "failed": "Accepted, and ended without a message.",
}


def because(reason: str | None) -> str | None:
    """A reason code in words; the code itself where we have none."""
    if reason is None:
        return None
    if reason in _OF_REASON:
        return _OF_REASON[reason]
    provider, colon, code = reason.partition(":")
    if provider == "dsn" and code:
        return f"the delivery report says {code}{f', {_OF_REPORT[code]}' if code in _OF_REPORT else ''}"
    name = _PROVIDERS.get(provider)
    if not colon or name is None:
        return reason
    before, _, after_data = code.partition("-after-data")
    if code.endswith("-after-data") and not after_data:
        return f"{name} had the message when the connection broke or went silent ({before}), so it may have arrived"
    return f"{name} {_OF_PROVIDER[code]}" if code in _OF_PROVIDER else f"{name} answered {code}"


def of_result(result: str | None, reason: str | None) -> str:
    """Why an attempt came to this result."""
    if result in {"lost-lease", "given-back"} or reason is None:
        return _OF_RESULT.get(result, str(result))
    said = because(reason) or ""
    if result == "failed":
        return f"{said}, a no for good"
    return f"{said}, a no for now" if result == "retry" else said
