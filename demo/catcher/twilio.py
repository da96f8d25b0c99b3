"""Twilio's Messages resource as the official SDK calls it: the same paths, status codes, bodies and refusals.

Source: Twilio's API reference for the Message resource (2010-04-01) and its error catalogue.
"""

import asyncio
import base64
import binascii
import re
import secrets
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.catcher.faults import Fault, Faults
from demo.catcher.inbox import Inbox
from demo.catcher.messages import Text

VERSION = "2010-04-01"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MAX_BODY_CHARACTERS = 1600
_MAX_VALIDITY_SECONDS = 36_000
_MAX_FORM_BYTES = 64 * 1024


class Twilio:
    """One account. `account_sid` and `auth_token` are the only credentials it takes."""

    def __init__(
        self,
        inbox: Inbox,
        faults: Faults,
        closing: asyncio.Event,
        hang_up: Callable[[Request], None],
        *,
        account_sid: str,
        auth_token: str,
    ) -> None:
        self._inbox = inbox
        self._faults = faults
        self._closing = closing
        self._hang_up = hang_up
        self._account_sid = account_sid
        self._auth_token = auth_token

    @property
    def routes(self) -> list[Route]:
        account = f"/{VERSION}/Accounts/{{account}}"
        return [
            Route(f"{account}.json", self._account, methods=["GET"]),
            Route(f"{account}/Messages.json", self._create, methods=["POST"]),
            Route(f"{account}/Messages.json", self._list, methods=["GET"]),
            Route(f"{account}/Messages/{{sid}}.json", self._fetch, methods=["GET"]),
        ]

    async def _create(self, request: Request) -> Response:
        if refused := self._refuse_caller(request):
            return refused
        body = await request.body()
        if len(body) > _MAX_FORM_BYTES:
            return _error(413, 20413, "Request Entity Too Large")
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if refused := _refuse_form(form):
            return refused
        fault = self._faults.take("sms", (form["To"],))
        text = self._store(form) if fault is None or fault.store else None
        if fault is not None:
            return await self._misbehave(fault, request)
        assert text is not None
        return JSONResponse(self._resource(text, "accepted" if text.sender.startswith("MG") else "queued"), 201)

    def _store(self, form: dict[str, str]) -> Text:
        return self._inbox.add_text(
            sid="SM" + secrets.token_hex(16),
            sender=form.get("From") or form["MessagingServiceSid"],
            to=form["To"],
            body=form["Body"],
            form=form,
        )

    async def _misbehave(self, fault: Fault, request: Request) -> Response:
        match fault.action:
            case "silence":
                await self._until_gone(request)
                return Response(status_code=503)
            case "disconnect":
                self._hang_up(request)
                return Response(status_code=503)
            case _ if fault.code is None:
                return PlainTextResponse(fault.reply or "upstream error", fault.status)
            case _:
                return _error(fault.status, fault.code, fault.reply or "Too Many Requests")

    async def _until_gone(self, request: Request) -> None:
        """Say nothing until the client has given up or the catcher closes."""
        gone = asyncio.create_task(_disconnected(request))
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait((gone, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            closing.cancel()

    async def _fetch(self, request: Request) -> Response:
        if refused := self._refuse_caller(request):
            return refused
        sid = request.path_params["sid"]
        for text in self._inbox.texts:
            if text.sid == sid:
                return JSONResponse(self._resource(text, "delivered"))
        return _error(404, 20404, f"The requested resource {request.url.path} was not found")

    async def _list(self, request: Request) -> Response:
        if refused := self._refuse_caller(request):
            return refused
        to = request.query_params.get("To")
        size = min(int(request.query_params.get("PageSize", "50")), 1000)
        texts = [text for text in reversed(self._inbox.texts) if to in {None, text.to}][:size]
        return JSONResponse(
            {
                "messages": [self._resource(text, "delivered") for text in texts],
                "uri": request.url.path,
                "first_page_uri": request.url.path,
                "next_page_uri": None,
                "previous_page_uri": None,
                "page": 0,
                "page_size": size,
                "start": 0,
                "end": max(0, len(texts) - 1),
            }
        )

    async def _account(self, request: Request) -> Response:
        if refused := self._refuse_caller(request):
            return refused
        return JSONResponse({"sid": self._account_sid, "friendly_name": "Catcher", "status": "active", "type": "Full"})

    def _refuse_caller(self, request: Request) -> Response | None:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        expected = f"{self._account_sid}:{self._auth_token}"
        right = secrets.compare_digest(given.encode(), expected.encode())
        if scheme.lower() != "basic" or not right or request.path_params["account"] != self._account_sid:
            response = _error(401, 20003, "Authenticate")
            response.headers["www-authenticate"] = 'Basic realm="Twilio API"'
            return response
        return None

    def _resource(self, text: Text, status: str) -> dict[str, Any]:
        uri = f"/{VERSION}/Accounts/{self._account_sid}/Messages/{text.sid}"
        service = text.form.get("MessagingServiceSid")
        created = format_datetime(text.received_at.replace(microsecond=0))
        # Behind a Messaging Service the sender, and with it the number of segments, is chosen after the answer.
        chosen = status == "delivered" or service is None
        return {
            "account_sid": self._account_sid,
            "api_version": VERSION,
            "body": text.body,
            "date_created": created,
            "date_sent": created if status == "delivered" else None,
            "date_updated": created,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": text.form.get("From"),
            "messaging_service_sid": service,
            "num_media": "0",
            "num_segments": str(text.segments.parts) if chosen else "0",
            "price": None,
            "price_unit": "USD",
            "sid": text.sid,
            "status": status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": text.to,
            "uri": f"{uri}.json",
        }


def _refuse_form(form: dict[str, str]) -> Response | None:
    to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
    validity = form.get("ValidityPeriod", "1")
    in_range = re.fullmatch("[0-9]{1,5}", validity) is not None and 1 <= int(validity) <= _MAX_VALIDITY_SECONDS
    rules = (
        (bool(to), 21604, "A 'To' phone number is required."),
        (_E164.fullmatch(to) is not None, 21211, f"The 'To' number {to} is not a valid phone number."),
        (bool(sender or form.get("MessagingServiceSid")), 21603, "A 'From' phone number is required."),
        (sender != to, 21266, "'To' and 'From' number cannot be the same"),
        (bool(body), 21602, "Message body is required."),
        (len(body) <= _MAX_BODY_CHARACTERS, 21617, "The concatenated message body exceeds the 1600 character limit"),
        (in_range, 21624, "ValidityPeriod must be an integer from 1 to 36000"),
    )
    broken = next((rule for rule in rules if not rule[0]), None)
    return None if broken is None else _error(400, broken[1], broken[2])


def _error(status: int, code: int, message: str) -> JSONResponse:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return JSONResponse({"code": code, "message": message, "more_info": more_info, "status": status}, status)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
