"""What the member administration tells us: contacts and activity."""

from pydantic import Field, StrictBool, StrictInt

from schemas.types import Brand, Data, Day, Email, FreeText, Locale, Phone, Time


class Identity(Data):
    """A subject at an identity provider."""

    issuer: str = Field(min_length=1, max_length=255, description="The provider's issuer, as its tokens say it.")
    subject: str = Field(min_length=1, max_length=255, description="The member at that provider.")


class Preferences(Data):
    """What a member may switch off. Security notices are not on this list."""

    general: StrictBool = Field(default=True, description="News of cover and portal, by e-mail.")


class ContactV1(Data):
    """The whole contact, every time; only a higher `version` counts. A tombstone forgets it."""

    version: StrictInt = Field(ge=1, le=2**53, description="Grows with every change of the contact.")
    brand: Brand
    language: Locale
    login_email: Email
    communication_email: Email | None = None
    phones: tuple[Phone, ...] = Field(default=(), max_length=2, description="The registered phones.")
    preferences: Preferences = Preferences()
    personal_reference_number: str | None = Field(
        default=None, max_length=64, description="As printed in letters to the member."
    )
    name: FreeText | None = None
    time_zone: str = Field(
        default="Europe/Brussels",
        max_length=64,
        pattern=r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$",
        description="IANA name; a reader that does not know it shows UTC, and says so.",
    )
    identities: tuple[Identity, ...] = Field(default=(), max_length=20, description="Who this is at each provider.")
    confirmed_at: Time | None = Field(
        default=None,
        description="When the member last confirmed these addresses and phones: messages that were held back after a "
        "bounce or STOP go there again.",
    )
    has_card: StrictBool = Field(default=False, description="Whether the member holds a membership card.")


class WelcomedV1(Data):
    """A new member has access to the portal."""

    welcomed_at: Time


class RegistrationConfirmedV1(Data):
    """Carries its own recipient: so early there may be no contact yet."""

    email: Email
    confirmed_at: Time
    brand: Brand | None = None
    locale: Locale | None = None


class BenefitApplicationReceivedV1(Data):
    """An application for a benefit has arrived."""

    benefit: FreeText = Field(
        description="What was applied for, in the member's language: it is shown as it is, not translated. What looks "
        "like a national register number is shown as dots, here and in for_whom."
    )
    for_whom: FreeText = Field(description="Who it is for: a name, or words in the member's language.")
    received_at: Time


class BankAccountChangedV1(Data):
    """Reimbursements go to another account from now on."""

    account_ending: str = Field(pattern=r"^[A-Z0-9]{4}$", description="Last four characters of the account number.")
    direct_debit_changed: StrictBool = Field(description="Whether direct debit uses the new account too.")
    changed_at: Time


class CoverageEndedV1(Data):
    """The last day covered."""

    ended_on: Day


class CoverageReinstatedV1(Data):
    """Covered again, from this day."""

    reinstated_on: Day


class PortalAccessEndingV1(Data):
    """The portal closes 24 months after coverage ended; from auth_events' timers."""

    coverage_ended_on: Day
    access_ends_on: Day
    reminder: StrictBool = Field(description="False when coverage ends, true 30 days before access does.")
