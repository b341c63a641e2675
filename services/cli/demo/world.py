"""The world of the demo: the local stack, Muster's programs on it, and the machines."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from schemas.codec import decode_event
from schemas.credentials import Credential
from schemas.events import Trusted
from schemas.topics import EVENTS
from services.identity.issuing import Mint
from services.local import crds
from services.local.cli import described
from services.local.remote import Running, forget
from services.runtime import topics
from services.runtime.config import KafkaSettings
from services.runtime.kafka import reader

WINDOW_MS = 1000
MISSED_WINDOWS = 3
GRACE_WINDOWS = 12
RATINGS, LEDGER = "bookinfo/ratings", "payments/ledger"
FLEET = 10
ACCOUNT, ZONE = "123456789012", "us-east-2b"


class Machine(NamedTuple):
    """A machine with an agent of its own, as a process that can be killed."""

    group: str
    instance: str
    address: str

    @property
    def namespace(self) -> str:
        """Where its WAR stands."""
        return self.group.split("/")[0]

    @property
    def war(self) -> str:
        """Name of its WAR."""
        return f"{self.group.split('/')[1]}-aws-aws-{ACCOUNT}-{ZONE}-ec2-{self.instance}"

    def identity(self, mint: Mint) -> dict[str, Any]:
        """Return its identity file, with the document that the mint signs as EC2's metadata service would."""
        aws = {"partition": "aws", "account": ACCOUNT, "region": "us-east-2", "zone": ZONE}
        shown = Credential(ec2=mint.ec2(self.instance, ZONE, ACCOUNT, self.address))
        registration = {
            "host": {"addresses": [{"ip": self.address, "type": "VPC"}]},
            "sidecar": {"istio": {"version": "1.29.0"}},
            "workload": {"labels": {"version": "v5"}},
        }
        identity = {"aws": {**aws, "ec2": {"instanceId": self.instance}}}
        return {"identity": identity, "registration": registration, "credential": json.loads(shown.to_json())}


RATER = Machine(RATINGS, "i-1234567890abcdef0", "172.31.5.254")
BOOKKEEPER = Machine(LEDGER, "i-0fedcba9876543210", "172.31.7.20")


class World:
    """What the tour acts on."""

    def __init__(self, stack: Running) -> None:
        self.stack = stack
        self.bootstrap_servers = ""
        self.kubeconfig: Path | None = None
        self.mint = Mint(stack.folder.absolute() / "mint")
        self.bundle = self.mint.folder / "trust.json"
        self.mint.write_bundle(self.bundle, signed_control=True)

    async def kafka(self, tell: Callable[[str], None]) -> None:
        """Wait for Kafka and create the topics; ``tell`` is told how far it is."""
        self.bootstrap_servers = (await self._ready("kafka", tell))["bootstrap_servers"]
        await topics.apply(KafkaSettings(bootstrap_servers=self.bootstrap_servers))

    async def kubernetes(self, tell: Callable[[str], None]) -> None:
        """Wait for the Kubernetes API; its first build takes minutes."""
        self.kubeconfig = Path((await self._ready("kube", tell))["kubeconfig"])

    async def _ready(self, part: str, tell: Callable[[str], None]) -> dict[str, Any]:
        while True:
            told: dict[str, Any] = (await self.stack.state())[part]
            tell(described(part, told))
            if told["state"] == "failed":
                raise RuntimeError(told["why"])
            if told["state"] == "ready":
                return told
            await asyncio.sleep(0.1)

    async def processor(self) -> None:
        """Start the processor, with windows of a second and the mint's trust bundle."""
        rules = {"window_ms": WINDOW_MS, "missed_windows": MISSED_WINDOWS, "grace_windows": GRACE_WINDOWS}
        settings = [f"--set=rules.{key}={value}" for key, value in rules.items()]
        trust = [f"--set=trust.bundle={self.bundle}", f"--set=trust.key={self.mint.processor_key}"]
        await self._program("processor", ["processor", *trust, *settings])

    async def trusting(self) -> None:
        """Wait until every partition names the trust bundle: who connects before that is verified only later."""
        events = await reader(KafkaSettings(bootstrap_servers=self.bootstrap_servers), EVENTS)
        waiting = set(events.assignment())
        try:
            while waiting:
                for place, chunk in (await events.getmany(*waiting, timeout_ms=250)).items():
                    if any(isinstance(decode_event(one.key, one.value), Trusted) for one in chunk):
                        waiting.discard(place)
        finally:
            await events.stop()

    async def sink(self) -> None:
        """Start the sink."""
        await self._program("sink", ["sink"], {"KUBECONFIG": str(self.kubeconfig)})

    async def fleet(self) -> None:
        """Start ten agents in one process, spread over the two groups; the mint signs for them."""
        issuer = f"--set=issuer={self.mint.folder}"
        arguments = ["fleet", str(FLEET), f"--set=groups=[{RATINGS}, {LEDGER}]", issuer, *_PACING]
        await self._program("fleet", arguments)

    async def agent(self, machine: Machine) -> int:
        """Start the agent of one machine, as a process of its own; return its pid."""
        file = self.stack.folder / "machines" / f"{machine.instance}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(machine.identity(self.mint), sort_keys=False))
        namespace, group = machine.group.split("/")
        settings = {
            "namespace": namespace,
            "workload_group": group,
            "identity.file": file.absolute(),
            "state_dir": file.parent.absolute(),
        }
        arguments = ["agent", *(f"--set={key}={value}" for key, value in settings.items()), *_PACING]
        return await self._program(f"agent-{machine.instance}", arguments)

    async def kill(self, machine: Machine) -> None:
        """End the agent of a machine with SIGKILL."""
        await self.stack.kill(f"agent-{machine.instance}")

    async def _program(self, name: str, arguments: list[str], env: dict[str, str] | None = None) -> int:
        muster = str(Path(sys.prefix) / "bin" / "muster")
        servers = ["--bootstrap-servers", self.bootstrap_servers]
        return await self.stack.spawn(name, [muster, *arguments, *servers, "--log-format=console"], env)

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints; RuntimeError with its words where it fails."""
        command = [crds.kubectl(), *arguments]
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = await asyncio.to_thread(
            subprocess.run, command, input=stdin, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return str(done.stdout)


_PACING = ("--set=pacing.heartbeat_seconds=0.4", "--set=pacing.backoff_seconds=0.3")


def fresh(folder: Path) -> World:
    """Return a world on a new local stack, ending the one an earlier demo left."""
    earlier = Running.find(folder)
    if earlier is not None:
        earlier.end()
    forget(folder)
    return World(Running.start(folder))
