"""The life of a complaint, as the complaint desk tells it. What `complaint_sla` makes of it is in `deadlines.py`.

Licences, calendars, categories and obligations are data of `complaint_sla`, so here they are names and no lists:
one that its data does not know is refused there, as a dead letter. The record key is the complaint's id.
"""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, StringConstraints, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from schemas.types import Brand, Data, Day, Email, FreeText, Locale, MemberId, Slug, Time, Url

NOT_COVERED = "other"
"""The licence of a complaint that no procedure covers: it is told so, and has no deadlines."""

Letter = Annotated[
    Literal[
        "acknowledgement",
        "information-request",
        "summary",
        "holding",
        "final",
        "explanation",
        "not-covered",
        "forwarded",
    ],
    Field(description="Which of the letters of a complaint."),
]
ComplaintId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~:-]{0,63}$"),
    Field(description="Opaque id of a complaint: record key and subject of its events."),
]
Licence = Annotated[Slug, Field(description="Licence the complaint falls under: uk, be, je, gg, or other.")]
CalendarId = Annotated[Slug, Field(description="Holiday calendar that the policy names, for example scotland.")]
Category = Annotated[Slug, Field(description="Chooses the procedure among those of the licence.")]
ReportedAs = Annotated[Slug, Field(description="A name of the firm's own, by which reports group.")]
Reference = Annotated[
    str, StringConstraints(min_length=1, max_length=64), Field(description="The number that letters print.")
]
PostalAddress = Annotated[
    str, StringConstraints(min_length=1, max_length=500), Field(description="As on an envelope, a line each.")
]
Texts = Annotated[
    dict[Locale, Annotated[str, StringConstraints(min_length=1, max_length=20_000)]],
    Field(
        min_length=1,
        description="Approved plain text by language; a blank line parts paragraphs.",
        json_schema_extra={"additionalProperties": False},
    ),
]
Missing = Literal["contact-details", "contract-details", "summary", "other"]


class Complainant(Data):
    """Need not be a member. No address is required: a complaint without one is owed its letters all the same."""

    name: FreeText
    locale: Locale
    channel: Literal["email", "post"] = Field(description="How letters go; without an e-mail address by post.")
    email: Email | None = None
    address: PostalAddress | None = None
    member: MemberId | None = None


class Handler(Data):
    """The person who answers for the case."""

    email: Email
    name: FreeText | None = None


class Firm(Data):
    """Another firm, and how the complainant reaches it."""

    name: FreeText
    address: PostalAddress | None = None
    email: Email | None = None
    phone: str | None = Field(default=None, min_length=1, max_length=64, description="As the firm prints it.")
    website: Url | None = None


class ReceivedV1(Data):
    """A complaint exists. Day 0 is the local date of `received_at` in the licence's zone."""

    received_at: Time = Field(description="First receipt anywhere in the firm, whenever it was noticed.")
    licence: Licence
    calendar: CalendarId | None = None
    category: Category = "complaint"
    brand: Brand
    complainant: Complainant
    reference: Reference | None = None
    handler: Handler | None = None
    product: ReportedAs | None = None
    cause: ReportedAs | None = None


def _one_of(*fields: str) -> JsonDict:
    """The published form of what `_Change` enforces."""
    named: list[JsonDict] = [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in fields]
    return {"allOf": [{"anyOf": [*named]}]}


