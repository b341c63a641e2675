"""What ``muster replay --compare`` says of a world after everything that befell it."""

import asyncio
import os
import re
import sys

from tests.integration.processes import RULES
from tests.integration.world import World

_AGREE = re.compile(r"compared with .*: (\d+) of (\d+) workloads agree$", re.MULTILINE)
_MUSTER = ("-c", "from services.cli.main import main; main()")


async def replay_disagreements(world: World, known: int) -> str:
    """Return in what a replay of the whole log is not what is live: the topic, and each namespace's WARs."""
    found = await topic_disagreements(world, known)
    for namespace in world.namespaces:
        kube = ("--compare", "kube", "-n", namespace, f"--kubeconfig={world.kubeconfig}")
        found += await _compared(world, None, *kube)
    return found


async def topic_disagreements(world: World, known: int) -> str:
    """Return in what a replay of the whole log is not the topic of states, which knows so many workloads."""
    return await _compared(world, known, "--compare", "topic")


async def _compared(world: World, known: int | None, *words: str) -> str:
    rules = (f"--set=rules.{name}={getattr(RULES, name)}" for name in ("window_ms", "missed_windows", "grace_windows"))
    servers = f"--bootstrap-servers={world.settings.bootstrap_servers}"
    argv = [sys.executable, *_MUSTER, "replay", servers, f"--bundle={world.bundle}", *rules, *words]
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )
    _, err = await asyncio.wait_for(child.communicate(), 120)
    said = err.decode()
    agreed = _AGREE.search(said)
    if child.returncode == 0 and agreed is not None and agreed[1] == agreed[2] and known in {None, int(agreed[2])}:
        return ""
    return f"{' '.join(words)} ended with {child.returncode}:\n{said}"
