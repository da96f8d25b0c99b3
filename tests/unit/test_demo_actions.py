"""The command that the demo offers for an event of one's own, as a shell understands it."""

import subprocess
from datetime import UTC, datetime

import pytest

from demo.actions import own_event_command
from demo.environment import IDENTITY_PROVIDER
from schemas.envelope import STRUCTURED, parse_json, read_event
from schemas.identity import PasswordChangedV1
from services.auth_events.publishers import new_token

URL = "http://127.0.0.1:65535/v1/events"
TOKEN = new_token().token
COMMAND = own_event_command(URL, TOKEN, "grace-a1b2c3")
SHOW_ARGUMENTS = "curl() { printf '%s\\0' \"$@\"; }\n"


@pytest.mark.parametrize("line_end", ["\n", "   \n"])
def test_a_shell_makes_a_valid_event_of_now_out_of_it(line_end: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    script = SHOW_ARGUMENTS + COMMAND.replace("\n", line_end)
    shell = subprocess.run(["/bin/sh", "-euc", script], capture_output=True, text=True, check=True)
    *options, body, header, content_type, end = shell.stdout.split("\0")
    assert options == ["-i", URL, "--noproxy", "*", "--oauth2-bearer", TOKEN, "-d"]
    assert (header, content_type, end) == ("-H", f"content-type:{STRUCTURED}", "")
    event = read_event(parse_json(body.encode()), publishing=True)
    assert (event.source, event.type, event.subject) == (
        IDENTITY_PROVIDER,
        "identity.password-changed.v1",
        "grace-a1b2c3",
    )
    assert before <= event.time <= datetime.now(UTC)
    assert isinstance(event.data, PasswordChangedV1)
    assert event.data.changed_at == event.time
    assert event.time.strftime("%FT%TZ") in event.id


def test_no_terminal_has_to_break_its_lines() -> None:
    assert max(map(len, COMMAND.splitlines())) <= 80
