"""What `complaint_sla` makes of a complaint: letters due, deadlines that come near, are missed, or move.

An id here is complaint / obligation / kind / n; n counts attempts of a letter and revisions of a fact. "Exactly once"
is per id. A limit is exclusive: what was sent before it is in time, what was sent at it is late.
"""

from typing import Literal

from pydantic import Field, StrictBool, StrictInt

from schemas.complaints import Complainant, Firm, Handler, Letter, Licence, Missing, Reference, Texts
from schemas.notifications import Cause
from schemas.types import Brand, Data, Day, Email, Slug, Time

LETTER_RANKS: dict[str, int] = {"acknowledgement": 1, "holding": 2, "explanation": 3, "summary": 4, "final": 4}
"""A letter that is accepted cancels those of its complaint that rank lower and have not left. One without a rank
cancels none, and goes when a summary letter, a final letter or a withdrawal comes."""

ObligationId = Slug
LIMIT = "The limit, exclusive: what was sent before this instant is in time."


class _OfComplaint(Data):
    """Who speaks, about which complaint."""

    brand: Brand
    licence: Licence
    reference: Reference | None = None


class _ForHandler(_OfComplaint):
    """The case's handler is told; where there is none, the team's mailbox."""

    handler: Handler | None = None
    tell_at: Time | None = Field(
        default=None, description="The next working hour of the licence, when a person is told; absent: at once."
    )


class Promise(Data):
    """An obligation as a letter's timetable says it."""

    obligation: ObligationId = Field(description="What is owed.")
    last_day: Day = Field(description="Last day in time, in the licence's zone.")


class Limit(Data):
    """One step of the licence's procedure, as the enclosed procedure explains it."""

    obligation: ObligationId = Field(description="What is owed.")
    business_days: StrictInt | None = Field(default=None, ge=1, le=60, description="Day of receipt not counted.")
    weeks: StrictInt | None = Field(default=None, ge=1, le=52, description="Calendar weeks.")


class OmbudsmanPhone(Data):
    """As the ombudsman prints it."""

    number: str = Field(min_length=1, max_length=64, description="As printed, with its spaces.")
    where: Literal["at-home", "from-abroad"] | None = Field(default=None, description="From where it is dialled.")


class Ombudsman(Data):
    """The licence's row: who decides when complainant and firm do not agree. What is absent is not said."""

    name: str = Field(min_length=1, max_length=200, description="As the insurer prints it.")
    address: str | None = Field(default=None, min_length=1, max_length=500, description="On one line.")
    email: Email | None = None
    website: str | None = Field(default=None, min_length=1, max_length=200, description="Host, without scheme.")
    phones: tuple[OmbudsmanPhone, ...] = Field(default=(), max_length=8, description="Several where it prints several.")
    refer_within_months: StrictInt | None = Field(
        default=None, ge=1, le=60, description="Counted from the final response or summary letter being sent."
    )
    refer_is_conditional: StrictBool | None = Field(default=None, description="Whether exceptions are told apart.")
    approach_after: str | None = Field(
        default=None,
        pattern=r"^P[1-9][0-9]?[WM]$",
        description="How long after receipt it may be approached without an answer: ISO 8601, weeks or months.",
    )
    binds: Literal["firm", "nobody"] | None = Field(default=None, description="Whom its decision binds.")


