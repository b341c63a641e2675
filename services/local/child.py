"""A child process under guard: started, watched, stopped, killed; its output in a log file."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from services.local import guard

STOP_S = guard.GRACE_S + 5
TAIL_LINES = 20


class StartError(RuntimeError):
    """A child did not come up; the words say which, why, and where its log is."""


class Child:
    """One program of the stack. It can be started again after it ended, with the same arguments and log."""

    def __init__(self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        """``env`` is added to this process's environment; ``log`` is appended to."""
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        self.env = dict(env or {})
        self.pid = 0
        """Of the child itself, not of its guard; 0 before it was started."""
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the child; raise StartError where the program cannot be run at all."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            held = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, *self.argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.env},
                start_new_session=True,
            )
        self._guard = held
        first = held.stdout.readline() if held.stdout else b""
        if not first:
            held.wait()
            raise StartError(f"{self.name} could not be started: {self.tail()}")
        self.pid = int(first)

    @property
    def running(self) -> bool:
        """Whether the child lives."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def status(self) -> int | None:
        """The exit status, 128 + signal for one that was killed; None while it lives."""
        return self._guard.poll() if self._guard else None

    async def stop(self) -> int | None:
        """End the child (SIGTERM, after a while SIGKILL) and return its exit status."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
        return await self.ended(STOP_S)

    async def kill(self) -> None:
        """End the child with SIGKILL, as a crash would."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
        await self.ended(STOP_S)

    async def ended(self, timeout: float) -> int | None:  # noqa: ASYNC109 - a bound for a thread, not a cancel scope
        """Wait until the child is gone and return its exit status."""
        if self._guard is None:
            return None
        return await asyncio.to_thread(self._guard.wait, timeout)

    async def ready(self, check: Callable[[], Awaitable[bool]], timeout: float) -> None:  # noqa: ASYNC109
        """Wait until ``check`` says yes; StartError with the log's tail if the child ends or takes too long."""
        deadline = time.monotonic() + timeout
        while not await check():
            if not self.running:
                raise StartError(f"{self.name} ended with status {self.status}; its log says:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready after {timeout:.0f} s; its log says:\n{self.tail()}")
            await asyncio.sleep(0.05)

    def tail(self) -> str:
        """Return the last lines of the log, and its path."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:] if self.log.exists() else []
        return "\n".join([*(f"  {line}" for line in lines), f"  (whole log: {self.log})"])
