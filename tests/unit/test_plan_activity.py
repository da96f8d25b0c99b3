"""What a member may switch off, and what the portal shows as well: who gets it, and where."""

from typing import Any

import pytest

from schemas.envelope import Event
from schemas.members import Preferences
from schemas.types import Data
from tests.support.notifier import event_of
from tests.unit.test_plan import CONTACT, T0, changed, planned

MEMBER = CONTACT.model_copy(update={"brand": "cm", "language": "nl"})
SILENT = {"preferences": Preferences(general=False)}


def of(type_: str, **data: Any) -> Event[Data]:
    return event_of(type_, "m-1", id="e-1", time=T0, **data)


def application() -> Event[Data]:
    return of(
        "members.benefit-application-received.v1", benefit="Contact lenses", for_whom="Emma", received_at=T0
    )  # fmt: skip


def account(**data: Any) -> Event[Data]:
    values = {"account_ending": "1234", "direct_debit_changed": True, "changed_at": T0, **data}
    return of("members.bank-account-changed.v1", **values)


def test_a_general_notice_follows_the_preferences() -> None:
    (sent,), (kept,) = planned(application(), MEMBER), planned(application(), MEMBER.model_copy(update=SILENT))
    assert (sent.state, sent.reason, sent.address) == ("accepted", None, "mail@example.test")
    assert (kept.state, kept.reason) == ("suppressed", "switched-off")


@pytest.mark.parametrize("event", [changed(), account()], ids=lambda event: event.type)
def test_security_cannot_be_switched_off(event: Event[Data]) -> None:
    assert {row.state for row in planned(event, MEMBER.model_copy(update=SILENT))} == {"accepted"}


@pytest.mark.parametrize(
    "event",
    [
        of("identity.account-secured.v1", means="itsme", secured_at=T0),
        of("identity.pin-blocked.v1", blocked_at=T0),
        of("identity.sign-in-method-changed.v1", method="pin", change="set", changed_at=T0),
    ],
    ids=lambda event: event.type,
)
def test_the_portal_shows_it_beside_the_mail(event: Event[Data]) -> None:
    rows = planned(event, MEMBER)
    assert [(row.channel, row.role, row.address) for row in rows] == [
        ("email", "login", "login@example.test"),
        ("in-app", "inbox", "m-1"),
    ]
    assert len({row.id for row in rows}) == 2


def test_a_new_account_number_is_told_at_both_addresses_and_in_the_portal() -> None:
    assert [(row.channel, row.role, row.address) for row in planned(account(), MEMBER)] == [
        ("email", "login", "login@example.test"),
        ("email", "communication", "mail@example.test"),
        ("in-app", "inbox", "m-1"),
    ]


@pytest.mark.parametrize("communication", [None, "login@example.test"])
def test_one_address_is_written_to_once(communication: str | None) -> None:
    contact = MEMBER.model_copy(update={"communication_email": communication})
    assert [row.role for row in planned(account(), contact)] == ["login", "inbox"]
