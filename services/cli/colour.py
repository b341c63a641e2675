"""What is connected green, what is absent red: on a terminal whose user did not ask for none (https://no-color.org)."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

_COLOURS = {
    r"▇|\bconnected\b": "green",
    r"▁|\babsent\b|\bremoved\b": "red",
    r"╳|○|\bunknown\b": "yellow",
}


def painted(lines: Iterable[str]) -> str:
    """Return lines as stdout is to have them; rich knows whether it is a terminal, and heeds NO_COLOR.

    Nothing is written by rich itself: where the reader is gone it would end the program with a code of its own.
    """
    console = Console(highlight=False, soft_wrap=True)
    with console.capture() as held:
        for line in lines:
            words = Text(line)
            for pattern, colour in _COLOURS.items():
                words.highlight_regex(pattern, colour)
            console.print(words)
    return held.get()
