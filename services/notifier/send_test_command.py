"""`member-notices send-test`: one notice with sample facts, through the channel as it is configured, to one address.

For whoever sets up a relay, or wants to see a notice in a mail client of their own. Brand, relay, credentials, envelope
and DELIVERY_MODE are those of the notifier; the message says that it is a test. It goes past the ledger: it is no
notification, no outcome is told, and nothing tries it again. The address given is in no line that this prints or logs.
"""

import base64
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.topics import IN_APP as IN_APP_TOPIC
from schemas.types import Email as Address
from schemas.types import Phone
from services.notifier import mime, words
from services.notifier.brands import Brand, BrandError, load_brands
from services.notifier.catalogue import CATALOGUE, Notice
from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent
from services.notifier.channels.configured import channels_of
from services.notifier.channels.in_app import in_app_record
from services.notifier.compose import ComposeError, Composer
from services.notifier.recipients import IN_APP
from services.notifier.samples import MINIMAL, Sample, samples_of
from services.notifier.settings import NotifierSettings
from services.notifier.sms_text import sms_parts
from services.notifier.startup import load_messages
from services.runtime import logs
from services.runtime.clock import Clock
from services.runtime.commands import CommandError, Say
from services.runtime.settings import load

SENT, NOT_SENT, UNKNOWN = 0, 1, 3
"""Exit statuses; 2 is a command line that cannot be read."""
MARK = "TEST: "
EXPLAINED = "This is a test with sample facts, sent by hand. Nothing happened to any account."
LIVES = timedelta(minutes=15)
"""As long as a code: what a provider has not delivered by then, nobody looks for any more."""
_BODY = re.compile(r"<body\b[^>]*>")
_BANNER = (
    '<div lang="en" style="padding:10px 16px;background:#fff3cd;color:#5c4400;border-bottom:2px solid #b58900;'
    f'font:bold 14px/20px Arial,sans-serif;text-align:center">{MARK}{EXPLAINED}</div>'
)
_KINDS: Mapping[str, tuple[TypeAdapter[str], str]] = {
    "email": (TypeAdapter(Address), "an e-mail address"),
    "sms": (TypeAdapter(Phone), "a phone number like +32470123456"),
    IN_APP: (TypeAdapter(str), "a member's id"),
}

