"""A real agent process on a real Kafka; the test is the processor and the sink."""

import signal

import aiohttp
import pytest

from schemas.chain import leads_to
from schemas.events import Connect, Heartbeat
from schemas.registrations import Ended, EndReason, RefusalReason, Refused
from services.local.ports import free
from tests.integration.agent.conftest import Launch, Machine, Wire
from tests.support.eventually import eventually
from tests.support.imds import ImdsServer
from tests.support.sessions import CREDENTIAL

pytestmark = pytest.mark.integration


async def test_an_agent_connects_and_heartbeats_with_increasing_sequence(
    vm: Machine, wire: Wire, launch: Launch
) -> None:
    launch(vm.config)
    heartbeats = await wire.heartbeats(vm.key, 5)
    first = (await wire.said(vm.key))[0]
    assert isinstance(first, Connect)
    assert first.workload.registration.workload.labels == {"version": "v5"}
    assert [first.seq, *(heartbeat.seq for heartbeat in heartbeats)] == list(range(len(heartbeats) + 1))
    assert {heartbeat.session for heartbeat in heartbeats} == {first.session}


async def test_an_agent_heeds_what_becomes_of_its_session(vm: Machine, wire: Wire, launch: Launch) -> None:
    """Refused, then registered, then the registration deleted: a new session, with an id of its own."""
    agent = launch(vm.config)
    (connect,) = await wire.connects(vm.key)
    refused = Refused(session=connect.session, reason=RefusalReason.GROUP_NOT_FOUND, message="no group ratings")
    await wire.answer(vm.key, refused)
    await agent.logged("no group ratings")
    await wire.answer(vm.key, vm.registered(connect.session))
    await agent.logged("registered as bookinfo/" + vm.name)
    await wire.answer(vm.key, vm.ended(connect.session))
    first, second = await wire.connects(vm.key, 2)
    assert second.session != first.session
    await wire.answer(vm.key, vm.registered(second.session, uid="u2"))
    await agent.logged("(uid u2)")


async def test_an_agent_is_ready_when_it_is_registered_and_says_why_when_it_is_not(
    vm: Machine, wire: Wire, launch: Launch
) -> None:
    port = free()
    agent = launch(vm.config | {"http": {"port": port}})
    (connect,) = await wire.connects(vm.key)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        async with http.get("/readyz") as answer:
            assert (answer.status, "not ok registered: no answer yet" in await answer.text()) == (503, True)
        await wire.answer(vm.key, vm.registered(connect.session))
        await agent.logged("registered as")
        async with http.get("/readyz") as answer:
            assert answer.status == 200, await answer.text()
        async with http.get("/metrics") as answer:
            metrics = await answer.text()
    assert 'muster_agent_answers_total{type="registered"} 1.0' in metrics
    assert "muster_agent_sessions_total 1.0" in metrics


async def test_answers_to_others_and_nonsense_under_our_key_change_nothing(
    vm: Machine, wire: Wire, launch: Launch
) -> None:
    agent = launch(vm.config)
    (connect,) = await wire.connects(vm.key)
    other = "11111111-2222-4333-8444-555555555555"
    await wire.answer(vm.key, Ended(session=other, uid="u", reason=EndReason.DELETED, message="not ours"))
    await wire._producer.send_and_wait("muster.registrations", b"\xff no json", key=vm.key)
    await wire._producer.send_and_wait("muster.registrations", None, key=vm.key)
    await wire.answer(vm.key, vm.registered(connect.session))
    await agent.logged("registered as")
    assert "an answer cannot be read and is passed over" in agent.log
    assert len([event for event in await wire.said(vm.key) if isinstance(event, Connect)]) == 1


async def test_sigterm_says_goodbye_and_exits_cleanly(vm: Machine, wire: Wire, launch: Launch) -> None:
    agent = launch(vm.config)
    await wire.heartbeats(vm.key, 2)
    agent.signal(signal.SIGTERM)
    assert await agent.ended() == 0, agent.log

    events = await wire.until_goodbye(vm.key)
    assert events[-1].seq == len(events) - 1


async def test_an_agent_proves_itself_and_its_next_process_shows_to_be_its_heir(
    vm: Machine, wire: Wire, launch: Launch
) -> None:
    """Killed, it says no goodbye: the tail in its state file is all that tells its successor from a stranger."""
    first = launch(vm.config)
    heartbeats = await wire.heartbeats(vm.key, 3)
    first.signal(signal.SIGKILL)
    await first.ended()
    launch(vm.config)
    one, two = await wire.connects(vm.key, 2)
    assert one.proof is not None
    assert two.proof is not None
    anchor = bytes.fromhex(one.proof.chain.anchor)
    assert all(leads_to(bytes.fromhex(beat.link or ""), beat.seq, anchor) for beat in heartbeats)
    (tail,) = two.proof.continues
    assert leads_to(bytes.fromhex(tail), one.proof.chain.length, anchor)
    assert one.proof.credential == CREDENTIAL


