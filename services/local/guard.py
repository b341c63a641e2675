"""Holds one child process: when the pipe to the parent closes, the child is ended. Standard library only.

Run as a script, ``python guard.py PROGRAM ARG …``, with a pipe as standard input. The kernel closes the pipe
however the parent dies, SIGKILL included, and on every Unix. The first line on standard output is the child's pid;
the exit status is the child's.
"""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

GRACE_S = 15.0
"""How long a child may take to end after SIGTERM before SIGKILL, seconds."""


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child's whole process group: politely, then not."""
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    except ProcessLookupError:
        return
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # macOS answers EPERM for a group of zombies: gone all the same.
        return


def main(argv: Sequence[str]) -> int:
    """Run ``argv`` until it ends or standard input closes; return its exit status."""
    # What ends the guard ends the child: a signal meant for it is the same as a closed pipe.
    wake, woken = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(woken, b"."))
    child = subprocess.Popen(list(argv), stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    threading.Thread(target=lambda: (child.wait(), os.write(woken, b".")), daemon=True).start()
    os.write(sys.stdout.fileno(), f"{child.pid}\n".encode())
    select.select([sys.stdin, wake], [], [])
    _end(child)
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
