"""Writes deploy/an-sres-night.md: every command in it is run, and what it says stands below it (``make night``).

The incident is the golden recording ``switch``, so that the page says the same on every machine;
tests/unit/cli/test_night.py holds the page against what the commands say now.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from services.cli.main import app

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "deploy" / "an-sres-night.md"
GOLDEN = ROOT / "tests" / "golden"
WHO = "ratings-aws-aws-123456789012-us-east-2b-ec2-i-00000000000000005"


class Step(NamedTuple):
    """What is said, and the command that shows it; ``most`` lines of what it prints, where there are many."""

    words: str = ""
    command: str = ""
    most: int = 40


STEPS = (
    Step(
        """# An SRE's night

This page is written by `make night`, which runs each command; a test fails when one says something else. The
night is the recording `tests/golden/switch.jsonl.zst`, so you can follow it in a checkout: `cd tests/golden`.

## 03:20, the pager

Five machines of `bookinfo/ratings` left the mesh a few minutes ago and are back by now. Were they down?
Somebody kept the hour before anything else, because retention does not wait:

    muster record switch.jsonl.zst --from 2026-11-24T03:05:00Z --config processor.yaml

From here on nothing needs the cluster: the recording has the rules and the trust bundle of that night, and a
checksum. What was decided from ten past three on?"""
    ),
    Step(command="muster replay switch.jsonl.zst --from 2026-11-24T03:10:00Z"),
    Step(
        """All five fell silent together, were marked absent half a minute later and removed after the grace of five
minutes, by the rules. `certain` is the important word that is not there: no verdict has a `?`, nothing is
missing.

## Why was this one marked absent at 03:10?"""
    ),
    Step(command=f"muster explain {WHO} --recording switch.jsonl.zst --at 2026-11-24T03:12"),
    Step(
        """Three windows without a heartbeat, `▁▁▁`, and the tick that decided. The window in which another processor
took over is void, `○`: nobody was counted as missing in it, and it did not count for the grace. So it was not
Muster's own mishap. What did the agent itself say?"""
    ),
    Step(command=f"muster events cat switch.jsonl.zst -l workload={WHO} --from 2026-11-24T03:09:50Z -c 5"),
    Step(
        """Nothing, for six and a half minutes, and then a connect: the machine never stopped, it was cut off. The five
share a switch. Five of twelve are 42 % of the partition, and the brake holds above 55 %: it had no reason to
doubt itself.

## Would more patience have helped?

Ten minutes of grace instead of five:"""
    ),
    Step(command="muster replay switch.jsonl.zst --what-if grace_windows=60"),
    Step(
        """No machine would have been removed, and all would have been marked absent just as soon. What would a brake
that holds above 40 % have done?"""
    ),
    Step(command="muster replay switch.jsonl.zst --what-if brake_share=0.4,brake_least=5,brake_release_share=0.2"),
    Step("""And windows of half the length, which somebody proposed in the last review?"""),
    Step(command="muster replay switch.jsonl.zst --what-if window=5s"),
    Step(
        """Noticed in half the time, and removed in half the time too, for the grace is counted in windows: not without
`grace_windows=60`. (How windows of another length are recomputed: [ADR 0008](adr/0008-what-if.md).)

## For the next time

A script that watches for removals ends with 1 if there were any:"""
    ),
    Step(command="muster replay switch.jsonl.zst -n bookinfo --fail-on removal --from 2026-11-24T03:15:45Z"),
    Step(
        f"""And while it happens, on the live cluster, with who and why in the log itself:

    muster override hold-removals --group bookinfo/ratings --why 'switch 7 is dead, the machines are not'
    muster restore {WHO} --for 2h --why 'it serves'
    muster override resume-removals --group bookinfo/ratings --why 'switch 7 is back'
    muster replay --compare live    # and does Kubernetes say what the log says?

For those who were not there: `muster record --redact` hides addresses and credentials, and the verdicts stay."""
    ),
)


def page() -> str:
    """Run every command, and return the page."""
    parts = [step.words or "\n".join(_shown(step)) for step in STEPS]
    return "\n\n".join(parts) + "\n"


def _shown(step: Step) -> Iterator[str]:
    program, *arguments = shlex.split(step.command)
    if program != "muster":
        raise ValueError(f"{step.command}: only muster is run")
    with chdir(GOLDEN):
        done = CliRunner().invoke(app, arguments)
    yield f"    $ {step.command}"
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    for line in lines[: step.most]:
        yield f"    {line}".rstrip()
    if len(lines) > step.most:
        yield f"    … and {len(lines) - step.most} lines more"
    if done.exit_code:
        yield f"    $ echo $?\n    {done.exit_code}"


def main() -> None:
    """Write the page."""
    os.environ["COLUMNS"] = "160"
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {len(STEPS)} steps\n")


if __name__ == "__main__":
    main()
