"""A CA that the notifier trusts, and Postfix: one of its own for each test that asks."""

import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.catcher import Catcher
from tests.mta.certificates import Authority
from tests.mta.greylist import Greylist, greylisting
from tests.mta.occasions import DOMAIN
from tests.mta.postfix import Postfix
from tests.support import notifier
from tests.support.house import House

MEMBERS = tuple(f"m-{number}" for number in range(60))
"""Each has a mailbox `<member>@members.example.test`."""
PUT_OFF_TIMES = 2


@dataclass(frozen=True)
class Certificates:
    """Files: of the CA that is trusted, and of servers."""

    trusted: Path
    ours: Path
    other_name: Path
    other_authority: Path


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """pytest's own folders are closed to everybody else, Postfix's user included."""
    with tempfile.TemporaryDirectory(prefix="mta-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="session")
def certificates(folder: Path) -> Certificates:
    trusted, stranger = Authority(folder, "trusted"), Authority(folder, "stranger")
    ours, other_name = trusted.issue("localhost"), trusted.issue("elsewhere.example.test")
    return Certificates(trusted.certificate, ours, other_name, stranger.issue("localhost"))


@pytest.fixture(scope="session", autouse=True)
def trust(certificates: Certificates) -> Iterator[None]:
    """As an operator does whose relay has a CA of the house."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificates.trusted))
        yield


@contextmanager
def relay(
    folder: Path, certificates: Certificates, mailboxes: Collection[str], policy_port: int = 9
) -> Iterator[Postfix]:
    """Postfix with a listener for each way in which a relay may be met."""
    must = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_chain_files": str(certificates.ours)}
    may = {"smtpd_tls_security_level": "may"}
    listeners = {
        "plainest": must | {"smtpd_discard_ehlo_keywords": "8bitmime, smtputf8, chunking, pipelining, dsn"},
        "full": must,
        "implicit": must | {"smtpd_tls_wrappermode": "yes"},
        "other-authority": may | {"smtpd_tls_chain_files": str(certificates.other_authority)},
        "other-name": may | {"smtpd_tls_chain_files": str(certificates.other_name)},
        "no-tls": {"smtpd_tls_security_level": "none"},
        "small": must | {"message_size_limit": "20000"},
        "not-our-sender": must | {"smtpd_sender_restrictions": "check_sender_access static:{REJECT not owned by you}"},
        "not-our-client": must | {"smtpd_client_restrictions": "reject"},
        "whole-name": must | {"smtpd_helo_restrictions": "reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname"},
        "grey": must
        | {
            "smtpd_recipient_restrictions": "reject_unauth_destination, "
            f"check_policy_service inet:127.0.0.1:{policy_port}"
        },
    }
    with tempfile.TemporaryDirectory(dir=folder, prefix="postfix-") as name:
        Path(name).chmod(0o755)
        server = Postfix(Path(name), listeners, mailboxes)
        server.prepare()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
async def greylist() -> AsyncIterator[Greylist]:
    async with greylisting(PUT_OFF_TIMES) as running:
        yield running


@pytest.fixture
def postfix(folder: Path, certificates: Certificates, greylist: Greylist) -> Iterator[Postfix]:
    with relay(folder, certificates, [f"{member}@{DOMAIN}" for member in MEMBERS], greylist.port) as server:
        yield server


@pytest.fixture
async def house(kafka: str, database: str) -> AsyncIterator[House]:
    async with Catcher() as catcher, notifier.upstream(kafka) as upstream:
        yield House(kafka, database, catcher, upstream, await notifier.fresh_group(kafka))
        assert catcher.inbox.mail_count == 0
