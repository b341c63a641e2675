"""How the tour speaks: chapters, commands with what they print, and waiting that says for what."""

import time
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.panel import Panel
from rich.text import Text


class TourError(RuntimeError):
    """The world did not do what the tour promised."""


class Show:
    """A console for the tour."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = time.monotonic()
        self._chapter = 0

    def chapter(self, title: str, words: str) -> None:
        """Begin a chapter of the tour."""
        self._chapter += 1
        self.console.print()
        self.console.print(Panel(Text(words), title=f"{self._chapter}. {title}", title_align="left", style="cyan"))

    def say(self, words: str) -> None:
        """Say a sentence."""
        self.console.print(Text(words, style="italic"))

    def ran(self, command: str, output: str) -> None:
        """Show a command and exactly what it printed."""
        self.console.print(Text(f"\n$ {command}", style="bold"), soft_wrap=True)
        self.console.print(Text(output.rstrip()), soft_wrap=True)

    async def until(self, what: str, probe: Callable[[], Awaitable[bool]], within_s: float = 60.0) -> float:
        """Wait until ``probe`` says yes, showing for what; return the seconds it took, or raise TourError."""
        began = time.monotonic()
        with self.console.status(f"waiting for {what}…"):
            while not await probe():
                if time.monotonic() - began > within_s:
                    raise TourError(f"waited {within_s:.0f} s in vain for {what}")
        took = time.monotonic() - began
        self.console.print(Text(f"✓ {what} ({took:.1f} s)", style="green"))
        return took
