"""Topic → event types → key → retention. The only place topic names exist."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from schemas import complaints, deadlines, identity, members, notifications
from schemas.types import Data

Key = Literal["member", "complaint", "as-it-was"]
MAX_MESSAGE_BYTES = 1_048_576
DEAD_LETTER_HEADROOM_BYTES = 65_536
"""A dead letter is the original, encrypted, with more headers."""
PARTITIONS = 6
"""So many consumers of one group can share a topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic: what may be on it, how it is keyed, how long Kafka keeps it."""

    name: str
    types: dict[str, type[Data]]
    key: Key
    retention: timedelta | None
    """None: compacted, kept until overwritten."""
    segment: timedelta
    """At most a sixth of the retention: with the default segment a 1-hour retention deletes nothing for a week."""
    compacted: bool = False
    max_message_bytes: int = MAX_MESSAGE_BYTES
    partitions: int = PARTITIONS
    """What a new topic gets. More later moves keys to other partitions: order per member breaks once."""

    def configs(self) -> dict[str, str]:
        """Kafka's own settings, in its own units (milliseconds, bytes)."""
        settings = {
            "segment.ms": _ms(self.segment),
            "max.message.bytes": str(self.max_message_bytes),
            "cleanup.policy": "compact" if self.compacted else "delete",
        }
        if self.compacted:
            settings["max.compaction.lag.ms"] = _ms(timedelta(hours=24))
            settings["delete.retention.ms"] = _ms(timedelta(days=14))
        if self.retention is not None:
            settings["retention.ms"] = _ms(self.retention)
        return settings


def _ms(span: timedelta) -> str:
    return str(int(span.total_seconds() * 1000))


