"""A Security Event Token (RFC 8417), verified: its signature, and that it is for us. PURE but for joserfc.

Refused with the codes of RFC 8935, section 2.4. The key and the algorithm come from the issuer's keys and from our
list; what the token says of either only selects.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import Key

from schemas.envelope import EventError, parse_json, refuse_unstorable
from services.auth_events.access import AHEAD
from services.auth_events.providers.signals import at, numeric_time

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
OLDEST = timedelta(days=7)
"""Of a token: as long as what was taken is remembered, less a day."""
Err = Literal[
    "invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"
]


class SetRefusedError(Exception):
    """`description` is a rule, and holds nothing that was sent."""

    def __init__(self, err: Err, description: str) -> None:
        super().__init__(err)
        self.err = err
        self.description = description


@dataclass(frozen=True, slots=True)
class Presented:
    """What a token says of itself, before anything of it is believed."""

    algorithm: str
    kid: str
    issuer: str


def presented(token: bytes) -> Presented:
    """Raises `SetRefusedError`."""
    parts = token.split(b".")
    if len(parts) != 3:
        raise SetRefusedError("invalid_request", "the body is one signed token in compact form")
    header, claims = _object(parts[0]), _object(parts[1])
    if str(header.get("typ")).lower().removeprefix("application/") != "secevent+jwt":
        raise SetRefusedError("invalid_request", "typ is secevent+jwt")
    if "crit" in header or "b64" in header:
        raise SetRefusedError("invalid_request", "no critical header parameters")
    algorithm, kid, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if algorithm not in ALGORITHMS:
        raise SetRefusedError("authentication_failed", f"alg is one of {', '.join(ALGORITHMS)}")
    if not isinstance(issuer, str) or not issuer:
        raise SetRefusedError("invalid_issuer", "iss is given")
    if not isinstance(kid, str) or not kid:
        raise SetRefusedError("invalid_key", "kid names a key of the issuer's")
    return Presented(str(algorithm), kid, issuer)


def verified(token: bytes, key: Key, said: Presented, audience: str, now: datetime) -> Mapping[str, Any]:
    """The claims. Raises `SetRefusedError`."""
    try:
        payload = jws.deserialize_compact(token, key, algorithms=[said.algorithm]).payload
    except BadSignatureError:
        raise SetRefusedError("authentication_failed", "the signature is the issuer's") from None
    except (JoseError, ValueError, TypeError):
        raise SetRefusedError("invalid_key", "the key is one for this algorithm") from None
    claims = _claims(payload)
    _refuse_others(claims, audience)
    _refuse_untimely(claims, now)
    return claims


def _refuse_others(claims: Mapping[str, Any], audience: str) -> None:
    meant = claims.get("aud")
    if audience not in (meant if isinstance(meant, list) else [meant]):
        raise SetRefusedError("invalid_audience", "aud names this receiver")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise SetRefusedError("invalid_request", "jti is given")
    if not isinstance(claims.get("events"), dict) or not claims["events"]:
        raise SetRefusedError("invalid_request", "events holds at least one event")


def _refuse_untimely(claims: Mapping[str, Any], now: datetime) -> None:
    issued = numeric_time(claims.get("iat"))
    if issued is None or not now - OLDEST <= issued <= now + AHEAD:
        raise SetRefusedError("invalid_request", "iat lies between 7 days ago and 5 minutes ahead")
    if "exp" in claims:
        expires = numeric_time(claims["exp"])
        if expires is None or expires <= now:
            raise SetRefusedError("invalid_request", "exp has not passed")


def _claims(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = parse_json(payload)
        refuse_unstorable(at(claims, "jti"))
    except EventError:
        raise SetRefusedError("invalid_request", "the claims are a JSON object in UTF-8") from None
    if not isinstance(claims, Mapping):
        raise SetRefusedError("invalid_request", "the claims are a JSON object in UTF-8")
    return claims


def _object(part: bytes) -> Mapping[str, Any]:
    try:
        raw = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SetRefusedError("invalid_request", "each part of the token is base64url") from None
    return _claims(raw)
