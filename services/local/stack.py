"""The whole local stack in one folder: Kafka, the Kubernetes API, and whatever programs run beside them."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.local import golang
from services.local.cache import Progress, quietly
from services.local.child import Child
from services.local.kafka import Kafka
from services.local.kube import Kube


class LocalStack:
    """Everything it starts ends with ``stop()``, and with this process in any case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kafka = Kafka(self.folder / "kafka")
        self.kube = Kube(self.folder / "kube")
        self.children: dict[str, Child] = {}

    async def start_kafka(self, progress: Progress = quietly) -> str:
        """Start Kafka, fetching it where the cache has none; return its bootstrap servers."""
        return await self.kafka.start(progress)

    async def build_kube(self, progress: Progress = quietly) -> Path:
        """Build the Kubernetes API if the cache has none: minutes, once. Cancelled, it ends the compilers."""
        return await golang.build_kube(progress)

    async def start_kube(self) -> Path:
        """Start the Kubernetes API (built before) with all custom resources; return its kubeconfig."""
        return await self.kube.start()

    def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """Start a program; its log is ``<folder>/logs/<name>.log``."""
        child = Child(name, argv, self.folder / "logs" / f"{name}.log", env)
        child.start()
        self.children[name] = child
        return child

    async def stop(self) -> None:
        """End all: the programs first, so that they can take their leave of Kafka and Kubernetes."""
        await asyncio.gather(*(child.stop() for child in self.children.values() if child.running))
        await asyncio.gather(self.kafka.stop(), self.kube.stop())
