"""What `make up` writes, and the files that it runs: hold them to the code that reads them. No Docker needed."""

import re
import socket
import tomllib
from pathlib import Path

import pytest
import yaml

from deploy import first_mail, prepare
from deploy.prepare import DEPLOY, HOOKS, PROVIDERS, Problem, read, write_missing
from services.auth_events.publishers import Publishers
from services.auth_events.settings import AuthEventsSettings
from services.auth_events.trust import of_token
from services.auth_events.upstreams import Upstreams
from services.complaint_sla.settings import ComplaintSlaSettings
from services.console.gate import HEADER
from services.console.settings import ConsoleSettings
from services.notifier.settings import NotifierSettings
from services.probe.settings import ProbeSettings
from services.runtime.vault import Vault
from tests.containers.servers import image_of

ROOT = DEPLOY.parent
WRITTEN = (".env", "publishers.toml", "providers.toml")


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def a_volume_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\nexit 0\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent))


@pytest.mark.usefixtures("no_docker")
def test_the_services_can_read_what_is_written(tmp_path: Path) -> None:
    write_missing(tmp_path)
    secrets = read(tmp_path / ".env")

    publishers = Publishers.read(tmp_path / "publishers.toml")
    idp, administration = (
        publishers.of_token(secrets[name]) for name in ("IDENTITY_PROVIDER_TOKEN", "ADMINISTRATION_TOKEN")
    )
    assert idp is not None
    assert administration is not None
    assert idp.may_publish("identity.password-changed.v1")
    assert administration.may_publish("members.contact.v1")
    assert not idp.may_publish("members.contact.v1")
    Vault.parse(secrets["VAULT_KEYS"])
    assert len(secrets["SEARCH_KEY"]) >= 32


@pytest.mark.usefixtures("no_docker")
def test_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    write_missing(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in WRITTEN]

    write_missing(tmp_path)

    assert [(tmp_path / name).read_bytes() for name in WRITTEN] == before


@pytest.mark.usefixtures("no_docker")
def test_keycloak_and_okta_are_proven_by_what_is_written(tmp_path: Path) -> None:
    write_missing(tmp_path)
    secrets = read(tmp_path / ".env")

    upstreams = Upstreams.read(tmp_path / "providers.toml", secrets)
    (keycloak,) = upstreams.of("keycloak")
    assert keycloak.secrets == (secrets["KEYCLOAK_WEBHOOK_SECRET"].encode(),)
    assert of_token(upstreams.of("okta"), secrets["OKTA_HOOK_TOKEN"]) is not None


@pytest.mark.usefixtures("no_docker")
def test_an_env_of_before_the_providers_keeps_what_it_has_and_gets_their_secrets(tmp_path: Path) -> None:
    write_missing(tmp_path)
    older = {name: value for name, value in read(tmp_path / ".env").items() if name not in HOOKS}
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in older.items()))

    write_missing(tmp_path)

    assert read(tmp_path / ".env").items() > older.items()
    assert read(tmp_path / ".env").keys() - older.keys() == set(HOOKS)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_compose_gives_auth_events_both_files_and_the_secret_that_one_of_them_names() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["auth-events"]
    mounted = {each["target"]: each["source"] for each in service["volumes"]}

    for name in ("publishers", "providers"):
        path = service["environment"][f"AUTH_EVENTS_{name.upper()}_FILE"]
        assert mounted[path] == f"./{name}.toml"
    assert {f"env:{name}" for name in service["environment"]} >= set(re.findall(r"env:[A-Z_]+", PROVIDERS))


@pytest.mark.usefixtures("no_docker")
def test_secrets_are_for_their_owner_and_hashes_for_the_container(tmp_path: Path) -> None:
    write_missing(tmp_path)
    secrets = read(tmp_path / ".env")
    hashes = "".join((tmp_path / name).read_text() for name in WRITTEN[1:])

    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert all((tmp_path / name).stat().st_mode & 0o777 == 0o644 for name in WRITTEN[1:])
    assert not any(value in hashes for value in secrets.values())


@pytest.mark.usefixtures("a_volume_exists")
def test_a_database_without_its_password_gets_no_new_one(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="VOLUMES=1"):
        write_missing(tmp_path)
    assert not (tmp_path / ".env").exists()


@pytest.mark.usefixtures("no_docker")
def test_where_docker_is_missing_one_sentence_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main() == 1
    error = capsys.readouterr().err
    assert "make demo" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_cannot_be_committed(name: str) -> None:
    assert f"/{name}" in (DEPLOY / ".gitignore").read_text().splitlines()


