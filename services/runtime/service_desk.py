"""Who may ask for people's stories over HTTP, and how a question is refused: the same at every service.

A token of its own (`Authorization: Bearer`), of which we know the SHA-256 only. A refusal is a problem document
(RFC 9457) that names the parameter and the rule, and repeats nothing of what was sent.
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Collection

import structlog
from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.runtime.database import describe, is_away

log = structlog.get_logger()


class ServiceDeskSettings(BaseSettings):
    """Mixed into the settings of a service that answers the service desk."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, frozen=True)

    service_desk_token_sha256: str = ""
    """SHA-256 of the tokens that may ask, separated by commas; empty: the routes are off."""

    @field_validator("service_desk_token_sha256")
    @classmethod
    def _hashes_not_tokens(cls, value: str) -> str:
        if value and not all(re.fullmatch(r"[0-9a-f]{64}", entry.strip()) for entry in value.split(",")):
            raise ValueError(
                "each entry is the SHA-256 of a token, 64 hex digits in lower case, never the token itself"
            )
        return value

    def service_desk_tokens(self) -> tuple[str, ...]:
        """Their hashes."""
        return tuple(entry.strip() for entry in self.service_desk_token_sha256.split(",") if entry.strip())


class RefusedError(Exception):
    """Why a question gets no answer. `detail` is a rule and never what was asked; its title ends at the first colon."""

    def __init__(self, status: int, code: str, detail: str, parameter: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.document = {
            "type": f"urn:member-notices:problem:{code}",
            "title": detail.partition(":")[0],
            "status": status,
            "detail": detail,
            **({"parameter": parameter} if parameter else {}),
        }


class BearerTokens:
    """`token_sha256`: hashes of the tokens that may ask, several while one is being replaced; none: off."""

    def __init__(self, token_sha256: Collection[str]) -> None:
        self._known = [bytes.fromhex(token) for token in token_sha256]

    def refuse_strangers(self, request: Request) -> None:
        """Raises `RefusedError`. Constant time in what the token is: every hash is compared, whichever matches."""
        if not self._known:
            raise RefusedError(404, "off", "This route is off: set SERVICE_DESK_TOKEN_SHA256 to switch it on")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        presented = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        matches = [hmac.compare_digest(each, presented) for each in self._known]
        if scheme.lower() != "bearer" or not any(matches):
            raise RefusedError(401, "token", "No valid token: send Authorization: Bearer with the service desk's token")


async def answer(request: Request, tokens: BearerTokens, ask: Callable[[Request], Awaitable[Response]]) -> Response:
    """What `ask` answers, or the problem; nothing of it is kept by whoever is in between."""
    try:
        tokens.refuse_strangers(request)
        response = await ask(request)
    except RefusedError as refused:
        response = problem(refused)
    except Exception as error:
        if is_away(error):
            log.warning("service_desk_without_database", **describe(error))
            response = problem(
                RefusedError(503, "unavailable", "The database cannot be reached: ask again in a minute")
            )
        else:
            log.error("service_desk_failed", exc_info=error)
            response = problem(RefusedError(500, "internal", "A defect of ours: the service's log says what happened"))
    response.headers["Cache-Control"] = "no-store"
    return response


def problem(refused: RefusedError) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="service-desk"'} if refused.status == 401 else {}
    return JSONResponse(
        refused.document, status_code=refused.status, headers=headers, media_type="application/problem+json"
    )


def only(request: Request, *known: str) -> None:
    """Raises `RefusedError` for a parameter that the route does not have, or one that was given twice."""
    for name in request.query_params:
        if name not in known:
            rule = f"use {' or '.join(known)}" if known else "this route has none"
            raise RefusedError(400, "parameter", f"Unknown parameter: {rule}", "query")
        if len(request.query_params.getlist(name)) > 1:
            raise RefusedError(400, "parameter", "Given twice: give it once", name)


def limit_of(request: Request, *, default: int, highest: int) -> int:
    """Raises `RefusedError`."""
    text = request.query_params.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= highest):
        raise RefusedError(400, "parameter", f"Not usable: a whole number from 1 to {highest}", "limit")
    return int(text)
