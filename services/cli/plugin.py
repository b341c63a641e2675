"""``kubectl muster …``: kubectl runs any ``kubectl-<name>`` on the PATH; ``kubectl_complete-<name>`` completes.

The commands are those of ``muster``; their help calls them what was typed.
https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/
"""

import io
import os
import re
import shlex
import sys
from contextlib import redirect_stdout, suppress
from typing import Any

from services.cli.main import PLUGIN, app

_FILES, _NO_FILES = ":0", ":4"
"""Directives of cobra, which kubectl is made with: whether the shell may complete names of files."""


def main() -> None:
    """Run the command line as kubectl's plugin."""
    app(prog_name=PLUGIN)


def complete() -> None:
    """Print what fits, a line each, and a directive; the last argument is the word to be completed."""
    *before, incomplete = sys.argv[1:] or [""]
    words = ["muster", *before, incomplete]
    os.environ |= {
        "_MUSTER_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    found = io.StringIO()
    with redirect_stdout(found), suppress(SystemExit):
        app(prog_name="muster")
    fitting = found.getvalue().split()
    sys.stdout.write("".join(f"{word}\n" for word in fitting) + (_NO_FILES if fitting else _FILES) + "\n")


def renamed(command: Any, names: list[str]) -> None:  # noqa: ANN401 - typer's own types are private
    """Let the help of a command call the commands ``names`` what a user of the plugin types."""
    ours = re.compile(rf"(?<![-\w/.])muster (?=(?:{'|'.join(map(re.escape, names))})\b)")
    for one in (command, *command.params):
        for name in ("help", "short_help", "epilog"):
            if text := getattr(one, name, None):
                setattr(one, name, ours.sub(f"{PLUGIN} ", text))
    for inner in getattr(command, "commands", {}).values():
        renamed(inner, names)