_SPARED: Mapping[str, Mapping[str, Any]] = {
    "ledger": {
        "database_url": "postgresql://127.0.0.1/unread",
        "vault_keys": f"unread:{base64.b64encode(bytes(range(32))).decode()}",
        "search_key": "unread".center(32, "-"),
    },
    "email": {
        "smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_tls": "starttls", "smtp_username": None, "smtp_password": None,
    },
    "sms": {
        "twilio_account_sid": "-", "twilio_auth_token": "-", "twilio_sender": "-",
        "twilio_api_base_url": "http://127.0.0.1:1",
    },
    IN_APP: {
        "kafka_bootstrap_servers": "127.0.0.1:1", "kafka_security_protocol": "PLAINTEXT",
        "kafka_sasl_username": None, "kafka_sasl_password": None,
    },
}  # fmt: skip
"""What stands for the settings that only another channel reads, or the ledger: nobody has to have them for a test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for. Without a channel, an address with an @ is for e-mail and one with a + in front for SMS."""

    notice: str
    brand: str
    language: str
    to: str
    channel: str | None = None
    example: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was asked for, found: it exists, and `to` is an address of its channel."""

    sample: Sample
    channel: str
    to: str = field(repr=False)


def choose(wanted: Wanted) -> Chosen:
    """Needs no setting. Raises `CommandError` with what there is instead."""
    notice = _notice(wanted.notice)
    try:
        brands = load_brands()
    except BrandError as error:
        raise CommandError(f"Not sent: {error}") from None
    here = _samples(notice, wanted, brands)
    channel = _channel(notice, wanted, {name for each in here for name in _channels(each)})
    to = _address(channel, wanted.to)
    return Chosen(
        sample=_example([each for each in here if channel in _channels(each)], wanted), channel=channel, to=to
    )


def settings_for(channel: str) -> NotifierSettings:
    """From the environment, of which a channel reads its own part. Raises `SettingsError`."""
    spared = {name: value for other, values in _SPARED.items() if other != channel for name, value in values.items()}
    return load(NotifierSettings, "send-test", **spared)


async def send_test(settings: NotifierSettings, chosen: Chosen, *, say: Say, clock: Clock | None = None) -> int:
    """Exit status. Raises `CommandError` for what cannot be sent, before anything is."""
    logs.configure("send-test", "critical")  # what goes wrong is said here, and aiokafka's lines say no more
    clock = clock or settings.clock()
    sample, by, to = chosen.sample, chosen.channel, chosen.to
    if not settings.deliverable(by, to):
        raise CommandError("Not sent: DELIVERY_MODE=allow-list, and ALLOW_LIST does not name this address.")
    brands, composer = load_messages(settings, {sample.notice})
    message, told = _Composing(settings, clock, brands[sample.brand], composer).message(sample, by, to)
    channel = channels_of(settings, clock)[by]
    try:
        sent = await channel.send(message)
    except ChannelError as error:
        say(_refused(error, await channel.check(), _place(settings, by)))
        return UNKNOWN if error.consequence is Consequence.UNKNOWN else NOT_SENT
    finally:
        await channel.close()
    where = f"Handed over to {_place(settings, by)} (DELIVERY_MODE={settings.delivery_mode})"
    for line in (f"{sample.id} by {by}: {_taken(sent, to)}", *told, where):
        say(line)
    say("Not in the ledger: no outcome is told, and nothing that asks about notifications knows it.")
    return SENT


# --- what, and to whom ------------------------------------------------------------------------------------------------


def _notice(name: str) -> Notice:
    for notice in CATALOGUE:
        if notice.name == name:
            return notice
    raise CommandError(_one_of("notice", (notice.name for notice in CATALOGUE)))


def _samples(notice: Notice, wanted: Wanted, brands: Mapping[str, Brand]) -> list[Sample]:
    if wanted.brand not in notice.brands or wanted.brand not in brands:
        raise CommandError(_one_of(f"brand of {notice.name}", notice.brands & brands.keys()))
    if wanted.language not in brands[wanted.brand].languages:
        raise CommandError(_one_of(f"language of {wanted.brand}", brands[wanted.brand].languages))
    one = replace(notice, brands=frozenset({wanted.brand}))
    return [each for each in samples_of(one, dict(brands)) if each.locale == wanted.language]


def _channel(notice: Notice, wanted: Wanted, there: AbstractSet[str]) -> str:
    if wanted.channel is None:
        looks = "email" if "@" in wanted.to else "sms" if wanted.to.startswith("+") else IN_APP
        if looks in there:
            return looks
        addresses = ", or ".join(_KINDS[name][1] for name in sorted(there))
        raise CommandError(f"Not sent: --to is none that {notice.name} can go to: {addresses}.")
    if wanted.channel not in there:
        raise CommandError(_one_of(f"channel of {notice.name}", there))
    return wanted.channel


def _address(channel: str, to: str) -> str:
    kind, expected = _KINDS[channel]
    try:
        return kind.validate_python(to)
    except ValidationError:  # it holds what was given
        raise CommandError(f"Not sent: --to is not {expected}, as {channel} needs it.") from None


def _example(fitting: Sequence[Sample], wanted: Wanted) -> Sample:
    if wanted.example is None:
        return min(fitting, key=lambda each: MINIMAL in each.variant)
    for each in fitting:
        if each.variant == wanted.example:
            return each
    raise CommandError(_one_of(f"example of {wanted.notice}", (each.variant for each in fitting if each.variant)))


def _channels(sample: Sample) -> set[str]:
    return {sample.channel, IN_APP} if sample.in_app else {sample.channel}


def _one_of(what: str, there: Iterable[str]) -> str:
    """What was given is not repeated: it may have slipped there from beside."""
    names = sorted(there)
    return f"Not sent: no such {what}. There is " + ("none." if not names else "\n  ".join(["one of:", *names]))


# --- the message ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Composing:
    settings: NotifierSettings
    clock: Clock
    brand: Brand
    composer: Composer

    def message(self, sample: Sample, channel: str, to: str) -> tuple[OutgoingMessage, Sequence[str]]:
        """And lines about it."""
        id_ = str(uuid.uuid4())
        compose = {"email": self._email, "sms": self._sms, IN_APP: self._in_app}[channel]
        try:
            body, sender, told = compose(sample, id_, to)
        except ComposeError as error:
            raise CommandError(f"Not sent: {error}.") from None
        expires_at = self.clock.now() + LIVES
        return OutgoingMessage(id=id_, address=to, body=body, sender=sender, expires_at=expires_at), told

    def _email(self, sample: Sample, id_: str, to: str) -> tuple[bytes, str, Sequence[str]]:
        email = marked(self.composer.email(*sample.key, sample.facts))
        sender = self.brand.sender.address
        message_id = f"<{id_}@{sender.rpartition('@')[2]}>"
        body = mime.assemble(
            email,
            sender=mime.mailbox(self.brand.sender.name, sender),
            recipient=to,
            message_id=message_id,
            date=format_datetime(self.clock.now()),
            language=sample.locale,
        )
        envelope = self.settings.envelope_sender(id_, sender)
        return body, envelope, (f"Message-ID {message_id}, envelope sender {envelope}", f"Subject: {email.subject}")

    def _sms(self, sample: Sample, id_: str, to: str) -> tuple[bytes, str, Sequence[str]]:  # noqa: ARG002 (as above)
        text = MARK + self.composer.sms(*sample.key, sample.facts)
        cost = sms_parts(text)
        told = f"{cost.parts} {'part' if cost.parts == 1 else 'parts'}, {cost.encoding}"
        return text.encode(), self.brand.sender.address, (told,)

    def _in_app(self, sample: Sample, id_: str, to: str) -> tuple[bytes, str, Sequence[str]]:
        shown = self.composer.in_app(*sample.key, sample.facts)
        body = in_app_record(id_, to, self.clock.now(), shown.model_copy(update={"title": MARK + shown.title}))
        return body, self.brand.sender.address, (f"Event {id_} on {IN_APP_TOPIC.name}",)


def marked(email: mime.Email) -> mime.Email:
    """Says that it is a test: in the subject, above everything else, and first in the text part."""
    return replace(
        email,
        subject=MARK + email.subject,
        html=_BODY.sub(lambda body: body[0] + _BANNER, email.html, count=1),
        text=f"{MARK}{EXPLAINED}\n\n{email.text}",
    )


# --- what came of it --------------------------------------------------------------------------------------------------


def _taken(sent: Sent, to: str) -> str:
    answer = re.sub(re.escape(to), "…", sent.answer, flags=re.IGNORECASE)
    told: list[Any] = [sent.reply_code, " ".join(answer.split()), sent.reference]
    return f"taken ({' '.join(filter(None, told))})"


def _refused(error: ChannelError, trouble: str | None, place: str) -> str:
    why = trouble or words.because(error.reason)
    if error.reason.endswith(":unreachable"):
        return (
            f"Not sent: nobody answers at {place}. Check the address and the port, and that this machine may go there."
        )
    match error.consequence:
        case Consequence.UNKNOWN:
            return f"Perhaps sent: {why}. Look whether it arrived before you send it again."
        case Consequence.PERMANENT:
            return f"Not sent: {why}, a no for good."
        case Consequence.RETRY:
            return f"Not sent: {why}, a no for now. A notice would go again by itself, this will not."
        case _:
            return f"Not sent: {why}."


def _place(settings: NotifierSettings, channel: str) -> str:
    return {
        "email": f"{settings.smtp_host}:{settings.smtp_port}, TLS {settings.smtp_tls}",
        "sms": str(settings.twilio_api_base_url),
        IN_APP: settings.kafka_bootstrap_servers,
    }[channel]