CODES = Topic(
    name="identity.codes.v1",
    types={"identity.verification-code-issued.v1": identity.VerificationCodeIssuedV1},
    key="member",
    retention=timedelta(hours=24),
    segment=timedelta(minutes=10),
)
LINKS = Topic(
    name="identity.links.v1",
    types={
        "identity.password-change-requested.v1": identity.PasswordChangeRequestedV1,
        "identity.email-verification-requested.v1": identity.EmailVerificationRequestedV1,
        "identity.unlock-requested.v1": identity.UnlockRequestedV1,
        "identity.email-reminder-requested.v1": identity.EmailReminderRequestedV1,
    },
    key="member",
    retention=timedelta(days=4),
    segment=timedelta(hours=1),
)
SECURITY = Topic(
    name="identity.security.v1",
    types={
        "identity.password-changed.v1": identity.PasswordChangedV1,
        "identity.password-reset.v1": identity.PasswordResetV1,
        "identity.new-sign-on-detected.v1": identity.NewSignOnDetectedV1,
        "identity.email-address-changed.v1": identity.EmailAddressChangedV1,
        "identity.account-locked.v1": identity.AccountLockedV1,
        "identity.security-method-enrolled.v1": identity.SecurityMethodEnrolledV1,
        "identity.security-method-reset.v1": identity.SecurityMethodResetV1,
        "identity.sign-in-method-changed.v1": identity.SignInMethodChangedV1,
        "identity.pin-blocked.v1": identity.PinBlockedV1,
        "identity.account-secured.v1": identity.AccountSecuredV1,
        "identity.account-deleted.v1": identity.AccountDeletedV1,
    },
    key="member",
    retention=timedelta(days=7),
    segment=timedelta(hours=12),
)
SIGN_ONS = Topic(
    name="identity.sign-ons.v1",
    types={"identity.signed-on.v1": identity.SignedOnV1},
    key="member",
    retention=timedelta(days=1),
    segment=timedelta(hours=1),
)
CONTACTS = Topic(
    name="members.contacts.v1",
    types={"members.contact.v1": members.ContactV1},
    key="member",
    retention=None,
    segment=timedelta(hours=24),
    compacted=True,
)
ACTIVITY = Topic(
    name="members.activity.v1",
    types={
        "members.welcomed.v1": members.WelcomedV1,
        "members.registration-confirmed.v1": members.RegistrationConfirmedV1,
        "members.benefit-application-received.v1": members.BenefitApplicationReceivedV1,
        "members.bank-account-changed.v1": members.BankAccountChangedV1,
        "members.coverage-ended.v1": members.CoverageEndedV1,
        "members.coverage-reinstated.v1": members.CoverageReinstatedV1,
        "members.portal-access-ending.v1": members.PortalAccessEndingV1,
    },
    key="member",
    retention=timedelta(days=7),
    segment=timedelta(hours=12),
)
LIFECYCLE = Topic(
    name="complaints.lifecycle.v1",
    types={
        "complaints.received.v1": complaints.ReceivedV1,
        "complaints.updated.v1": complaints.UpdatedV1,
        "complaints.corrected.v1": complaints.CorrectedV1,
        "complaints.assigned.v1": complaints.AssignedV1,
        "complaints.information-requested.v1": complaints.InformationRequestedV1,
        "complaints.information-received.v1": complaints.InformationReceivedV1,
        "complaints.delay-explained.v1": complaints.DelayExplainedV1,
        "complaints.resolved.v1": complaints.ResolvedV1,
        "complaints.final-response-issued.v1": complaints.FinalResponseIssuedV1,
        "complaints.written-acceptance.v1": complaints.WrittenAcceptanceV1,
        "complaints.letter-sent.v1": complaints.LetterSentV1,
        "complaints.letters-released.v1": complaints.LettersReleasedV1,
        "complaints.withdrawn.v1": complaints.WithdrawnV1,
        "complaints.reopened.v1": complaints.ReopenedV1,
        "complaints.forwarded.v1": complaints.ForwardedV1,
        "complaints.merged.v1": complaints.MergedV1,
    },
    key="complaint",
    retention=timedelta(days=90),
    segment=timedelta(days=7),
)
DEADLINES = Topic(
    name="complaints.deadlines.v1",
    types={
        "complaints.letter-due.v1": deadlines.LetterDueV1,
        "complaints.letter-cancelled.v1": deadlines.LetterCancelledV1,
        "complaints.letter-to-post.v1": deadlines.LetterToPostV1,
        "complaints.letter-bounced.v1": deadlines.LetterBouncedV1,
        "complaints.deadline-approaching.v1": deadlines.DeadlineApproachingV1,
        "complaints.deadline-missed.v1": deadlines.DeadlineMissedV1,
        "complaints.deadline-changed.v1": deadlines.DeadlineChangedV1,
        "complaints.miss-retracted.v1": deadlines.MissRetractedV1,
        "complaints.closed.v1": deadlines.ClosedV1,
    },
    key="complaint",
    retention=timedelta(days=90),
    segment=timedelta(days=7),
)
IN_APP = Topic(
    name="notifications.in-app.v1",
    types={"notifications.in-app-message.v1": notifications.InAppMessageV1},
    key="member",
    retention=timedelta(days=30),
    segment=timedelta(days=1),
)
OUTCOMES = Topic(
    name="notifications.outcomes.v1",
    types=notifications.OUTCOMES,
    key="member",
    retention=timedelta(days=30),
    segment=timedelta(days=1),
)


def _dead_letters(service: str) -> Topic:
    return Topic(
        name=f"{service}.dead-letters.v1",
        types={},
        key="as-it-was",
        retention=timedelta(days=30),
        segment=timedelta(days=1),
        max_message_bytes=MAX_MESSAGE_BYTES + DEAD_LETTER_HEADROOM_BYTES,
    )


AUTH_EVENTS_DEAD_LETTERS = _dead_letters("auth-events")
NOTIFIER_DEAD_LETTERS = _dead_letters("notifier")
COMPLAINT_SLA_DEAD_LETTERS = _dead_letters("complaint-sla")

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        CODES,
        LINKS,
        SECURITY,
        SIGN_ONS,
        CONTACTS,
        ACTIVITY,
        LIFECYCLE,
        DEADLINES,
        IN_APP,
        OUTCOMES,
        AUTH_EVENTS_DEAD_LETTERS,
        NOTIFIER_DEAD_LETTERS,
        COMPLAINT_SLA_DEAD_LETTERS,
    )
}
TOPIC_OF_TYPE: dict[str, Topic] = {type_: topic for topic in TOPICS.values() for type_ in topic.types}
DATA_OF_TYPE: dict[str, type[Data]] = {type_: data for topic in TOPICS.values() for type_, data in topic.types.items()}
