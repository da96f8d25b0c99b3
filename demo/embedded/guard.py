"""Runs a server and stops it as soon as standard input ends, which also happens when our parent is killed.

PR_SET_PDEATHSIG would do on Linux, but it fires when the *thread* that started the child ends, and macOS has none.
Usage: guard.py <stop signal> <seconds until SIGKILL> <command> [argument …]. A byte on standard input instead of its
end: SIGKILL at once. Ends when every process of the server is gone. Standard library only: it runs with -I -S.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    stop_signal, grace, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    adopt_orphans()
    # Held by every process of the server: it ends when the last one is gone. PostgreSQL's backends outlive a killed
    # postmaster for a moment, and until they are gone the data cannot be opened again.
    gone, held = os.pipe()
    os.set_inheritable(held, True)
    no_input = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    # Python ignores SIGPIPE; a server decides for itself.
    server = os.posix_spawnp(command[0], command, os.environ, file_actions=[no_input], setsigdef=[signal.SIGPIPE])
    os.close(held)

    def obey() -> None:
        order = os.read(0, 1)
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL if order else stop_signal)
            time.sleep(grace)
            os.kill(server, signal.SIGKILL)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(server, stop_signal))
    threading.Thread(target=obey, daemon=True).start()
    _, status = os.waitpid(server, 0)
    os.read(gone, 1)
    with suppress(ChildProcessError):
        while os.waitpid(-1, 0):
            pass
    return min(abs(os.waitstatus_to_exitcode(status)), 255)


def adopt_orphans() -> None:
    """Become the parent of a dead server's children: in a container often nobody else takes them off the list."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