class _Change(Data):
    """What is absent stays as it was."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise PydanticCustomError("change_required", "a change names at least one field")
        return self


class UpdatedV1(_Change):
    """What moves no deadline has changed. What is absent stays; the complainant is given whole."""

    model_config = ConfigDict(json_schema_extra=_one_of("complainant", "reference", "product", "cause"))

    complainant: Complainant | None = None
    reference: Reference | None = None
    product: ReportedAs | None = None
    cause: ReportedAs | None = None


class CorrectedV1(_Change):
    """What moves deadlines was registered wrongly. What is absent stays; open deadlines are computed anew."""

    model_config = ConfigDict(json_schema_extra=_one_of("received_at", "licence", "calendar", "category", "accepted"))

    received_at: Time | None = None
    licence: Licence | None = None
    calendar: CalendarId | None = None
    category: Category | None = None
    accepted: StrictBool | None = Field(
        default=None, description="Whether the complainant accepts the summary resolution after all."
    )


class AssignedV1(Data):
    """From now on this person is told when a deadline comes near."""

    handler: Handler


class InformationRequestedV1(Data):
    """The complaint lacks something; the complainant is asked for it. No clock stops."""

    missing: tuple[Missing, ...] = Field(min_length=1, max_length=4, description="What the complaint lacks.")
    text: Texts | None = None
    requested_at: Time


class InformationReceivedV1(Data):
    """The complainant has answered. No clock starts."""

    received_at: Time


class DelayExplainedV1(Data):
    """Why there is no decision by week 8, and when to expect one: what the explanation letter says."""

    reason: Texts
    expected_by: Day
    approved_by: FreeText


def _when_delivery_is(delivery: str, *, needs: str, as_type: str, without: str | None = None) -> JsonDict:
    """The published form of what `_Delivered` enforces."""
    refused: JsonDict = {without: {"type": "null"}} if without else {}
    return {
        "if": {"properties": {"delivery": {"const": delivery}}},
        "then": {"required": [needs], "properties": {needs: {"type": as_type}, **refused}},
    }


class _Delivered(Data):
    """A letter that we send with the text given, or that has gone already."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _when_delivery_is("send", needs="text", as_type="object", without="sent_at"),
                _when_delivery_is("already-sent", needs="sent_at", as_type="string"),
            ]
        }
    )

    delivery: Literal["send", "already-sent"] = Field(description="Whether the letter is ours to send.")
    sent_at: Time | None = Field(default=None, description="When it was handed over, if it has gone already.")
    text: Texts | None = None

    @model_validator(mode="after")
    def _delivery_has_what_it_needs(self) -> Self:
        if self.delivery == "already-sent" and self.sent_at is None:
            raise PydanticCustomError("sent_at_required", "delivery already-sent says when")
        if self.delivery == "send" and self.text is None:
            raise PydanticCustomError("text_required", "delivery send carries the approved text")
        if self.delivery == "send" and self.sent_at is not None:
            raise PydanticCustomError("sent_at_refused", "what is to be sent has not been sent")
        return self


class ResolvedV1(_Delivered):
    """Resolved within the first days. Where the licence asks for it, only an accepted resolution counts as one."""

    resolved_at: Time
    accepted: StrictBool = Field(description="Whether the complainant has accepted the resolution.")


class FinalResponseIssuedV1(_Delivered):
    """The decision and its reasons."""

    issued_at: Time


class WrittenAcceptanceV1(Data):
    """The complainant has accepted an answer in writing."""

    received_at: Time = Field(description="When it reached the firm.")


class LetterSentV1(Data):
    """A letter went another way than through us; it counts by its own `sent_at`."""

    letter: Letter
    sent_at: Time = Field(description="When it was handed over.")
    by: Literal["post", "courier", "hand", "email"] = Field(description="Which way it went.")
    reference: str = Field(min_length=1, max_length=100, description="The proof: a tracking or a register number.")


class LettersReleasedV1(Data):
    """A person lets letters go that were waiting for one."""

    letters: tuple[Letter, ...] = Field(min_length=1, max_length=8, description="Those that may go.")
    released_by: FreeText
    released_at: Time


class WithdrawnV1(Data):
    """The complainant no longer complains."""

    withdrawn_at: Time


class ReopenedV1(Data):
    """Taken up again on the same matter: no new clock. A new matter is a new complaint."""

    reopened_at: Time


class ForwardedV1(Data):
    """Passed to another firm; partly: what is left stays ours, and so do its deadlines."""

    extent: Literal["wholly", "partly"] = Field(description="Whether anything is left for us to answer.")
    firm: Firm
    reason: Texts
    forwarded_at: Time


class MergedV1(Data):
    """It is the same as another complaint, and goes on as that one."""

    into: ComplaintId
    merged_at: Time
