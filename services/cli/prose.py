"""What help says, as typer's rich help needs it: docstrings have lines of an editor's width, terminals have their own.

Typer joins the lines of the first paragraph only (typer/rich_utils.py, ``_get_help_text``) and wraps every other line
for itself; it reads all text as rich's markup, to which ``[default: 1h]`` is a style of that name, and shown to nobody.
"""

import inspect
from typing import Any

from rich.markup import escape


def flowing(command: Any) -> None:  # noqa: ANN401 - typer's own types are private
    """Let the help of a command, and of those in it, fill the width of a terminal; once for each command.

    A paragraph that is indented is of examples: it keeps its lines.
    """
    if command.rich_markup_mode is None:  # typer was told to do without rich, and fills lines by itself
        return
    command.help = "\n\n".join(map(_shown, inspect.cleandoc(command.help or "").split("\n\n")))
    command.epilog = escape(command.epilog or "")
    for one in command.params:
        if text := getattr(one, "help", None):
            one.help = escape(text)
    for inner in getattr(command, "commands", {}).values():
        flowing(inner)


def _shown(paragraph: str) -> str:
    if not paragraph.startswith(" "):
        return escape(" ".join(paragraph.split("\n")))
    # The indent stands inside the markup: typer takes away what all lines of a text have in common.
    return "\n".join(f"[not dim]{escape(line)}[/not dim]" for line in paragraph.split("\n"))
