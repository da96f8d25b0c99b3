"""Misbehaviour to order: what the catcher does instead of its duty, where, to whom and how often."""

import fnmatch
import re
from collections.abc import Iterable
from itertools import chain
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Stage = Literal["greeting", "auth", "mail", "rcpt", "data", "body", "dot", "sms"]
Action = Literal["reply", "disconnect", "silence", "drip"]


class Fault(BaseModel):
    """One misbehaviour. The first that matches wins; scripted ones come before the built-in mailboxes and numbers.

    | field | means |
    |---|---|
    | `at` | `greeting` · `auth` · `mail` · `rcpt` · `data` (the command) · `body` (first bytes after 354) · `dot` (after the final dot) · `sms` (Twilio's Messages) |
    | `action` | `reply` answers with `reply`, or `status` and `code` at `sms`; `disconnect` hangs up; `silence` never answers; `drip` answers one byte every `drip_seconds` |
    | `to` | shell pattern on the recipient or number, any case; at `mail` on the sender; at `greeting` and `auth` only `*` matches |
    | `times` | how often it strikes; `None`: until the faults are cleared |
    | `store` | at `dot` and `sms`: the message is kept although the client does not learn it |
    | `reply` | SMTP reply line(s) such as `450 4.2.0 Try again later`; at `sms` the error's message |
    | `status`, `code` | at `sms`: HTTP status and Twilio's error code; without a code the body is not Twilio's JSON |

    A 421 reply closes the connection, as RFC 5321 has it. `drip` at `dot` keeps the message.
    """  # noqa: E501 - a table

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Stage
    action: Action = "reply"
    to: str = "*"
    times: int | None = Field(default=1, ge=1)
    store: bool = False
    reply: str = Field(default="", max_length=500)
    drip_seconds: float = Field(default=0.1, gt=0, le=60)
    status: int = Field(default=500, ge=400, le=599)
    code: int | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.at == "body" and self.action not in {"disconnect", "silence"}:
            raise ValueError("between 354 and the final dot a server cannot reply: disconnect or silence")
        if self.at == "sms" and self.action == "drip":
            raise ValueError("drip is for SMTP; at sms use silence")
        if self.store and self.at not in {"dot", "sms"}:
            raise ValueError("store only makes sense at dot and at sms: before that there is no message")
        smtp_reply = self.at != "sms" and (self.action == "reply" or self.reply)
        if smtp_reply and not re.fullmatch(r"[2-5][0-9]{2} [\x20-\x7e]+", self.reply):
            raise ValueError("reply is a three-digit code, a space and printable ASCII, like '450 4.2.0 Try later'")
        return self


MAILBOXES = (
    Fault(at="rcpt", to="nouser*", times=None, reply="550 5.1.1 No such user here"),
    Fault(at="rcpt", to="full*", times=None, reply="552 5.2.2 Mailbox full"),
    Fault(at="rcpt", to="grey*", times=None, reply="450 4.2.0 Greylisted, try again later"),
    Fault(at="rcpt", to="busy*", times=None, reply="421 4.3.2 Service shutting down"),
)
"""Mailboxes that always misbehave, as on a real mail server: `nouser@…`, `full@…`, `grey@…`, `busy@…`."""

NUMBERS = tuple(
    Fault(at="sms", to=number, times=None, status=status, code=code, reply=message)
    for number, status, code, message in (
        ("+15005550001", 400, 21211, "Invalid 'To' Phone Number"),
        ("+15005550002", 400, 21612, "Message cannot be sent with the current combination of 'To' and 'From'"),
        ("+15005550003", 400, 21408, "Permission to send an SMS has not been enabled for this region"),
        ("+15005550004", 400, 21610, "Attempt to send to unsubscribed recipient"),
        ("+15005550009", 400, 21614, "'To' number is not a valid mobile number"),
    )
)
"""Twilio's own magic numbers for tests, each always refused with its documented code."""


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times
        self.matches = re.compile(fnmatch.translate(fault.to.lower())).match


class Faults:
    """The script in force: adds, strikes, counts."""

    def __init__(self) -> None:
        self._armed: dict[str, list[_Armed]] = {}
        self._built_in: dict[str, list[_Armed]] = {}
        for fault in (*MAILBOXES, *NUMBERS):
            self._built_in.setdefault(fault.at, []).append(_Armed(fault))
        self.struck: dict[str, int] = {}
        """How many faults struck, by stage and action, for example `dot/disconnect`."""

    def add(self, *faults: Fault) -> None:
        for fault in faults:
            self._armed.setdefault(fault.at, []).append(_Armed(fault))

    def clear(self) -> None:
        """Back to good behaviour; the built-in mailboxes and numbers stay."""
        self._armed.clear()

    @property
    def armed(self) -> list[dict[str, object]]:
        """What is still to strike, for display."""
        return [
            {**each.fault.model_dump(exclude_defaults=True), "at": each.fault.at, "left": each.left}
            for armed in self._armed.values()
            for each in armed
        ]

    def take(self, at: Stage, addresses: Iterable[str] = ()) -> Fault | None:
        """The fault that strikes here, used up by one, or None."""
        if at not in self._armed and at not in self._built_in:
            return None
        lowered = [address.lower() for address in addresses] or [""]
        for each in chain(self._armed.get(at, ()), self._built_in.get(at, ())):
            if any(each.matches(address) for address in lowered):
                self._strike(each)
                return each.fault
        return None

    def _strike(self, armed: _Armed) -> None:
        fault = armed.fault
        key = f"{fault.at}/{fault.action}"
        self.struck[key] = self.struck.get(key, 0) + 1
        if armed.left is None:
            return
        armed.left -= 1
        if armed.left == 0:
            self._armed[fault.at].remove(armed)
