"""What the processor rejected, as the sink shows and tells it: on a real log and API, over restarts (ADR 0012)."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest_asyncio

from schemas import topics
from schemas.codec import MAX_EVENT_BYTES, Rejection, decode_event
from schemas.events import Connect, Introduction
from schemas.identity import Identity, JwtIdentity
from schemas.message import instant
from schemas.registrations import RefusalReason, Refused
from schemas.rejected import Rejected, RejectReason
from services.runtime.kafka import partition_count, read_to_end, reader
from tests.integration.sink.mesh import PROGRAM, Mesh
from tests.support.eventually import eventually
from tests.support.registry import session

CLAIMANTS = 6


@pytest_asyncio.fixture(loop_scope="session")
async def mesh(kafka: str, kube: Path, tmp_path: Path) -> AsyncIterator[Mesh]:
    async with Mesh(kafka, kube, tmp_path) as made:
        yield made


EXPIRED = Rejection(RejectReason.NOT_VERIFIED, "CredentialExpired: it ended yesterday")


async def _reject(mesh: Mesh, who: Introduction, of_session: int, offset: int) -> None:
    """Reject a connect as the processor does."""
    event = Connect(session=session(of_session), seq=0, workload=who)
    await _letter(mesh, who.key.to_bytes(), event.to_json(), offset, EXPIRED)


async def _letter(mesh: Mesh, key: bytes, value: bytes, offset: int, why: Rejection) -> None:
    """Write to muster.rejected as the processor does, at the broker's present time."""
    sent = await mesh.pen.send_and_wait(topics.REJECTED, b"no letter", b"a clock")
    letter = Rejected.model_construct(
        reason=RejectReason(why.reason),
        message=why.message,
        by="processor",
        topic=topics.EVENTS,
        partition=0,
        offset=offset,
        timestamp=instant(sent.timestamp),
        key=key,
        value=value,
    )
    await mesh.write(topics.REJECTED, key, letter.to_json())


async def _attempted(mesh: Mesh, times: list[int]) -> list[dict[str, Any]] | None:
    found = await mesh.attempts()
    return found if sorted(one["status"]["attempts"] for one in found) == times else None


async def _told(mesh: Mesh) -> dict[bytes, tuple[int, bytes | None]]:
    """Return the newest record of each key of the answers, with its partition."""
    consumer = await reader(mesh.settings, topics.REGISTRATIONS)
    try:
        return {one.key: (one.partition, one.value) async for chunk in read_to_end(consumer) for one in chunk}
    finally:
        await consumer.stop()


async def test_a_claim_is_shown_and_told_in_the_workloads_partition_and_a_restart_changes_neither(mesh: Mesh) -> None:
    who = mesh.who()
    await mesh.write(topics.WORKLOADS, who.key.to_bytes(), None)
    await mesh.start()
    for offset in (10, 11, 12):
        await _reject(mesh, who, of_session=7, offset=offset)
    before = await eventually(partial(_attempted, mesh, [3]), "three attempts")
    key = who.key.to_bytes() + b"/" + session(7).encode()

    async def told() -> tuple[int, bytes | None] | None:
        return (await _told(mesh)).get(key)

    partition, value = await eventually(told, "the session to be told")
    answer = Refused.model_validate_json(value or b"")
    assert (answer.reason, answer.session) == (RefusalReason.NOT_VERIFIED, session(7))
    assert await partition_count(mesh.settings, topics.REGISTRATIONS) == 2
    mark = await mesh.pen.send_and_wait(topics.REGISTRATIONS, None, who.key.to_bytes())
    assert partition == mark.partition

    assert await mesh.stop() == 0
    await _reject(mesh, mesh.who(2), of_session=8, offset=13)
    sink = await mesh.start()
    found = await eventually(partial(_attempted, mesh, [1, 3]), "what was rejected meanwhile to be shown")
    assert [one for one in found if one["status"]["attempts"] == 3] == before
    answers = [key for key, _ in await mesh.records(topics.REGISTRATIONS) if key and key.endswith(session(7).encode())]
    assert len(answers) == 1, "told again"
    assert sink.running


async def test_what_the_processor_could_not_take_is_shown_under_a_name_that_kubernetes_takes_and_told(
    mesh: Mesh,
) -> None:
    """A subject too long for a name, an event too large, and an identity of which only the key tells."""
    await mesh.start()
    said = Connect(session=session(31), seq=0, workload=mesh.who()).to_json()
    long = mesh.who().model_copy(update={"identity": Identity(jwt=JwtIdentity(issuer="corp", subject="a" * 250))})
    nobody = long.key._replace(identity="Nobody knows, é" * 40)
    letters = {
        long.key: Connect(session=session(30), seq=0, workload=long).to_json(),
        mesh.who().key: said[:-1] + b',"proof":"' + b"x" * MAX_EVENT_BYTES + b'"}',
        nobody: said.replace(session(31).encode(), session(32).encode()).replace(b'"account":"1', b'"account":"x'),
    }
    for offset, (key, value) in enumerate(letters.items(), 30):
        why = decode_event(key.to_bytes(), value)
        assert isinstance(why, Rejection)
        await _letter(mesh, key.to_bytes(), value, offset, why)
    shown = await eventually(partial(_attempted, mesh, [1] * 3), "all to be shown")
    found = {one["status"]["session"]: one for one in shown}
    assert {one["status"]["reason"] for one in shown} == {"InvalidEvent"}
    assert found[session(30)]["status"]["message"].startswith("InvalidName: ")
    assert found[session(30)]["spec"]["identity"]["jwt"]["subject"] == "a" * 250
    assert found[session(31)]["status"]["message"].startswith("Oversize: ")
    assert found[session(31)]["metadata"]["name"] == f"{mesh.who().key.war_name}--unverified"
    assert found[session(32)]["spec"]["claimed"].startswith("Nobody knows, é")
    assert "identity" not in found[session(32)]["spec"]

    async def all_told() -> bool:
        told = await _told(mesh)
        return all(
            key.to_bytes() + b"/" + session(number).encode() in told for number, key in enumerate(letters, start=30)
        )

    await eventually(all_told, "the sessions to be told")


async def test_a_flood_of_claims_is_bounded_and_all_of_it_goes_with_its_retention(mesh: Mesh) -> None:
    await mesh.start(PROGRAM, "attempts.per_namespace=4", "attempts.retention_seconds=8")
    for number in range(1, CLAIMANTS + 1):
        await _reject(mesh, mesh.who(number), of_session=number, offset=20 + number)
    await eventually(partial(_attempted, mesh, [1] * 4), "four of them to be shown")
    own = mesh.namespace.encode()

    async def all_told() -> bool:
        return sum(key.startswith(own) and value is not None for key, (_, value) in (await _told(mesh)).items()) == 6

    await eventually(all_told, "all of them to be told")
    _, page = await mesh.page("metrics")
    assert 'muster_sink_unshown_total{reason="IdentityNotVerified"} 2.0' in page
    await eventually(partial(_nothing, mesh), "the attempts and answers to be gone", within_s=40)


async def _nothing(mesh: Mesh) -> bool:
    own = mesh.namespace.encode()
    answers = [value for key, (_, value) in (await _told(mesh)).items() if key.startswith(own)]
    return not await mesh.attempts() and not any(answers)
