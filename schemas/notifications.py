"""What became of each notification, and the messages the portal shows itself."""

from typing import Any, Literal, get_args

from pydantic import Field, StrictInt, create_model

from schemas.types import Data, Locale, Slug, Time, Url

State = Literal["sent", "delivered", "bounced", "failed", "expired", "superseded", "suppressed", "cancelled", "unknown"]


class Cause(Data):
    """The event that caused the notification: its idempotency key."""

    source: str = Field(min_length=1, max_length=255, description="The event's `source`.")
    id: str = Field(min_length=1, max_length=128, description="The event's `id`.")


class OutcomeV1(Data):
    """What became of one notification. No address, ever: `role` says who it was for."""

    cause: Cause
    notice: Slug
    role: Slug
    channel: Slug
    attempt: StrictInt = Field(ge=0, le=2**31 - 1, description="Counts from 1; 0: no attempt was made.")
    state: State
    occurred_at: Time
    reason: str | None = Field(
        default=None, pattern=r"^[a-z0-9.:-]{1,100}$", description="Code of the reason, where the state has one."
    )


def _of_state(state: str) -> type[OutcomeV1]:
    """The outcome that one event type carries: its state is the one in the type's name."""
    only_this: Any = Literal[state]
    return create_model(
        f"{state.title()}V1",
        __base__=OutcomeV1,
        __module__=__name__,
        __doc__=f"The notification is {state}.",
        state=(only_this, ...),
    )


OUTCOMES: dict[str, type[Data]] = {f"notifications.{state}.v1": _of_state(state) for state in get_args(State)}


class InAppMessageV1(Data):
    """Rendered; the portal shows it as it is."""

    notice: Slug
    locale: Locale
    title: str = Field(min_length=1, max_length=200, description="Plain text, one line.")
    text: str = Field(min_length=1, max_length=4000, description="Plain text; a blank line parts paragraphs.")
    link: Url | None = None
