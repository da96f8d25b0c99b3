"""A notification as the lanes see it, and its sealed columns."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.notifier.addresses import normalised
from services.notifier.plan import Notification
from services.runtime.database import Record
from services.runtime.vault import Vault, VaultError


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """Ours to send until the lease ends: everything a message needs, decrypted."""

    day: date
    id: uuid.UUID
    token: uuid.UUID
    notice: str
    channel: str
    role: str
    lane: str
    brand: str
    locale: str
    attempts: int
    event_time: datetime
    accepted_at: datetime
    expires_at: datetime | None
    hand_over_by: datetime | None
    member_id: str
    """Opaque; of a letter, the complaint's."""
    event_source: str
    event_id: str
    address: str = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)
    """For the template, secrets included."""
    complaint: str | None = None
    """Whose letter it is; None: it is no letter."""
    limit_at: datetime | None = None
    """Of what a letter is to meet, exclusive."""
    not_before: datetime | None = None
    """Until then it waited on purpose."""
    again: bool = False
    """A letter that may have left before: this one says so."""

    @property
    def owed_from(self) -> datetime:
        """From when on it is late: not from before it may go."""
        return self.event_time if self.not_before is None else max(self.event_time, self.not_before)

    @property
    def to_complainant(self) -> bool:
        """Of these a complaint has one in hand-over at a time, and one that may have left waits to be reconciled."""
        return self.complaint is not None and self.role == "complainant"


class Sealer:
    """Seals and opens the columns that hold what is private; each bound to its row and column."""

    def __init__(self, vault: Vault, search_key: bytes) -> None:
        self.vault = vault
        self._search_key = search_key

    def seal(self, notification: Notification) -> tuple[bytes | None, bytes | None, bytes, bytes | None]:
        """address, address_hash, facts, secrets."""
        row = f"notifications/{notification.id}"
        address = notification.address
        terminal = notification.state != "accepted"
        return (
            None if address is None else self.vault.encrypt(address.encode(), f"{row}/address"),
            None if address is None else self.search_hash(address),
            self.seal_facts(notification.id, notification.facts),
            None
            if terminal or not notification.secrets
            else self.vault.encrypt(json.dumps(notification.secrets, ensure_ascii=False).encode(), f"{row}/secrets"),
        )

    def seal_facts(self, notification: uuid.UUID, facts: Mapping[str, Any]) -> bytes:
        value = json.dumps(facts, ensure_ascii=False).encode()
        return self.vault.encrypt(value, f"notifications/{notification}/facts")

    def open(self, row: Record, token: uuid.UUID) -> Leased:
        """Raises `VaultError` for this row alone."""
        name = f"notifications/{row['id']}"
        if row["address"] is None or row["facts"] is None:
            raise VaultError("an open notification without its contents")
        facts: dict[str, Any] = json.loads(self.vault.decrypt(row["facts"], f"{name}/facts"))
        if row["secrets"] is not None:
            facts |= json.loads(self.vault.decrypt(row["secrets"], f"{name}/secrets"))
        return Leased(
            **{column: row[column] for column in COLUMNS_AS_THEY_ARE},
            token=token,
            address=self.vault.decrypt(row["address"], f"{name}/address").decode(),
            facts=facts,
            complaint=None if row["cancelled_from"] is None else row["member_id"],
        )

    def search_hash(self, address: str) -> bytes:
        """HMAC of the normalised address, under a key of its own."""
        return hmac.digest(self._search_key, normalised(address).encode(), hashlib.sha256)


COLUMNS_AS_THEY_ARE = (
    "day",
    "id",
    "notice",
    "channel",
    "role",
    "lane",
    "brand",
    "locale",
    "attempts",
    "event_time",
    "accepted_at",
    "expires_at",
    "hand_over_by",
    "limit_at",
    "not_before",
    "member_id",
    "event_source",
    "event_id",
)