class LetterDueV1(_OfComplaint):
    """A letter to the complainant goes out. The recipient is frozen, and everything the letter says is here."""

    letter: Letter
    attempt: StrictInt = Field(ge=1, le=1000, description="Counts from 1, over all addresses.")
    obligation: ObligationId | None = Field(default=None, description="What it meets when it is sent, if anything.")
    limit_at: Time | None = Field(default=None, description=LIMIT)
    complainant: Complainant
    received_on: Day = Field(description="Day 0, in the licence's zone.")
    edition: Slug | None = Field(default=None, description="Of its prescribed wording; follows the day of receipt.")
    promises: tuple[Promise, ...] = Field(default=(), max_length=8, description="What is still owed, and by when.")
    encloses_procedure: StrictBool = Field(default=False, description="Whether the complaints procedure goes with it.")
    text: Texts | None = None
    expected_by: Day | None = Field(default=None, description="When to expect the decision, in an explanation.")
    generic_reason: StrictBool = Field(default=False, description="Nobody gave a reason; `text` is the licence's own.")
    missing: tuple[Missing, ...] = Field(default=(), max_length=4, description="What an information request asks for.")
    firm: Firm | None = None
    limits: tuple[Limit, ...] = Field(default=(), max_length=8, description="The licence's procedure, step by step.")
    ombudsman: Ombudsman | None = None
    prescribed: Texts | None = Field(
        default=None,
        description="Wording that a regulator prescribes for this letter, verbatim.",
    )


class LetterToPostV1(LetterDueV1):
    """Instead of letter-due, where it goes by post: the handler gets it rendered, and sends it."""

    handler: Handler | None = None


class LetterCancelledV1(Data):
    """A letter asked for is not to leave any more."""

    letter: Letter
    cause: Cause
    reason: Slug = Field(description="Why, for example higher-letter or withdrawn.")


class LetterBouncedV1(_ForHandler):
    """A letter came back. Before the limit its obligation is open again, after it only the delivery is in doubt."""

    letter: Letter
    obligation: ObligationId | None = Field(default=None, description="What it was to meet, if anything.")
    limit_at: Time | None = Field(default=None, description=LIMIT)
    cause: Cause
    bounced_at: Time
    open_again: StrictBool = Field(description="Whether the obligation has to be met once more.")
    how: Literal["bounced", "refused"] = Field(
        default="bounced", description="Came back after it was sent, or was never taken."
    )


class DeadlineApproachingV1(_ForHandler):
    """Not met yet, and the time to act is now."""

    obligation: ObligationId = Field(description="What is owed.")
    limit_at: Time = Field(description=LIMIT)
    send_by: Day = Field(description="Last business day in time, in the licence's zone.")
    lacks: Literal["letter", "delay-explanation", "corrected-letter"] = Field(
        default="letter",
        description="What to do: send it, say why there is no decision yet, or release a letter that went out under "
        "another licence for sending anew.",
    )


class DeadlineMissedV1(_ForHandler):
    """Not met before its limit. `limit_at` is the one that was missed, whenever that came to light."""

    obligation: ObligationId = Field(description="What was owed.")
    limit_at: Time = Field(description=LIMIT)
    detected_at: Time


class DeadlineChangedV1(_ForHandler):
    """An open obligation's limit has moved; one that is closed never does."""

    obligation: ObligationId = Field(description="What is owed.")
    old_limit_at: Time = Field(description="The limit until now, exclusive.")
    new_limit_at: Time = Field(description="The limit from now on, exclusive.")
    reason: Literal["receipt", "licence", "calendar", "category", "calendar-version", "rules-version"] = Field(
        description="What was corrected, or which data is newer."
    )


class MissRetractedV1(_ForHandler):
    """It had been met in time after all: its letter became known only now."""

    obligation: ObligationId = Field(description="What was owed.")
    limit_at: Time = Field(description=LIMIT)
    sent_at: Time = Field(description="When the letter was handed over.")


ObligationState = Literal["met", "met-not-delivered", "missed", "lapsed", "cancelled"]
"""lapsed: a window that closed unused, no duty."""


class Result(Data):
    """How one obligation ended."""

    obligation: ObligationId = Field(description="What was owed.")
    limit_at: Time = Field(description=LIMIT)
    state: ObligationState = Field(description="cancelled: something else took its place.")
    met_at: Time | None = None


class ClosedV1(_OfComplaint):
    """Nothing more is owed."""

    closed_at: Time
    how: Literal[
        "summary-resolution", "final-response", "accepted", "withdrawn", "forwarded", "merged", "not-covered"
    ] = Field(description="What ended it.")
    results: tuple[Result, ...] = Field(default=(), max_length=20, description="How each obligation ended.")
