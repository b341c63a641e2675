"""The rights that deploy/kafka gives to each user: enough on a real broker that denies the rest, and each one used."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.errors import TopicAuthorizationFailedError

from schemas.topics import ACTIONS, EVENTS, PRESENCE_CHANGELOG, REGISTRATIONS, REJECTED, REMOVALS, RESTORES, WORKLOADS
from services.local.child import Child
from services.runtime.config import KafkaSettings
from services.runtime.kafka import producer
from services.runtime.topics import apply
from tests.integration.processes import MUSTER
from tests.integration.world import World
from tests.support import rights
from tests.support.eventually import eventually
from tests.support.secured import PASSWORD, SecuredKafka

FLEET = 3
USERS = sorted({one.user for one in rights.rights()})
USER_OF = {"processor": "muster-processor", "sink": "muster-sink", "fleet": "muster-agent"}
NOT_HIS = {
    "muster-agent": (WORKLOADS, REGISTRATIONS, PRESENCE_CHANGELOG, RESTORES, ACTIONS),
    "muster-sink": (EVENTS, WORKLOADS),
    "muster-processor": (REGISTRATIONS, REMOVALS, ACTIONS),
    "muster-reader": (EVENTS,),
    "muster-operator": (WORKLOADS,),
}


class Guarded(World):
    """Muster's programs, each as the user that is made for it; the test itself is the administrator."""

    def __init__(self, secured: SecuredKafka, kubeconfig: Path, folder: Path) -> None:
        super().__init__(secured.kafka, kubeconfig, folder)
        self.secured = secured
        self.bootstrap_servers = secured.bootstrap_servers

    def start(self, name: str, *arguments: str, **assigned: object) -> Child:
        """Start a program as its user; the password is in the environment, as an operator would have it."""
        told = {f"kafka__{key}": value for key, value in self._settings_of(USER_OF[arguments[0]]).items()}
        return super().start(name, *arguments, **told, **assigned)

    def _settings_of(self, user: str) -> dict[str, str]:
        return {key: value for key, value in self.secured.settings_of(user).items() if key != "sasl_password"}

    def client(self, user: str) -> KafkaSettings:
        """Return the settings of a client in this process."""
        told = {"bootstrap_servers": self.secured.bootstrap_servers, **self.secured.settings_of(user)}
        return KafkaSettings.model_validate(told)

    async def run(self, user: str, *arguments: str) -> str:
        """Run a command to its end as a user; return what it printed."""
        told = (f"--set=kafka.{key}={value}" for key, value in self._settings_of(user).items())
        done = await asyncio.create_subprocess_exec(
            *(*MUSTER, *arguments, "--bootstrap-servers", self.bootstrap_servers, *told),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "COLUMNS": "200"},
        )
        out, err = await asyncio.wait_for(done.communicate(), 60)
        assert done.returncode == 0, err.decode()
        return out.decode()


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(kube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guarded]:
    secured = SecuredKafka(tmp_path / "kafka", USERS, guarded=True)
    await secured.kafka.start()
    await rights.give(secured.kafka.bootstrap_servers)
    await apply(KafkaSettings(bootstrap_servers=secured.kafka.bootstrap_servers), 2, 1)
    monkeypatch.setenv("MUSTER_KAFKA__SASL_PASSWORD", PASSWORD)
    async with Guarded(secured, kube, tmp_path) as world:
        yield world
    await secured.kafka.stop()


async def _everything(world: Guarded) -> None:
    """Have everybody do all that he ever does."""
    for child in (world.processor(), world.sink()):
        await world.ready(child)
    fleet = world.fleet("all", FLEET, 1, world.groups[:1])
    await eventually(lambda: _stand(world, FLEET), f"{FLEET} registrations")
    key = ("--key", str(world.mint.processor_key))
    await world.run("muster-operator", "override", "hold-removals", "--all", "--why", "looking", "--yes", *key)
    await world.run("muster-operator", "override", "resume-removals", "--all", "--why", "looked", "--yes", *key)
    await world.kill(fleet)
    # What all have in common may be the observer's fault: nobody is absent until the brake is released.
    await world.run("muster-operator", "override", "release-brake", "--all", "--why", "they are dead", "--yes", *key)
    # And nothing is taken from so many of all, until that is said to the sink as well.
    await world.run("muster-operator", "override", "release-removals", "--all", "--why", "they are dead", "--yes")
    await eventually(lambda: _stand(world, 0), "nobody to be left", within_s=90)
    listed = await world.run("muster-reader", "removals")
    name = re.findall(r"ratings-aws\S+", listed)[0]
    await world.run("muster-operator", "restore", name, "--why", "it serves", "--for", "1s", "--yes")
    await _write(world, "muster-agent", EVENTS, b"no event")
    await _write(world, "administrator", WORKLOADS, b"no state")
    await eventually(lambda: _letters(world, 2), "two dead letters")
    await world.run("muster-reader", "status")
    await world.run("muster-reader", "events", "cat")


async def _stand(world: Guarded, wanted: int) -> bool:
    world.all_run()
    return len(await world.wars()) == wanted


async def _letters(world: Guarded, wanted: int) -> bool:
    return sum(map(len, (await world.records(REJECTED)).values())) >= wanted


async def _write(world: Guarded, user: str, topic: str, value: bytes) -> None:
    settings = world.settings if user == "administrator" else world.client(user)
    # Without idempotence, which Kafka refuses in words that never end to whoever may write nothing at all.
    pen = await producer(settings, enable_idempotence=False)
    try:
        await pen.send_and_wait(topic, value, b"shop/till/nobody")
    finally:
        await pen.stop()


async def test_everybody_does_everything_with_just_the_rights_given_and_needs_each_of_them(guarded: Guarded) -> None:
    await _everything(guarded)
    used = rights.uses(guarded.secured.kafka.folder / "kafka.log")
    denied = sorted(use for use in used if not use.allowed)
    assert not denied, f"missed in deploy/kafka: {denied}"
    idle = [right for right in rights.rights() if not any(right.allows(use) for use in used)]
    assert not idle, f"given in deploy/kafka, and used by nobody: {idle}"


async def test_nobody_writes_what_is_not_his(guarded: Guarded) -> None:
    for user, topics in NOT_HIS.items():
        for topic in topics:
            with pytest.raises(TopicAuthorizationFailedError):
                await _write(guarded, user, topic, b"{}")
    written = [await guarded.records(topic) for topic in (EVENTS, WORKLOADS, REGISTRATIONS, RESTORES, ACTIONS)]
    assert not any(records for topic in written for records in topic.values())
