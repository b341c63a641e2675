"""What a command that writes says before it writes: who wants it, what it will be, and whether that is meant."""

import getpass
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

import typer

from schemas.removals import LONGEST_RESTORE
from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.replay.moments import duration

Why = Annotated[str, typer.Option("--why", metavar="WORDS", help="Why; it stays in the log with who ordered it.")]
Who = Annotated[str | None, typer.Option("--who", help="Who orders it. [default: the user of this computer]")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]

_MOST_WHO, _MOST_WHY = 253, 1024


def signed(who: str | None, why: str) -> tuple[str, str]:
    """Return who and why; end the command with exit code 2 where either says nothing."""
    if who is None:
        try:
            who = getpass.getuser()
        except (OSError, KeyError):  # KeyError before Python 3.13
            raise typer.BadParameter("this computer does not know who you are: give --who") from None
    if not who.strip() or len(who) > _MOST_WHO:
        raise typer.BadParameter(f"--who: expected 1 to {_MOST_WHO} characters")
    if not why.strip() or len(why) > _MOST_WHY:
        raise typer.BadParameter(f"--why: expected 1 to {_MOST_WHY} characters")
    return who.strip(), why.strip()


def seconds(lasting: str, again: str) -> int:
    """Return for how many seconds an order counts; end the command with exit code 2 where it is no time, or too long.

    ``again`` is what can be done once more after that.
    """
    try:
        length = duration(lasting)
    except ValueError as fault:
        raise typer.BadParameter(f"--for {fault}") from None
    if not timedelta(0) < length <= LONGEST_RESTORE:
        raise typer.BadParameter(f"--for {lasting}: expected at most a day; it can be {again} again")
    return int(length.total_seconds())


def agreed(plan: Iterable[str], *, yes: bool) -> None:
    """Show what will be written, and end the command unless a person agrees or had agreed with --yes."""
    for line in plan:
        typer.echo(line, err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        typer.echo("Error: there is nobody to ask, and nothing was written: give --yes", err=True)
        raise typer.Exit(EXIT_USAGE)
    if not typer.confirm("Write it?", err=True):
        typer.echo("Nothing was written.", err=True)
        raise typer.Exit(EXIT_WRONG)
