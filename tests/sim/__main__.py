"""``python -m tests.sim``: the same as ``muster sim``."""

import typer

from services.cli.sim import sim

if __name__ == "__main__":
    typer.run(sim)
