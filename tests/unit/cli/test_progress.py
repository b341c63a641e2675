"""A bar is shown to whoever watches on a terminal, and to nobody else."""

import os
import pty
import subprocess
import sys

from tests.support.terminal import read_to_end

PROGRAM = """
from services.cli.progress import Meter
with Meter("reading", after_s={after}) as meter:
    for done in (100, 200):
        meter(done, {total})
    meter.hide()
    meter(300, {total})
"""


def shown(*, terminal: bool, after: float = 0.0, total: int | None = 400) -> str:
    """Return what a program that reads 300 of 400 shows on its stderr."""
    here, there = pty.openpty() if terminal else os.pipe()
    program = PROGRAM.format(after=after, total=total)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", program], stderr=there, env=environment) as child:
        os.close(there)
        told = read_to_end(here)
    assert child.returncode == 0
    return told.decode()


def test_a_terminal_sees_how_far_it_is_of_what_and_how_long_it_will_take() -> None:
    told = shown(terminal=True)
    assert "reading" in told
    assert "300/400" in told
    assert "75%" in told
    assert ":" in told.rpartition("300/400")[2]  # the time left


def test_of_an_unknown_length_it_shows_how_far_it_is() -> None:
    assert "300/?" in shown(terminal=True, total=None)


def test_what_is_quickly_done_shows_nothing() -> None:
    assert shown(terminal=True, after=60.0) == ""


def test_a_pipe_gets_nothing() -> None:
    assert shown(terminal=False) == ""
