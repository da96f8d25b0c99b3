"""Before the containers start: Docker answers, and the stack's passwords, keys and tokens exist.

Writes `deploy/.env` (secrets, for its owner only), `deploy/publishers.toml` and `deploy/providers.toml` (hashes of the
tokens) where they are missing; what is there stays. None may be committed. Standard library only.
"""

# ruff: noqa: INP001, S603, T201 - a script in no package: it asks docker and talks to a person

import base64
import hashlib
import secrets
import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent
DATABASE_VOLUME = "member-notices_postgres"
TOKEN_PREFIX = "mn_"  # noqa: S105 - what comes after it is the secret
PUBLISHERS = """\
# Who may publish what to the stack of `make up`; the tokens themselves are in .env.

[[publishers]]
name = "identity-provider"
token_sha256 = ["{identity_provider}"]
sources = ["https://login.example.test"]
types = ["identity.*"]

[[publishers]]
name = "member-administration"
token_sha256 = ["{administration}"]
sources = ["urn:example:member-administration"]
types = ["members.*", "members.contact.v1"]
"""
PROVIDERS = """\
# Identity providers that may post to the stack of `make up`; their secrets are in .env. docs/upstreams.md says what to
# enter at each, and providers.example.toml has Auth0 and Shared Signals too.

[[keycloak]]
name = "local"
realm = "members"
issuer = "http://127.0.0.1:8088/realms/members"
brand = "cm"
secrets = ["env:KEYCLOAK_WEBHOOK_SECRET"]

[[okta]]
name = "local"
issuer = "https://example.okta.com"
brand = "cigna-healthcare"
token_sha256 = ["{okta}"]
"""
HOOKS = ("KEYCLOAK_WEBHOOK_SECRET", "OKTA_HOOK_TOKEN")


class Problem(Exception):  # noqa: N818 - it is shown to a person, not handled
    """One sentence, with the way out."""


def main() -> int:
    try:
        require_docker()
        write_missing(DEPLOY)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def require_docker() -> None:
    """Raise Problem unless a daemon and Compose 2 answer."""
    if answer_of("docker", "--version") is None:
        raise Problem("There is no docker here: install Docker Engine with Compose 2, or use `make demo`, without.")
    if answer_of("docker", "version", "--format", "{{.Server.Version}}") is None:
        raise Problem("docker is here, but no daemon answers (`docker version` says why): start it, then again.")
    if answer_of("docker", "compose", "version") is None:
        raise Problem("`docker compose` is not there: install Compose 2 (docker-compose-plugin), then again.")


def write_missing(folder: Path) -> None:
    """Raise Problem rather than make a new password for a database that has one."""
    environment = folder / ".env"
    if not environment.exists():
        if answer_of("docker", "volume", "inspect", DATABASE_VOLUME) is not None:
            raise Problem(
                f"{environment} is gone, but not the database that it holds the password and the keys of: "
                "put it back, or `make down VOLUMES=1` for a new beginning, then again."
            )
        environment.touch(mode=0o600)
        environment.write_text(new_environment())
        print("Passwords, keys and tokens are new, in deploy/.env.")
    add_hooks(environment)
    known = read(environment)
    for name, text in (("publishers.toml", publishers_of(known)), ("providers.toml", providers_of(known))):
        if not (folder / name).exists():
            (folder / name).write_text(text)
            (folder / name).chmod(0o644)  # hashes only, and the user in the container is another one


def new_environment() -> str:
    """Secrets of 256 bits each; the password of hex digits, because it is part of a URL."""
    proxy = secrets.token_urlsafe(32)
    return (
        "# Written by `make up`, once. Never commit it, and keep it as long as the volumes: nothing else opens them.\n"
        "# Ports, LOG_LEVEL and COMPOSE_PROFILES can be set here too; compose.yaml has their names.\n"
        f"POSTGRES_PASSWORD={secrets.token_hex(32)}\n"
        f"VAULT_KEYS=local:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"
        f"SEARCH_KEY={secrets.token_urlsafe(32)}\n"
        "# For `Authorization: Bearer …` at POST /v1/events.\n"
        f"IDENTITY_PROVIDER_TOKEN={TOKEN_PREFIX}{secrets.token_urlsafe(32)}\n"
        f"ADMINISTRATION_TOKEN={TOKEN_PREFIX}{secrets.token_urlsafe(32)}\n"
        "# By which the console knows its proxy.\n"
        f"CONSOLE_PROXY_SECRET={proxy}\n"
        f"CONSOLE_PROXY_SECRET_SHA256={sha256(proxy)}\n"
    )


def add_hooks(environment: Path) -> None:
    """Add the secrets of the providers' hooks, which a file of before they were known has not."""
    if missing := [name for name in HOOKS if name not in read(environment)]:
        lines = "".join(f"{name}={secrets.token_hex(32)}\n" for name in missing)
        text = environment.read_text()
        environment.write_text(
            f"{text.rstrip()}\n# What Keycloak signs with, and Okta's Authorization header.\n{lines}"
        )


def providers_of(environment: "dict[str, str]") -> str:
    return PROVIDERS.format(okta=sha256(environment["OKTA_HOOK_TOKEN"]))


def publishers_of(environment: "dict[str, str]") -> str:
    return PUBLISHERS.format(
        identity_provider=sha256(environment["IDENTITY_PROVIDER_TOKEN"]),
        administration=sha256(environment["ADMINISTRATION_TOKEN"]),
    )


def read(environment: Path) -> "dict[str, str]":
    """Return the settings of an env file as we write it: one `NAME=value` a line, nothing quoted."""
    lines = (line.strip() for line in environment.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def answer_of(*command: str) -> "str | None":
    """Return what the command printed, None where it failed or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    sys.exit(main())
