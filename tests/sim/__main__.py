"""``python -m tests.sim``: the same as ``muster sim``."""

import sys

from services.cli.main import app

if __name__ == "__main__":
    app(["sim", *sys.argv[1:]], prog_name="muster")
