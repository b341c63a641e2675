"""Muster's programs as child processes, with the short windows of the tests that use them."""

import sys
from pathlib import Path

import aiohttp

from services.identity.issuing import Mint
from services.local.child import Child
from services.local.ports import free
from tests.support.eventually import eventually
from tests.support.oracle import OracleRules

RULES = OracleRules(window_ms=1000, missed_windows=3, grace_windows=8, forget_windows=8640)
HEARTBEAT_S = 0.4
PACING = {
    "pacing__heartbeat_seconds": HEARTBEAT_S,
    "pacing__introduction_seconds": 5,
    "pacing__retry_seconds": 1,
}
"""How agents speak where windows are this short, `muster fleet`'s and `muster agent` alike."""
ANSWER = aiohttp.ClientTimeout(total=5)
"""A process that is stopped takes connections, and never answers."""
MUSTER = (sys.executable, "-c", "from services.cli.main import main; main()")


class Processes:
    """Starts, ends and asks them; each has its log in ``folder``."""

    def __init__(self, bootstrap_servers: str, kubeconfig: Path, folder: Path) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.kubeconfig = kubeconfig
        self.folder = folder
        self.children: list[Child] = []
        self.ended: set[Child] = set()
        """Those that were ended on purpose."""
        self.ports: dict[str, int] = {}
        self.mint = Mint(folder / "mint")
        self.bundle = folder / "bundle.json"
        self.mint.write_bundle(self.bundle, signed_control=True)

    def start(self, name: str, *arguments: str, **assigned: object) -> Child:
        """Start ``muster ARGUMENTS`` under a name of its own; ``assigned`` are settings, ``__`` for the dots."""
        name = f"{len(self.children):02}-{name}"
        self.ports[name] = free()
        told = {"http__port": self.ports[name], "log__format": "json", **assigned}
        options = [f"--set={key.replace('__', '.')}={value}" for key, value in told.items()]
        servers, kubeconfig = self.way(arguments[0])
        argv = [*MUSTER, *arguments, f"--bootstrap-servers={servers}", *options]
        child = Child(name, argv, self.folder / f"{name}.log", {"KUBECONFIG": str(kubeconfig)})
        child.start()
        self.children.append(child)
        return child

    def way(self, _part: str) -> tuple[str, Path]:
        """Return by which bootstrap servers and which kubeconfig a part (``sink``, ``fleet`` …) reaches its world."""
        return self.bootstrap_servers, self.kubeconfig

    async def kill(self, child: Child) -> None:
        """End a process as a crash would."""
        self.ended.add(child)
        await child.kill()

    async def stop(self, child: Child) -> None:
        """End a process in order: SIGTERM, and it has drained."""
        self.ended.add(child)
        status = await child.stop()
        assert status == 0, f"{child.name} did not drain: status {status}\n{child.tail()}"

    def all_run(self) -> None:
        """Fail the test where a process ended by itself."""
        for child in self.children:
            assert child.running or child in self.ended, f"{child.name} ended with {child.status}:\n{child.tail()}"

    def child(self, name: str) -> Child:
        """Return the oldest running process of this name."""
        return next(child for child in self.children if child.running and child.name.split("-", 1)[1] == name)

    def processor(self) -> Child:
        """Start a worker of the processor with the short windows of this test."""
        return self.start(
            "processor",
            "processor",
            rules__window_ms=RULES.window_ms,
            rules__missed_windows=RULES.missed_windows,
            rules__grace_windows=RULES.grace_windows,
            group__session_timeout_seconds=6,
            trust__bundle=self.bundle,
            trust__key=self.mint.processor_key,
        )

    def sink(self) -> Child:
        """Start the sink."""
        return self.start("sink", "sink")

    def fleet(self, name: str, size: int, seed: int, groups: tuple[str, ...]) -> Child:
        """Start agents: the same seed and size are the same machines, with their disks, in new sessions."""
        return self.start(
            f"fleet-{name}",
            "fleet",
            str(size),
            seed=seed,
            groups=f"[{', '.join(groups)}]",
            start_per_second=100,
            **PACING,
            issuer=self.mint.folder,
            state_dir=self.folder / "state",
        )

    def agent(self, name: str, identity: Path, workload_group: str) -> Child:
        """Start the agent of one machine, with a disk of its own; ``workload_group`` is ``<namespace>/<group>``."""
        namespace, group = workload_group.split("/")
        return self.start(
            name,
            "agent",
            namespace=namespace,
            workload_group=group,
            identity__file=identity,
            **PACING,
            state_dir=self.folder / name,
        )

    async def ready(self, child: Child, within_s: float = 60) -> None:
        """Wait until a process says of itself that it is ready."""

        async def says_so() -> bool:
            self.all_run()
            return (await self.http(child, "readyz"))[0] == 200

        await eventually(says_so, f"{child.name} to be ready", within_s=within_s)

    async def http(self, child: Child, path: str) -> tuple[int, str]:
        """Return status and text of one of a process's pages; status 0 where nobody answers."""
        try:
            async with (
                aiohttp.ClientSession(timeout=ANSWER) as http,
                http.get(f"http://127.0.0.1:{self.ports[child.name]}/{path}") as answer,
            ):
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""
