"""What a command that writes says before it writes: who wants it, what it will be, and whether that is meant."""

import getpass
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from services.cli.options import EXIT_USAGE, EXIT_WRONG

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
