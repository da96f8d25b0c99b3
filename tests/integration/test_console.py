"""Who may look at the console, what every answer carries, and what trouble looks like: the real one, over HTTP."""

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from pydantic import ValidationError

from services.console.views import connect
from services.runtime.settings import SettingsError
from tests.support.console import asked, running, settings
from tests.support.database import temporary_database
from tests.support.waiting import wait_for

SECRET, NEXT_SECRET = "a1" * 32, "b2" * 32
HASHES = ",".join(hashlib.sha256(each.encode()).hexdigest() for each in (SECRET, NEXT_SECRET))


@pytest.fixture(scope="module")
async def dsn(database_server: str, migrated_template: str) -> AsyncIterator[str]:
    async with temporary_database(database_server, template=migrated_template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
async def http(kafka: str, dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings(kafka, dsn)) as console, asked(console) as http:
        await wait_for(lambda: console.broker.seen, "a first look at the broker")
        yield http


@pytest.fixture(scope="module")
async def behind_a_proxy(kafka: str, dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    values = settings(kafka, dsn, console_open_on_loopback="false", console_proxy_secret_sha256=HASHES)
    async with running(values) as console, asked(console) as http:
        yield http


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
async def test_what_comes_through_the_proxy_is_let_in_also_while_its_secret_is_replaced(
    behind_a_proxy: httpx.AsyncClient, secret: str
) -> None:
    assert (await behind_a_proxy.get("/", headers={"X-Console-Proxy-Secret": secret})).status_code == 200


@pytest.mark.parametrize("secret", [None, "", SECRET[:-1], hashlib.sha256(SECRET.encode()).hexdigest()])
async def test_everybody_else_gets_a_page_that_says_how(behind_a_proxy: httpx.AsyncClient, secret: str | None) -> None:
    answer = await behind_a_proxy.get("/", headers={} if secret is None else {"X-Console-Proxy-Secret": secret})
    assert answer.status_code == 403
    assert "CONSOLE_PROXY_SECRET_SHA256" in answer.text
    assert "Overview" not in re.sub(r"<nav.*?</nav>", "", answer.text, flags=re.DOTALL)


async def test_nobody_is_let_in_where_nothing_is_set(kafka: str, dsn: str) -> None:
    async with running(settings(kafka, dsn, console_open_on_loopback="false")) as console, asked(console) as http:
        assert (await http.get("/", headers={"X-Console-Proxy-Secret": ""})).status_code == 403


async def test_answers_are_counted_by_page_and_status_and_never_by_what_was_asked(http: httpx.AsyncClient) -> None:
    for path in ("/notifications/nonsense-7", "/nowhere-7", "/complaints/c-7", "/"):
        await http.get(path)
    await http.get("/", headers={"Host": "evil.example"})
    told = (await http.get("/metrics")).text
    for page, status in (
        ("/notifications/{id}", 404), ("none", 404), ("/complaints/{id}", 404), ("/", 200), ("refused", 403),
    ):  # fmt: skip
        assert f'console_requests_total{{page="{page}",status="{status}"}}' in told
    assert 'console_request_seconds_count{page="/"}' in told
    assert "-7" not in told


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
async def test_a_web_page_that_leads_here_by_a_name_of_its_own_reads_nothing(
    http: httpx.AsyncClient, host: str
) -> None:
    assert (await http.get("/", headers={"Host": host})).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "console.example"])  # noqa: S104 (refused)
def test_open_is_refused_anywhere_but_on_loopback(host: str) -> None:
    with pytest.raises(ValidationError, match="set HTTP_HOST="):
        settings("127.0.0.1:1", "postgresql://u@127.0.0.1/d", http_host=host)


def test_open_and_a_proxy_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        settings("127.0.0.1:1", "postgresql://u@127.0.0.1/d", console_proxy_secret_sha256=HASHES)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/nowhere", "/readyz"])
async def test_only_get_and_head_are_answered(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_head_has_the_headers_and_no_page(http: httpx.AsyncClient) -> None:
    answer = await http.head("/")
    assert (answer.status_code, answer.text) == (200, "")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/healthz", "/metrics"])
async def test_every_answer_carries_the_headers(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("tag", ["style", "script"])
async def test_the_policy_lets_run_what_is_in_the_page_and_nothing_else(http: httpx.AsyncClient, tag: str) -> None:
    answer = await http.get("/")
    (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}'" in answer.headers["content-security-policy"]
    assert not re.search(r'\s(style|on[a-z]+|src)="', answer.text)


async def test_health_readiness_and_metrics_need_no_secret(behind_a_proxy: httpx.AsyncClient) -> None:
    assert (await behind_a_proxy.get("/healthz")).text == "ok\n"
    assert (await behind_a_proxy.get("/metrics")).status_code == 200

    async def ready() -> bool:
        answer = await behind_a_proxy.get("/readyz")
        return bool(answer.json() == {"database": "ready", "broker": "ready"})

    await wait_for(ready, "readiness")


async def test_an_unknown_page_says_so(http: httpx.AsyncClient) -> None:
    answer = await http.get("/nowhere")
    assert (answer.status_code, "No such page" in answer.text) == (404, True)


async def test_a_question_that_takes_too_long_is_stopped_and_says_what_to_do(http: httpx.AsyncClient, dsn: str) -> None:
    holder = await asyncpg.connect(dsn)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE notifier.suppressions IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(10):
                answer = await http.get("/")
    finally:
        await holder.close()
    assert answer.status_code == 503
    assert "That took too long" in answer.text
    assert (await http.get("/")).status_code == 200


async def test_it_cannot_start_without_the_views(database_server: str) -> None:
    async with temporary_database(database_server) as empty:
        with pytest.raises(SettingsError, match="run member-notices migrate"):
            await connect(empty)


async def test_it_cannot_start_as_somebody_who_may_not_be_the_role(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    name = f"stranger_{secrets.token_hex(4)}"
    try:
        await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'stranger'")
        with pytest.raises(SettingsError, match="must be a member of member_notices_console"):
            await connect(re.sub(r"//[^@]*@", f"//{name}:stranger@", dsn))
    finally:
        await owner.execute(f"DROP ROLE {name}")
        await owner.close()


async def test_whoever_it_connects_as_it_can_read_the_views_only(dsn: str) -> None:
    pool = await connect(dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.fetch("SELECT 1 FROM notifier.notifications")
        assert await pool.fetchval("SELECT current_user") == "member_notices_console"
        assert await pool.fetchval("SHOW transaction_read_only") == "on"
    finally:
        await pool.close()