def test_compose_sets_only_settings_that_exist() -> None:
    settings = {name.upper() for name in {**AuthEventsSettings.model_fields, **NotifierSettings.model_fields}}
    anchors = (DEPLOY / "compose.yaml").read_text().split("\nservices:\n")[0].partition("x-environment:")[2]
    of_services = set(re.findall(r"^ +([A-Z_]+): ", anchors, re.MULTILINE)) - {"HEALTH_PATH"}

    assert "SMTP_HOST" in of_services
    assert of_services <= settings


def test_compose_gives_complaint_sla_what_it_reads() -> None:
    block = (DEPLOY / "compose.yaml").read_text().partition("\n  complaint-sla:\n")[2].partition("\n\n")[0]
    own = set(re.findall(r"^ {6}([A-Z_0-9]+): ", block, re.MULTILINE))

    assert "SERVICE_DESK_TOKEN_SHA256" in own
    assert own <= {name.upper() for name in ComplaintSlaSettings.model_fields}


def test_compose_gives_the_probe_what_it_reads() -> None:
    probe = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["probe"]["environment"]

    assert {"PROBE_ADDRESS", "PROBE_URL"} <= set(probe)
    assert set(probe) - {"HEALTH_PATH"} <= {name.upper() for name in ProbeSettings.model_fields}


def test_compose_gives_the_console_what_it_reads_and_no_key_that_opens_anything() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    console = services["console"]

    assert set(console["environment"]) - {"HEALTH_PATH"} <= {name.upper() for name in ConsoleSettings.model_fields}
    assert not {"VAULT_KEYS", "CONSOLE_OPEN_ON_LOOPBACK"} & set(console["environment"])
    assert "ports" not in console


@pytest.mark.usefixtures("no_docker")
def test_the_console_knows_the_secret_that_its_proxy_sends(tmp_path: Path) -> None:
    write_missing(tmp_path)
    secrets = read(tmp_path / ".env")
    sent = (DEPLOY / "console" / "default.conf.template").read_text()

    assert prepare.sha256(secrets["CONSOLE_PROXY_SECRET"]) == secrets["CONSOLE_PROXY_SECRET_SHA256"]
    assert f'proxy_set_header {HEADER.title()} "${{CONSOLE_PROXY_SECRET}}";' in sent


def test_what_observes_is_pinned_open_to_this_machine_only_and_off_unless_asked_for() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in ("prometheus", "grafana", "kafka-ui", "console-proxy"):
        assert services[name]["profiles"] == ["observe"]
        assert re.fullmatch(r"[a-z./-]+:v?[0-9]+\.[0-9]+\.[0-9]+", services[name]["image"])
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])


def test_prometheus_scrapes_processes_that_compose_runs() -> None:
    document = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    scraped = {
        target for job in document["scrape_configs"] for each in job["static_configs"] for target in each["targets"]
    }
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

    assert {target.removesuffix(":8080") for target in scraped} <= services.keys()


def test_the_image_has_no_dependency_of_the_demo_and_no_version_of_its_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    service, run = (pins_of(name) for name in ("service.txt", "run.txt"))
    embedded = {re.split(r"[>=<;\[]", line)[0] for line in project["optional-dependencies"]["embedded"]}
    only_embedded = embedded - {"rich"}  # the command line brings it everywhere

    assert service.items() <= run.items()
    assert service.keys() >= {re.split(r"[>=<;\[]", line)[0] for line in project["dependencies"]}
    assert service.keys().isdisjoint(only_embedded)


def test_the_first_mail_says_that_the_stack_does_not_run() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        settings = {"AUTH_EVENTS_PORT": str(taken.getsockname()[1]), "ADMINISTRATION_TOKEN": "a"}
        with pytest.raises(Problem, match=r"IDENTITY_PROVIDER_TOKEN not in deploy/\.env: make up"):
            first_mail.send_one(settings)
        with pytest.raises(Problem, match=r"Nothing answers at .*: make up"):
            first_mail.send_one({**settings, "IDENTITY_PROVIDER_TOKEN": "b"})


def test_what_builds_the_wheel_is_what_is_tested() -> None:
    assert pins_of("build.txt").items() <= pins_of("dev.txt").items()


@pytest.mark.parametrize(("service", "image"), [("kafka", "apache/kafka:"), ("postgres", "postgres:")])
def test_servers_in_tests_are_those_of_compose(service: str, image: str) -> None:
    assert image_of(service).startswith(image)


def pins_of(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE))
