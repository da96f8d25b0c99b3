"""`python -m demo.embedded fetch` brings Kafka's jars; `python -m demo.embedded lock` records their versions anew."""

import sys
from collections.abc import Callable

from demo.embedded.errors import EmbeddedError
from demo.embedded.jars import fetch_jars, write_lock

COMMANDS: dict[str, Callable[[], object]] = {"fetch": fetch_jars, "lock": write_lock}


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.exit(f"usage: python -m demo.embedded {'|'.join(COMMANDS)}")
    try:
        COMMANDS[arguments[0]]()
    except EmbeddedError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
