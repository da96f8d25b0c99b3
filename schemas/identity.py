"""What identity providers tell us: codes, links, security events, sign-ons."""

from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from schemas.types import Brand, Code, Data, Email, FreeText, Locale, Phone, Slug, Time, Url

Method = Literal["sms", "voice", "authenticator-app", "security-key", "passkey", "email"]


def _when_channel_is(channel: str, *, needs: str) -> JsonDict:
    """The published form of what `_each_channel_has_what_it_needs` enforces."""
    return {
        "if": {"properties": {"channel": {"const": channel}}},
        "then": {"required": [needs], "properties": {needs: {"type": "string"}}},
    }


class VerificationCodeIssuedV1(Data):
    """A one-time code for the one channel named, and for SMS the one registered phone named."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _when_channel_is("sms", needs="phone"),
                _when_channel_is("email", needs="url"),
            ]
        }
    )
    secret_fields: ClassVar[frozenset[str]] = frozenset({"code", "url"})

    channel: Literal["email", "sms"]
    phone: Phone | None = None
    code: Code
    url: Url | None = None
    purpose: Slug = Field(
        description="What it is for; a newer code of one purpose replaces an older. The message says so of sign-in, "
        "and names no other purpose."
    )
    expires_at: Time

    @model_validator(mode="after")
    def _each_channel_has_what_it_needs(self) -> Self:
        if self.channel == "sms" and self.phone is None:
            raise PydanticCustomError("phone_required", "channel sms names the phone")
        if self.channel == "email" and self.url is None:
            raise PydanticCustomError("url_required", "channel email carries the sign-in link")
        return self


class PasswordChangeRequestedV1(Data):
    """A link to change the password, to the address named. No account, no event."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"url"})

    email: Email
    url: Url
    expires_at: Time
    brand: Brand | None = None
    locale: Locale | None = None


class EmailVerificationRequestedV1(Data):
    """Confirm this address; the link lives 72 hours."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"url"})

    purpose: Literal["registration", "login", "communication"]
    email: Email
    url: Url
    expires_at: Time
    brand: Brand | None = None
    locale: Locale | None = None


class UnlockRequestedV1(Data):
    """A link to unlock the account, to the login address."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"url"})

    url: Url
    expires_at: Time


class EmailReminderRequestedV1(Data):
    """Forgotten e-mail address; sent upstream for secured accounts only."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"url"})

    url: Url
    expires_at: Time


class PasswordChangedV1(Data):
    """The member changed the password."""

    changed_at: Time


class PasswordResetV1(Data):
    """The password was reset, by an administrator or in the reset flow."""

    reset_at: Time
    by: Literal["administrator", "self-service"]


class NewSignOnDetectedV1(Data):
    """A sign-on from a browser not seen before; texts are words, never a raw user agent."""

    signed_on_at: Time
    browser: FreeText | None = None
    system: FreeText | None = None
    place: FreeText | None = None


class EmailAddressChangedV1(Data):
    """Carries its own recipients: both addresses get the notice, whatever the contact says by then."""

    which: Literal["login", "communication", "only"]
    old: Email
    new: Email
    changed_at: Time
    brand: Brand | None = None
    locale: Locale | None = None


class AccountLockedV1(Data):
    """Locked after failed attempts."""

    locked_at: Time


class SecurityMethodEnrolledV1(Data):
    """A second factor was added."""

    method: Method
    ending: str | None = Field(
        default=None, pattern=r"^[0-9]{2,4}$", description="Last digits of the phone, where the method is one."
    )
    enrolled_at: Time


class SecurityMethodResetV1(Data):
    """One method, or all of them when `method` is absent."""

    method: Method | None = None
    reset_at: Time


class SignInMethodChangedV1(Data):
    """A way to sign in to the app was set or removed."""

    method: Literal["pin", "fingerprint", "face-recognition"]
    change: Literal["set", "removed"]
    changed_at: Time


class PinBlockedV1(Data):
    """Five wrong PINs; the app counts."""

    blocked_at: Time


class AccountSecuredV1(Data):
    """The account was linked to an electronic identity."""

    means: Literal["eid", "itsme"]
    secured_at: Time


class AccountDeletedV1(Data):
    """Carries its own recipient: the contact is about to be forgotten."""

    email: Email
    deleted_at: Time
    brand: Brand | None = None
    locale: Locale | None = None


class SignedOnV1(Data):
    """Every successful sign-on; only auth_events reads it."""

    signed_on_at: Time
    device_id: str | None = Field(default=None, max_length=128, description="The provider's id of the browser.")
    user_agent: str | None = Field(default=None, max_length=1024, description="As the browser sent it; never shown.")
    network: str | None = Field(default=None, max_length=64, description="Address or name of the network.")
    place: FreeText | None = None
