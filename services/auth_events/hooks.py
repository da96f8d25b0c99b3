"""What providers call: who is it → what is it → whose is it → taken → answered, within 3 s.

An answer says how many events were taken, or what is wrong, and repeats nothing. 5xx only where sending again helps:
some providers send again after a 5xx and never after a 4xx. One entry that means nothing never costs its neighbours.

Time. A body is read for at most 10 s, which is the provider's own time; after it a transmitter's key is waited for 1 s
at most, and PostgreSQL 1.5 s. The broker is in nobody's way: what is taken lies in the outbox (ADR 0031).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.envelope import EventError, parse_json
from services.auth_events import problems, trust
from services.auth_events.access import AHEAD
from services.auth_events.body import read_body
from services.auth_events.hand_over import UnavailableError
from services.auth_events.intake import CLIENT_CLOSED_REQUEST, RETRY_AFTER_SECONDS, answer
from services.auth_events.jwks import Jwks, KeysAwayError
from services.auth_events.metrics import Metrics, Told, UpstreamMetrics
from services.auth_events.problems import Problem, RefusedError
from services.auth_events.providers import auth0, keycloak, okta, ssf
from services.auth_events.providers.signals import Finding, Kind, Signal
from services.auth_events.sets import SetRefusedError, presented, verified
from services.auth_events.upstreams import Source, Upstreams
from services.runtime import traces
from services.runtime.clock import Clock

log = structlog.get_logger()

REPLAY_WINDOW = timedelta(hours=24)
"""Of a Keycloak webhook, whose signature says nothing of when it was made."""
CHALLENGE = "x-okta-verification-challenge"
MAX_CHALLENGE = 512
SET_MEDIA_TYPE = "application/secevent+jwt"

Take = Callable[[Sequence[Signal]], Awaitable[list[Told]]]
"""Returns once they are taken, all of them; or raises `UnavailableError`, within 2 s."""
Accept = Callable[[Request], Awaitable[Response]]


class Hooks:
    """`routes` go into the process's Starlette application. `keys`: by the name of the transmitter's entry."""

    def __init__(
        self,
        upstreams: Upstreams,
        take: Take,
        clock: Clock,
        keys: Mapping[str, Jwks],
        metrics: tuple[Metrics, UpstreamMetrics],
    ) -> None:
        self._upstreams = upstreams
        self._take = take
        self._clock = clock
        self._keys = keys
        self._answers, self._metrics = metrics
        now = asyncio.get_running_loop().time
        self._rates = trust.Rates(now)
        self._strangers = trust.Rates(now)

    def routes(self) -> list[Route]:
        """Only those of which there is a provider: a path that nobody may use is not there."""
        table: tuple[tuple[Kind, str, Accept, list[str]], ...] = (
            ("keycloak", "/v1/keycloak/events", self._keycloak, ["POST"]),
            ("okta", "/v1/okta/event-hook", self._okta, ["GET", "POST"]),
            ("auth0", "/v1/auth0/logs", self._auth0, ["POST"]),
            ("ssf", "/v1/security-events", self._ssf, ["POST"]),
        )
        return [
            Route(path, self._endpoint(kind, accept), methods=methods)
            for kind, path, accept, methods in table
            if self._upstreams.of(kind)
        ]

    def _endpoint(self, kind: Kind, accept: Accept) -> Accept:
        async def endpoint(request: Request) -> Response:
            started = asyncio.get_running_loop().time()
            request.state.began = traces.since()
            try:
                response = await accept(request)
            except RefusedError as refused:
                response = self._refused(kind, refused.problem)
            except SetRefusedError as refused:
                response = self._set_refused(kind, refused)
            except ClientDisconnect:
                response = Response(status_code=CLIENT_CLOSED_REQUEST)
            self._answers.record_answer(response.status_code, asyncio.get_running_loop().time() - started)
            return response

        return endpoint

    async def _keycloak(self, request: Request) -> Response:
        body = await _body(request)
        signature = trust.only(request.headers, "x-keycloak-signature")
        sources = trust.signed(self._upstreams.of("keycloak"), body, signature)
        if not sources:
            self._refuse_stranger(request, "x-keycloak-signature", "hex HMAC-SHA256 of the body, with a secret we know")
        payload = _json(body)
        if not isinstance(payload, dict):
            raise RefusedError(problems.unreadable("one JSON object"))
        source = next((each for each in sources if each.upstream.realm == payload.get("realmName")), None)
        if source is None:
            raise RefusedError(problems.not_yours("realmName", "the realm of the entry whose secret signed"))
        self._refuse_flood(source)
        now, at = self._clock.now(), keycloak.happened_at(payload)
        if at is None:
            raise RefusedError(problems.unreadable("time is in milliseconds since 1970"))
        if not now - REPLAY_WINDOW <= at <= now + AHEAD:
            raise RefusedError(problems.outside_window("time", "from 24 hours ago to 5 minutes ahead"))
        return await self._accepted(request, source, [keycloak.read(payload, source.upstream, now)])

    async def _okta(self, request: Request) -> Response:
        if request.method != "POST":
            return _challenged(request)
        source = self._with_token(request, "okta")
        payload = _json(await _body(request))
        if not isinstance(payload, dict):
            raise RefusedError(problems.unreadable("one JSON object"))
        await self._accepted(request, source, okta.read(payload, source.upstream, self._clock.now()))
        return Response(status_code=204)

    async def _auth0(self, request: Request) -> Response:
        source = self._with_token(request, "auth0")
        body = await _body(request)
        try:
            entries = auth0.parse(body)
        except EventError:
            raise RefusedError(problems.unreadable("JSON lines, a JSON array or a JSON object")) from None
        return await self._accepted(request, source, auth0.read(entries, source.upstream, self._clock.now()))

    async def _ssf(self, request: Request) -> Response:
        if trust.only(request.headers, "content-type").partition(";")[0].strip().lower() != SET_MEDIA_TYPE:
            raise SetRefusedError("invalid_request", f"the media type is {SET_MEDIA_TYPE}")
        token = (await _body(request)).strip()
        said = presented(token)
        source = next((each for each in self._upstreams.of("ssf") if each.upstream.issuer == said.issuer), None)
        if source is None:
            self._count_stranger(request)
            raise SetRefusedError("invalid_issuer", "iss is an issuer whose events we take")
        if source.token_sha256 and trust.of_token([source], trust.only(request.headers, "authorization")) is None:
            self._count_stranger(request)
            raise SetRefusedError("authentication_failed", "the Authorization header is the one agreed upon")
        now = self._clock.now()
        try:
            key = await self._keys[source.upstream.name].key(said.kid, now)
        except KeysAwayError:
            raise RefusedError(problems.unavailable(RETRY_AFTER_SECONDS)) from None
        if key is None:
            self._count_stranger(request)
            raise SetRefusedError("invalid_key", "kid names a key of the issuer's that has not expired")
        claims = verified(token, key, said, source.audience, now)
        self._refuse_flood(source)
        findings = ssf.read(claims, source.upstream, now)
        if any(getattr(finding, "reason", None) == "foreign" for finding in findings):
            raise SetRefusedError("access_denied", "the subject is a user of an issuer that this one may speak of")
        await self._accepted(request, source, findings)
        return Response(status_code=202)

    def _with_token(self, request: Request, kind: Kind) -> Source:
        source = trust.of_token(self._upstreams.of(kind), trust.only(request.headers, "authorization"))
        if source is None:
            self._refuse_stranger(request, "authorization", "the value agreed upon")
        self._refuse_flood(source)
        return source

    async def _accepted(self, request: Request, source: Source, findings: Sequence[Finding]) -> Response:
        """Raises `RefusedError`: nothing of it was taken."""
        name = source.upstream.name
        signals = [finding for finding in findings if isinstance(finding, Signal)]
        try:
            fates = await self._take(signals) if signals else []
        except UnavailableError:
            log.error("upstream_not_accepted", upstream=name, status=503)
            raise RefusedError(problems.unavailable(RETRY_AFTER_SECONDS)) from None
        upstream = request.headers.get(traces.HEADER)
        for signal, fate in zip(signals, fates, strict=True):
            self._metrics.record_event(name, fate)
            if fate in {"told", "waiting"}:
                traces.published(signal.source, signal.id, signal.type, request.state.began, upstream, fate=fate)
        ignored = [finding.reason for finding in findings if not isinstance(finding, Signal)]
        for reason in ignored:
            self._metrics.record_ignored(name, reason)
        log.info(
            "upstream_accepted",
            upstream=name,
            types=dict(Counter(each.type for each in signals)),
            fates=dict(Counter(fates)),
            ignored=dict(Counter(ignored)),
        )
        return JSONResponse({"accepted": len(signals)}, status_code=202)

    def _refuse_flood(self, source: Source) -> None:
        key = f"{source.upstream.kind}:{source.upstream.name}"
        if not self._rates.allow(key, per_second=source.per_second, at_once=source.per_second * 5):
            raise RefusedError(problems.too_many(1))

    def _refuse_stranger(self, request: Request, field: str, rule: str) -> NoReturn:
        self._count_stranger(request)
        raise RefusedError(problems.unproven(field, rule))

    def _count_stranger(self, request: Request) -> None:
        """Raises `RefusedError`: so many that each is only counted. Whoever proves what he is never comes here."""
        host = request.client.host if request.client else ""
        if not self._strangers.allow(host, per_second=trust.STRANGERS_PER_SECOND, at_once=trust.STRANGERS_AT_ONCE):
            raise RefusedError(problems.strangers(RETRY_AFTER_SECONDS))

    def _refused(self, kind: Kind, problem: Problem) -> Response:
        self._metrics.record_refused(kind, problem.code)
        if problem.code != "strangers":
            log.info("upstream_refused", kind=kind, status=problem.status, code=problem.code, rule=problem.rule)
        return answer(problem)

    def _set_refused(self, kind: Kind, refused: SetRefusedError) -> Response:
        """RFC 8935, section 2.3."""
        self._metrics.record_refused(kind, refused.err)
        log.info("upstream_refused", kind=kind, status=400, code=refused.err, rule=refused.description)
        document = {"err": refused.err, "description": refused.description}
        return JSONResponse(document, status_code=400, headers={"Content-Language": "en"})


def _challenged(request: Request) -> Response:
    """Okta's proof that the address is ours: it proves nothing to us, so that it needs no secret."""
    challenge = trust.only(request.headers, CHALLENGE)
    if not 0 < len(challenge) <= MAX_CHALLENGE or not challenge.isascii() or not challenge.isprintable():
        raise RefusedError(problems.unreadable(f"given once, 1 to {MAX_CHALLENGE} printable ASCII", field=CHALLENGE))
    return JSONResponse({"verification": challenge})


async def _body(request: Request) -> bytes:
    """What stands in it is what is signed and read: a small body that unfolds to a large one is not taken."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RefusedError(problems.encoded())
    return await read_body(request)


def _json(body: bytes) -> Any:
    try:
        return parse_json(body)
    except EventError:
        raise RefusedError(problems.unreadable("strict JSON in UTF-8")) from None
