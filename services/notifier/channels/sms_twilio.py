"""SMS by Twilio's SDK, made safe.

The SDK's async client ignores its time-out and then has none, and its `max_retries` repeats POST, which sends twice:
here every request has one time-out, is made once, and what broke after it was sent is unknown (Messages has no
idempotency key).
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, encode_basic_auth
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from services.notifier.channels.base import ChannelError, Consequence, OutgoingMessage, Sent
from services.runtime.clock import Clock

LONGEST_VALIDITY_SECONDS = 14_400
LONGEST_PATIENCE = timedelta(hours=1)

OPTED_OUT = 21610
"""The reader answered STOP. Twilio refuses what comes after it, and we do not ask again; the portal reads
`opted-out` in the outcome, and can offer another way."""
CONSEQUENCES: Mapping[int, Consequence] = {
    **dict.fromkeys(
        # invalid, region off, opted out, unreachable, landline, not a mobile, unknown, blocked, unreachable carrier
        (21211, 21408, OPTED_OUT, 21612, 21614, 21617, 30004, 30005, 30006),
        Consequence.PERMANENT,
    ),
    **dict.fromkeys((20429, 30001, 30003, 30008), Consequence.RETRY),
    **dict.fromkeys((20003, 21603, 21606, 21659, 30002, 30007, 30034), Consequence.CONFIGURATION),
}
"""Twilio's error code → what it means for us."""


class _SafeHttpClient(AsyncHttpClient):  # type: ignore[misc]
    """One time-out, no retries, no logging of bodies; requests go to `base_url`."""

    def __init__(self, base_url: str, seconds: float) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True, timeout=seconds)
        self._base_url = base_url.rstrip("/")
        self._timeout = ClientTimeout(total=seconds, sock_connect=seconds / 2)
        self._session: ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 (ours is for the whole)
        allow_redirects: bool = False,
    ) -> Response:
        if self._session is None:
            self._session = ClientSession(timeout=self._timeout)
        async with self._session.request(
            method,
            # The path alone: TWILIO_EDGE or TWILIO_REGION in the environment would change the SDK's host.
            self._base_url + urlsplit(url).path,
            params=params,
            data=data,
            headers={**(headers or {}), **({"Authorization": encode_basic_auth(*auth)} if auth else {})},
            allow_redirects=allow_redirects,
        ) as response:
            if response.status == 429:
                # Never taken, and the SDK's error does not carry the header.
                raise ChannelError(
                    Consequence.RETRY, "twilio:429", reply_code="429", retry_after=_retry_after(response.headers)
                )
            return Response(response.status, await response.text(), response.headers)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class TwilioChannel:
    """`sender`: a number, or a messaging service (MG…). What remains until a message expires is read from `clock`."""

    name = "sms"

    def __init__(
        self, *, account_sid: str, auth_token: str, sender: str, base_url: str, send_seconds: float, clock: Clock
    ) -> None:
        self._http = _SafeHttpClient(base_url, send_seconds)
        client = Client(account_sid, auth_token, http_client=self._http)
        # Imported by the SDK on first use, a quarter of a second that would stop the loop before the first code.
        self._messages = client.messages
        self._from = {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}
        self._clock = clock
        self._trouble: str | None = None

    async def send(self, message: OutgoingMessage) -> Sent:
        try:
            taken = await self._messages.create_async(
                to=message.address,
                body=message.body.decode(),
                validity_period=_validity(message.expires_at, self._clock.now()),
                **self._from,
            )
            reference = _reference(taken.sid)
        except (TwilioRestException, TwilioServiceException) as error:
            raise self._refused(error) from None
        except ClientConnectorError:
            raise ChannelError(Consequence.RETRY, "twilio:unreachable") from None
        except TimeoutError:
            raise ChannelError(Consequence.UNKNOWN, "twilio:time-out") from None
        except (ClientError, ValueError, TypeError, AttributeError):
            # Broken off, or an answer that is not Twilio's JSON object: it may have been taken.
            raise ChannelError(Consequence.UNKNOWN, "twilio:broken-off") from None
        self._trouble = None
        return Sent(reply_code="201", reference=reference)

    async def check(self) -> str | None:
        if self._trouble is None:
            return None
        return f"Twilio refuses us ({self._trouble}); check TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_SENDER"

    async def close(self) -> None:
        await self._http.close()

    def _refused(self, error: TwilioRestException | TwilioServiceException) -> ChannelError:
        status, code = int(error.status), error.code if isinstance(error.code, int) else 0
        consequence = CONSEQUENCES.get(code) or _by_status(status)
        reason = f"twilio:{code or status}"
        self._trouble = reason if consequence is Consequence.CONFIGURATION else None
        if code == OPTED_OUT:
            return ChannelError(consequence, "opted-out", reply_code=str(status), suppresses="opted-out")
        return ChannelError(consequence, reason, reply_code=str(status))


def _reference(sid: object) -> str:
    """The SDK takes an empty answer for an empty message."""
    if not isinstance(sid, str) or not sid:
        raise ValueError("an acceptance without a sid")
    return sid


def _by_status(status: int) -> Consequence:
    """A code we do not know. 5xx to a POST that may have been taken is unknown, as Twilio documents no guarantee."""
    if status in {401, 403, 404, 407}:
        return Consequence.CONFIGURATION
    if status in {408, 425, 429}:
        return Consequence.RETRY
    return Consequence.PERMANENT if 400 <= status < 500 else Consequence.UNKNOWN


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110, 10.2.3), at most an hour; None where it says nothing readable."""
    text = headers.get("Retry-After", "")
    try:
        asked = timedelta(seconds=int(text[:9])) if text.isdigit() else parsedate_to_datetime(text) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
    return min(max(asked, timedelta(0)), LONGEST_PATIENCE)


def _validity(expires_at: datetime | None, now: datetime) -> int:
    """Seconds Twilio may keep it queued: what remains."""
    if expires_at is None:
        return LONGEST_VALIDITY_SECONDS
    left = (expires_at - now) // timedelta(seconds=1)
    return max(1, min(LONGEST_VALIDITY_SECONDS, left))