async def test_a_session_refused_under_its_own_key_introduces_itself_until_it_is_admitted(
    vm: Machine, wire: Wire, launch: Launch
) -> None:
    agent = launch(vm.config | {"pacing": {"heartbeat_seconds": 0.2, "retry_seconds": 0.5}})
    (connect,) = await wire.connects(vm.key)
    refused = Refused(session=connect.session, reason=RefusalReason.DUPLICATE_IDENTITY, message="somebody lives there")
    place = await wire.place(vm.key)
    await wire._producer.send_and_wait(
        "muster.registrations", refused.to_json(), key=vm.key + b"/" + connect.session.encode(), partition=place
    )
    await agent.logged("somebody lives there")

    async def introduced() -> bool:
        events = await wire.said(vm.key)
        return sum(isinstance(e, Heartbeat) and e.proof is not None for e in events) >= 2

    await eventually(introduced, "two introductions")
    await wire.answer(vm.key, vm.registered(connect.session))
    await agent.logged("registered as")


async def test_an_agent_on_ec2_takes_its_identity_from_the_metadata_service(
    vm: Machine, wire: Wire, launch: Launch
) -> None:
    async with ImdsServer() as server:
        launch(vm.config | {"identity": {"ec2": {"endpoint": server.endpoint}}})
        key = b"bookinfo/ratings/aws-aws-123456789012-us-east-2b-ec2-i-1234567890abcdef0"
        (connect,) = await wire.connects(key)
    assert [address.ip for address in connect.workload.registration.host.addresses] == ["172.31.5.254", "3.15.20.7"]


async def test_a_bad_identity_file_ends_the_agent_with_words_that_name_it(vm: Machine, launch: Launch) -> None:
    agent = launch(vm.config | {"identity": {"file": "/nowhere/identity.yaml"}})
    assert await agent.ended() == 2, agent.log
    assert "/nowhere/identity.yaml: cannot be read" in agent.log


async def test_the_sidecar_gets_its_bootstrap_and_is_drained_with_the_agent(
    vm: Machine, wire: Wire, launch: Launch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("envoy")
    script = """
        trap "echo down >> sidecar.log; exit 0" TERM
        echo "up $POD_NAME.$POD_NAMESPACE" >> sidecar.log
        while :; do sleep 0.1; done
    """
    agent = launch(vm.config | {"sidecar": {"directory": str(folder), "command": ["/bin/sh", "-c", script]}})
    (connect,) = await wire.connects(vm.key)
    assert not (folder / "cluster.env").exists()
    await wire.answer(vm.key, vm.registered(connect.session))

    async def lines() -> list[str] | None:
        file = folder / "sidecar.log"
        return file.read_text().splitlines() if file.exists() else None

    assert await eventually(lines, "the sidecar to start") == [f"up {vm.name}.bookinfo"]
    assert f"POD_NAME={vm.name}\n" in (folder / "cluster.env").read_text()
    agent.signal(signal.SIGTERM)
    assert await agent.ended() == 0, agent.log
    assert await lines() == [f"up {vm.name}.bookinfo", "down"]


async def test_the_sidecar_is_drained_when_the_registration_ends_and_starts_with_the_next(
    vm: Machine, wire: Wire, launch: Launch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("envoy")
    script = 'echo "up" >> sidecar.log; trap "echo down >> sidecar.log; exit 0" TERM; while :; do sleep 0.1; done'
    launch(vm.config | {"sidecar": {"directory": str(folder), "command": ["/bin/sh", "-c", script]}})
    (connect,) = await wire.connects(vm.key)
    await wire.answer(vm.key, vm.registered(connect.session))

    async def lines(*expected: str) -> bool:
        file = folder / "sidecar.log"
        return file.exists() and file.read_text().split() == list(expected)

    await eventually(lambda: lines("up"), "the sidecar to start")
    await wire.answer(vm.key, vm.ended(connect.session))
    await eventually(lambda: lines("up", "down"), "the sidecar to drain")
    _, second = await wire.connects(vm.key, 2)
    await wire.answer(vm.key, vm.registered(second.session, uid="u2"))
    await eventually(lambda: lines("up", "down", "up"), "the sidecar to start again")
