"""``muster override`` on a real Kafka, with real workers that die: what an operator orders is kept."""

import asyncio
import json
import os
import sys
from typing import Any, NamedTuple

from schemas.topics import EVENTS
from schemas.workloads import Presence
from services.processor.core.rows import WorkloadRow
from tests.integration.evidence import workloads
from tests.integration.processor.house import MUSTER, RULES, House
from tests.integration.processor.story import Member, home
from tests.support.eventually import eventually
from tests.support.proofs import bundle_file

FAR = RULES.grace_windows + 5


class Done(NamedTuple):
    """A run of the command line."""

    exit_code: int
    stdout: str
    stderr: str


async def _muster(house: House, *arguments: str) -> Done:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, *MUSTER, *arguments, "--bootstrap-servers", house.settings.bootstrap_servers),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )
    out, err = await asyncio.wait_for(child.communicate(), 60)
    return Done(child.returncode or 0, out.decode(), err.decode())


async def _windows(house: House, partition: int, count: int) -> None:
    """Wait until so many windows more have counted."""

    async def rolls() -> int:
        rows = (await house.ticks())[partition]
        return rows[-1].rolls if rows else 0

    wanted = await rolls() + count

    async def so() -> bool:
        return await rolls() >= wanted

    await eventually(so, f"{count} windows", within_s=60, every_s=0.2)


async def _presence(house: House, member: Member) -> Presence | None:
    row = (await house.rows())[home(member.key, house.partitions)].get(member.key)
    return row.presence if isinstance(row, WorkloadRow) else None


async def _events(house: House) -> list[Any]:
    return [json.loads(one.value) for found in (await house.records(EVENTS)).values() for one in found]


async def test_a_held_group_loses_nobody_though_its_owner_dies_and_resumed_it_does(house: House) -> None:
    """The order is history when the second worker starts: it is in the partition's row."""
    member = Member(1)
    place = home(member.key, house.partitions)
    scope = f"{member.introduction.namespace}/{member.introduction.group}"
    first = house.worker()
    await house.ready(first)
    done = await _muster(house, "override", "hold-removals", "--group", scope, "--why", "racks move", "--yes")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("HoldRemovals written to partition") == house.partitions
    await house.write(place, [member.connect()])
    await _windows(house, place, RULES.missed_windows + FAR)
    assert await _presence(house, member) is Presence.ABSENT

    await first.kill()
    second = house.worker()
    await house.ready(second)
    await _windows(house, place, FAR)
    assert await _presence(house, member) is Presence.ABSENT
    shown = await _muster(house, "status")
    assert f"removals of {scope} are held by" in shown.stderr
    assert ": racks move (partitions 0, 1, since 20" in shown.stderr
    rules = [f"--set=rules.{name}={getattr(RULES, name)}" for name in ("window_ms", "missed_windows", "grace_windows")]
    unjudged = await _muster(house, "replay", *rules)
    assert unjudged.exit_code == 2
    assert "the log names the trust bundle sha256:" in unjudged.stderr
    rules.append(f"--bundle={bundle_file()}")
    replayed = await _muster(house, "replay", *rules)
    assert f"1 not removed: removals of {scope} are held" in replayed.stdout
    told = await _muster(house, "explain", "/".join(member.introduction.key), *rules)
    assert f"HoldRemovals of {scope} by" in told.stdout or f"removals of {scope} are held by" in told.stdout

    done = await _muster(house, "override", "resume-removals", "--all", "--why", "moved", "--who", "bob", "--yes")
    assert done.exit_code == 0, done.stderr

    async def removed() -> bool:
        return await _presence(house, member) is Presence.REMOVED

    await eventually(removed, "the removal after the resume", within_s=30)
    assert "held" not in (await _muster(house, "status")).stderr
    await house.drain(second)
    assert await house.disagreements() == []
    states = [state.presence for _key, state in workloads(await house.records("muster.workloads"))]
    assert states.count(Presence.REMOVED) == 1


async def test_nothing_is_written_unless_it_is_agreed_to(house: House) -> None:
    """Without a terminal there is nobody to ask; the plan is shown all the same."""
    done = await _muster(house, "override", "release-brake", "--partition", "1", "--why", "test", "--who", "ann")
    assert done.exit_code == 2
    assert "To partition 1 of muster.events" in done.stderr
    assert '"action":"ReleaseBrake","who":"ann","why":"test"' in done.stderr
    assert await _events(house) == []


async def test_an_order_goes_to_the_partition_that_was_named_and_no_other(house: House) -> None:
    done = await _muster(house, "override", "release-brake", "-p", "1", "--why", "test", "--who", "ann", "--yes")
    assert done.exit_code == 0, done.stderr
    log = await house.records(EVENTS)
    assert {partition: len(found) for partition, found in log.items()} == {0: 0, 1: 1}
    wrong = await _muster(house, "override", "release-brake", "-p", "7", "--why", "test", "--yes")
    assert wrong.exit_code == 2
    assert "has the partitions 0 to 1" in wrong.stderr
