"""A member as planning sees one: the contact, and the addresses it has left. Sealed in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.envelope import Event, EventError
from schemas.members import ContactV1
from schemas.types import Data
from services.notifier.addresses import LeftAddress, left_addresses, left_until, read, written
from services.notifier.catalogue import OF_COMPLAINTS
from services.notifier.ledger.rows import Sealer
from services.notifier.plan import Plan, Planned, Refused, Rules, Waiting, plan
from services.runtime.database import Record

UNREADABLE = Refused(EventError("contact-unreadable", "subject", "no key in VAULT_KEYS opens the stored contact"))


@dataclass(frozen=True, slots=True)
class Known:
    """A member as planning sees one."""

    contact: ContactV1
    left: tuple[LeftAddress, ...]
    """Oldest first; some may have had their days."""


def open_known(sealer: Sealer, row: Record) -> Known:
    """Raises `VaultError`."""
    name = f"contacts/{row['member_id']}"
    return Known(
        ContactV1.model_validate_json(sealer.vault.decrypt(row["data"], f"{name}/data")), open_left(sealer, row)
    )


def open_left(sealer: Sealer, row: Record) -> tuple[LeftAddress, ...]:
    """Raises `VaultError`."""
    left = row["left_addresses"]
    return () if left is None else read(sealer.vault.decrypt(left, f"contacts/{row['member_id']}/left_addresses"))


def seal_known(
    sealer: Sealer, member: str, before: Known | None, contact: ContactV1, at: datetime
) -> tuple[bytes, bytes | None, datetime | None]:
    """The contact as of `at`, and the sign-in addresses left by then, as `seal_left` has them."""
    left = () if before is None else left_addresses(before.contact, before.left, contact, at)
    data = sealer.vault.encrypt(contact.model_dump_json().encode(), f"contacts/{member}/data")
    return (data, *seal_left(sealer, member, left))


def seal_left(sealer: Sealer, member: str, left: Sequence[LeftAddress]) -> tuple[bytes | None, datetime | None]:
    """With the moment from which on the first of them is to be gone."""
    sealed = sealer.vault.encrypt(written(left), f"contacts/{member}/left_addresses") if left else None
    return sealed, left_until(left)


def planned_for(event: Event[Data], members: Mapping[str, Known | None], now: datetime, rules: Rules) -> Plan:
    """What the plan says today, with what is known of the event's member.

    Without a contact that cannot be read nobody knows the language, the preferences, or which addresses were left; so
    what would cause a message is refused, to be replayed when the key is back.
    """
    known = members.get(event.subject)
    if known is not None:
        return plan(event, known.contact, now, rules, known.left)
    decision = plan(event, None, now, rules)
    needs_it = isinstance(decision, Planned | Waiting) and event.type not in OF_COMPLAINTS
    return UNREADABLE if needs_it and event.subject in members else decision
