"""Transitions on a terminal fit its lines and have colours; in a pipe they are as they ever were."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.columns import HEAD, Columns, fitted
from tests.support.terminal import read_to_end

SWITCH = str(Path(__file__).parents[2] / "golden" / "switch.jsonl.zst")
NAME = "ratings-aws-aws-123456789012-us-east-2b-ec2-i-00000000000000005"
ROW = ("2026-11-24T03:15:40.000Z", "0:1264", "bookinfo", NAME, "absent", "removed", "GracePeriodExpired")


@pytest.mark.parametrize("width", [80, 100, 120, 140, 163, 200])
def test_a_row_is_no_longer_than_the_line_and_never_loses_its_verdict(width: int) -> None:
    columns = fitted(width)
    cells = columns.cells(ROW)
    assert sum(columns.widths) + 2 * (len(columns.widths) - 1) <= max(width, 81)
    assert all(len(cell) <= most for cell, most in zip(cells, columns.widths, strict=True))
    assert cells[:2] == ROW[:2]
    assert cells[4:6] == ROW[4:6]
    assert cells[3].endswith("0005")
    assert (len(cells) == len(HEAD)) is (width >= 120)


def test_a_long_line_leaves_nothing_out_and_a_pipe_neither() -> None:
    assert fitted(200).cells(ROW) == Columns().cells(ROW) == ROW


def on_a_terminal(**environment: str) -> str:
    here, there = pty.openpty()
    program = [sys.executable, "-c", "from services.cli.main import main; main()", "replay", SWITCH]
    settings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    with subprocess.Popen(program, stdout=there, stderr=subprocess.DEVNULL, env=settings) as child:
        os.close(there)
        told = read_to_end(here)
    assert child.returncode == 0
    return told.decode().replace("\r\n", "\n")


def test_a_terminal_has_fitted_columns_and_coloured_verdicts() -> None:
    told = on_a_terminal()
    assert "\x1b[31mremoved\x1b[0m" in told
    lines = re.sub(r"\x1b\[[0-9;]*m", "", told).splitlines()
    assert len(lines) > 20
    assert max(map(len, lines)) <= 120
    assert on_a_terminal(NO_COLOR="1").splitlines() == lines
