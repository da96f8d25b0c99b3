"""One Postfix for all tests of a run, and one CA that the notifier trusts."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mta.certificates import Authority
from tests.mta.occasions import DOMAIN, occasions
from tests.mta.postfix import Postfix

NO_EXTENSION = {"smtpd_discard_ehlo_keywords": "8bitmime, smtputf8, chunking, pipelining, dsn"}
TEST_MAILBOXES = tuple(f"anna-{number}@{DOMAIN}" for number in range(20))


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


@pytest.fixture(scope="session")
def postfix(folder: Path, certificates: Certificates) -> Iterator[Postfix]:
    must = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_chain_files": str(certificates.ours)}
    may = {"smtpd_tls_security_level": "may"}
    listeners = {
        "plainest": must | NO_EXTENSION,
        "full": must,
        "implicit": must | {"smtpd_tls_wrappermode": "yes"},
        "other-authority": may | {"smtpd_tls_chain_files": str(certificates.other_authority)},
        "other-name": may | {"smtpd_tls_chain_files": str(certificates.other_name)},
        "no-tls": {"smtpd_tls_security_level": "none"},
        "small": must | {"message_size_limit": "20000"},
    }
    mailboxes = {address for occasion in occasions() for address in occasion.addresses.values()}
    (folder / "postfix").mkdir(mode=0o755)
    server = Postfix(folder / "postfix", listeners, [*mailboxes, *TEST_MAILBOXES])
    server.prepare()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder / "postfix")
