"""The console knows its proxy by a certificate: real ones, over real TLS; whoever has none is not answered."""

import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from services.console.main import Console
from services.runtime.health import Tls
from services.runtime.settings import SettingsError
from tests.support.certificates import Authority
from tests.support.console import running, settings
from tests.support.database import temporary_database


@dataclass(frozen=True)
class House:
    """A console whose proxies have certificates of `proxies`."""

    console: Console
    server: Authority
    proxies: Authority

    def client(self, certificate: tuple[Path, Path] | None, version: ssl.TLSVersion | None = None) -> httpx.AsyncClient:
        context = ssl.create_default_context(cafile=str(self.server.file))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return httpx.AsyncClient(base_url=f"https://127.0.0.1:{self.console.tls_port}", verify=context, timeout=20)


@pytest.fixture(scope="module")
async def house(
    kafka: str, database_server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("certificates")
    server, proxies = Authority(folder, "server-ca"), Authority(folder, "proxy-ca")
    certificate, key = server.signed("console")
    async with temporary_database(database_server, template=migrated_template) as dsn:
        values = settings(
            kafka, dsn, console_open_on_loopback="false", console_tls_cert_file=certificate, console_tls_key_file=key,
            console_client_ca_file=proxies.file, console_tls_port=0,
        )  # fmt: skip
        async with running(values) as console:
            yield House(console, server, proxies)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_proxy_is_let_in_by_its_certificate(house: House, version: ssl.TLSVersion) -> None:
    async with house.client(house.proxies.signed("proxy"), version) as http:
        answer = await http.get("/")
    assert answer.status_code == 200
    assert "Overview" in answer.text


async def test_it_reads_and_changes_nothing_here_either(house: House) -> None:
    async with house.client(house.proxies.signed("proxy-2")) as http:
        assert (await http.post("/")).status_code == 405


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("who", "certificate"),
    [
        ("nobody", lambda _house: None),
        ("of-the-servers-authority", lambda house: house.server.signed("not-a-proxy")),
        ("over", lambda house: house.proxies.signed("over", until=-timedelta(hours=1))),
    ],
)
async def test_everybody_else_is_not_answered_at_all(
    house: House, who: str, certificate: Callable[[House], tuple[Path, Path] | None], version: ssl.TLSVersion
) -> None:
    async with house.client(certificate(house), version) as http:
        # At TLS 1.3 the client learns of it with the first byte it reads.
        with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)):
            await http.get("/healthz")
    assert who


async def test_where_there_is_no_tls_the_probes_are_answered_and_no_page_is(house: House) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{house.console.port}", timeout=20) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/")).status_code == 403


@pytest.mark.parametrize("missing", ["console_tls_cert_file", "console_tls_key_file", "console_client_ca_file"])
def test_the_three_files_go_together(missing: str) -> None:
    files = dict.fromkeys(("console_tls_cert_file", "console_tls_key_file", "console_client_ca_file"), "x.pem")
    files.pop(missing)
    with pytest.raises(ValidationError, match="set all three, or none"):
        settings("127.0.0.1:1", "postgresql://u@127.0.0.1/d", console_open_on_loopback="false", **files)


def test_a_certificate_and_everybody_on_this_machine_exclude_each_other() -> None:
    files = dict.fromkeys(("console_tls_cert_file", "console_tls_key_file", "console_client_ca_file"), "x.pem")
    with pytest.raises(ValidationError, match="exclude each other"):
        settings("127.0.0.1:1", "postgresql://u@127.0.0.1/d", **files)


@pytest.mark.parametrize("wrong", ["missing.pem", "empty.pem", "other-key.pem"])
def test_a_file_that_cannot_be_used_is_named_before_anything_is_served(tmp_path: Path, wrong: str) -> None:
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.signed("console")
    authority.signed("other")
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(SettingsError, match="TLS: no usable certificate"):
        Tls(certificate, tmp_path / wrong, authority.file).context()
    if wrong != "other-key.pem":
        with pytest.raises(SettingsError, match="TLS: no usable authority"):
            Tls(certificate, key, tmp_path / wrong).context()
