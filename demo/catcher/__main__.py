"""The catcher as a process: one JSON line on standard output when both ports answer, then silence until a signal."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

import uvloop

from demo.catcher import Catcher
from demo.catcher.catcher import LOOPBACK


async def _run(arguments: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with Catcher(
        host=arguments.host,
        smtp_port=arguments.smtp_port,
        http_port=arguments.http_port,
        allowed_hosts=arguments.allow_host,
        gallery=arguments.gallery,
    ) as catcher:
        ready = {
            "smtp_host": catcher.host,
            "smtp_port": catcher.smtp_port,
            "http_url": catcher.http_url,
            "twilio_url": catcher.twilio_url,
            "account_sid": catcher.account_sid,
            "auth_token": catcher.auth_token,
        }
        print(json.dumps(ready), flush=True)
        await stopping.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.catcher", description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (%(default)s)")
    parser.add_argument("--smtp-port", type=int, default=0, help="0: the system chooses (default)")
    parser.add_argument("--http-port", type=int, default=0, help="0: the system chooses (default)")
    parser.add_argument("--allow-host", action="append", default=[], help="a name browsers may use for the web inbox")
    parser.add_argument("--gallery", type=Path, help="a folder of member-notices preview to show, once it is there")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
