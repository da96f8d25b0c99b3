"""A Postfix of our own: its configuration, queue, data and mailboxes in one folder, on ports of 127.0.0.1.

It delivers to mailboxes below that folder and nowhere else: every domain it takes mail for is its own, and whatever
would leave the machine is refused. Needs root, as Postfix itself does.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from demo.embedded.server import Server, free_ports

START_SECONDS = 30.0
STOP_SECONDS = 20.0
CHECK_SECONDS = 60.0
DOMAINS = ("members.example.test", "returns.example.test")
BOUNCES = "bounces@returns.example.test"
GONE = "gone@members.example.test"
"""Taken at RCPT, and given up only at delivery: what comes back is a report."""
PROGRAMS = Path("/usr/lib/postfix/sbin")
SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""
SETTINGS = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "command_directory": "/usr/sbin",
    "daemon_directory": str(PROGRAMS),
    "myhostname": "relay.example.test",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "alias_maps": "",
    "alias_database": "",
    "biff": "no",
    "smtpd_peername_lookup": "no",
    "disable_dns_lookups": "yes",
    "default_transport": "error:5.7.1 this relay never sends mail out",
    "relay_transport": "error:5.7.1 this relay never sends mail out",
    "recipient_delimiter": "+",
    "virtual_mailbox_domains": ", ".join(DOMAINS),
    "virtual_minimum_uid": "1",
    "smtpd_relay_restrictions": "reject_unauth_destination",
    "smtpd_recipient_restrictions": "reject_unauth_destination",
    "smtpd_tls_received_header": "yes",
    "smtpd_client_connection_rate_limit": "0",
    "smtpd_client_connection_count_limit": "0",
    # What needs an extension that old relays lack is refused here, and so is MIME that says something untrue.
    "smtputf8_enable": "no",
    "strict_rfc821_envelopes": "yes",
    "strict_7bit_headers": "yes",
    "strict_8bitmime_body": "yes",
    "strict_mime_encoding_domain": "yes",
    "maximal_queue_lifetime": "15m",
    "bounce_queue_lifetime": "15m",
}


class Postfix:
    """`listeners`: name → options of its smtpd (`-o`). The same ports and mail again after `stop`.

    `mailboxes` are whole addresses; any other recipient is unknown here. The folder must be one that Postfix's user
    may walk into, which pytest's own are not.
    """

    def __init__(self, folder: Path, listeners: Mapping[str, Mapping[str, str]], mailboxes: Collection[str]) -> None:
        self._folder = folder
        self._conf = folder / "conf"
        self._listeners = listeners
        self._mailboxes = (*mailboxes, BOUNCES)
        self.ports = dict(zip(listeners, free_ports(len(listeners)), strict=True))
        self.log = folder / "mail.log"
        self._server = Server("Postfix", folder / "master.log", stop_signal=signal.SIGTERM, grace_seconds=STOP_SECONDS)

    def prepare(self) -> None:
        """Write its configuration, and have Postfix make its queue and find fault with it."""
        for name in ("conf", "queue", "data", "mail"):
            (self._folder / name).mkdir(mode=0o755)
        shutil.chown(self._folder / "data", "postfix")
        shutil.chown(self._folder / "mail", "nobody")
        nobody = pwd.getpwnam("nobody")
        here = {
            "queue_directory": str(self._folder / "queue"),
            "data_directory": str(self._folder / "data"),
            "maillog_file": str(self.log),
            "maillog_file_prefixes": str(self._folder),
            "virtual_mailbox_base": str(self._folder / "mail"),
            "virtual_mailbox_maps": f"texthash:{self._conf / 'mailboxes'}",
            # Known at RCPT, and nobody's at delivery.
            "virtual_alias_maps": f"inline:{{{{{GONE} = moved-away@{DOMAINS[0]}}}}}",
            "virtual_uid_maps": f"static:{nobody.pw_uid}",
            "virtual_gid_maps": f"static:{nobody.pw_gid}",
        }
        settings = SETTINGS | here
        self._write("main.cf", [f"{name} = {value}" for name, value in settings.items()])
        self._write("mailboxes", [f"{address} {address}/" for address in self._mailboxes])
        self._write("master.cf", [*self._doors(), SERVICES])
        check = ["postfix", "-c", str(self._conf), "check"]
        done = subprocess.run(check, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _doors(self) -> list[str]:
        return [
            "\n".join(
                [
                    f"127.0.0.1:{self.ports[name]} inet n - n - - smtpd",
                    f"  -o syslog_name=postfix/{name}",
                    *(f"  -o {{ {option} = {value} }}" for option, value in options.items()),
                ]
            )
            for name, options in self._listeners.items()
        ]

    def _write(self, name: str, lines: list[str]) -> None:
        (self._conf / name).write_text("\n".join(lines) + "\n", "utf-8")

    def start(self) -> None:
        """Return when it greets. Raises EmbeddedError with the end of what it said."""
        command = [str(PROGRAMS / "master"), "-c", str(self._conf), "-s"]
        self._server.start(command, ready=self._greets, within_seconds=START_SECONDS)

    def stop(self) -> None:
        """An orderly end; returns when all of its processes are gone."""
        self._server.stop()

    def kill(self) -> None:
        """SIGKILL to all of it, as when the power fails; returns when all of its processes are gone."""
        master = int((self._folder / "queue" / "pid" / "master.pid").read_text("ascii"))
        # It leads a group of its own; a part whose client keeps its connection would outlive it by minutes.
        os.killpg(master, signal.SIGKILL)
        self._server.kill()

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", next(iter(self.ports.values()))), 5) as connection:
                return connection.recv(4).startswith(b"220")
        except OSError:
            return False

    def sessions(self, listener: str) -> list[str]:
        """What was said in each session that has ended, as Postfix counts it: `ehlo=1 starttls=1`."""
        ended = self.lines(f"postfix/{listener}/smtpd")
        return [line.partition("] ")[2].partition(" commands=")[0] for line in ended if ": disconnect from" in line]

    def mail_of(self, address: str) -> list[bytes]:
        """What was delivered to a mailbox, as it lies there; a file in `new` is whole."""
        return [file.read_bytes() for file in sorted((self._folder / "mail" / address / "new").glob("*"))]

    def count(self) -> int:
        """Of all that was delivered, to whomever."""
        return sum(1 for _ in (self._folder / "mail").glob("*/new/*"))

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def lines(self, part: str) -> list[str]:
        """Of its log."""
        return [line for line in self.said().splitlines() if part in line]


def handing_to(postfix: Postfix, listener: str) -> dict[str, Any]:
    """Settings of a notifier that hands over to this listener, as it does in production: verified STARTTLS."""
    return {
        "smtp_host": "localhost",
        "smtp_port": postfix.ports[listener],
        "smtp_tls": "starttls",
        "smtp_bounce_address": BOUNCES,
        "loopback_link_origin": None,
    }
