"""``muster replay --emit`` on a real Kafka: lost outcomes come back, old ones do not."""

from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.events import Disconnect
from schemas.topics import EVENTS, WORKLOADS
from schemas.workloads import Presence
from services.replay.emitting import provenance
from tests.integration.evidence import newest, workloads
from tests.integration.processor.house import House
from tests.integration.replay.test_replay import BY_RULES, a_night, everything_on, muster
from tests.support.eventually import eventually

MINE = "sre.outcomes"
WHY = ("--why", "it was lost", "--who", "ann")


async def made(house: House, partitions: int) -> None:
    """Make a compacted topic of an SRE's own."""
    admin = AIOKafkaAdminClient(**house.settings.client_args())
    await admin.start()
    try:
        if MINE in await admin.list_topics():
            await admin.delete_topics([MINE])

            async def gone() -> bool:
                return MINE not in await admin.list_topics()

            await eventually(gone, "the topic to be deleted")
        await admin.create_topics([NewTopic(MINE, partitions, 1, topic_configs={"cleanup.policy": "compact"})])
    finally:
        await admin.close()


async def states(house: House, topic: str) -> dict[bytes, Any]:
    """Return the newest state of each key of a topic."""
    return newest(workloads(await house.records(topic)))


async def test_outcomes_go_to_a_topic_of_ones_own_with_where_they_come_from_and_not_twice(house: House) -> None:
    """The range asked for decides what is emitted; the second run finds everything there."""
    await a_night(house)
    await made(house, house.partitions)
    before = await everything_on(house)
    code, _, err = await muster(house, "replay", "--emit", MINE, *WHY, *BY_RULES)
    assert code == 2
    assert "there is nobody to ask, and nothing was written" in err
    assert await everything_on(house) == before

    code, _, err = await muster(house, "replay", "--emit", MINE, *WHY, "--yes", *BY_RULES)
    assert code == 0, err
    live = await states(house, WORKLOADS)
    assert await states(house, MINE) == live
    found = await house.records(MINE)
    assert {partition: {record.key for record in records} for partition, records in found.items()} == {
        partition: {record.key for record in records} for partition, records in (await house.records(WORKLOADS)).items()
    }
    told = provenance(list(found[0][0].headers))
    ends = {partition: records[-1].offset + 1 for partition, records in (await house.records(EVENTS)).items()}
    assert told["who"] == "ann"
    assert told["source"] == house.settings.bootstrap_servers
    assert told["range"] == f"0:0-{ends[0]}"

    code, _, err = await muster(house, "replay", "--emit", MINE, *WHY, "--yes", *BY_RULES)
    assert code == 0, err
    assert f"{len(live)} not emitted: already there" in err
    assert await house.records(MINE) == found


async def test_old_state_is_not_brought_back_to_the_live_topic_and_lost_state_is(house: House) -> None:
    """Of a recording of the first half everything is older; of the whole log, what was taken out comes back."""
    folded = await a_night(house)
    live = await states(house, WORKLOADS)
    half = ",".join(f"{partition}:{offset // 2}" for partition, offset in folded.items())
    code, _, err = await muster(house, "replay", "--to", half, "--emit", WORKLOADS, *WHY, "--yes", *BY_RULES)
    assert code == 0, err
    assert "not emitted: older than what is there" in err
    assert await states(house, WORKLOADS) == live

    key, lost = max(live.items(), key=lambda item: item[1].revision)
    ghost = lost.model_copy(update={"revision": lost.revision - 1})
    await made(house, house.partitions)
    for name, state in live.items():
        told = ghost if name == key else state
        await house.producer.send_and_wait(MINE, told.to_json(), name, state.partition)
    code, _, err = await muster(house, "replay", "--emit", MINE, *WHY, "--yes", *BY_RULES)
    assert code == 0, err
    assert f"1 states emitted to {MINE}" in err
    assert await states(house, MINE) == live


async def test_what_no_processor_told_yet_is_emitted_and_explain_says_who_did(house: House) -> None:
    """The processors are all down; their agents say goodbye meanwhile. A processor that comes back says the same."""
    await a_night(house)
    live = await states(house, WORKLOADS)
    key, state = next((key, state) for key, state in live.items() if state.presence is Presence.CONNECTED)
    bye = Disconnect(session=state.session, seq=10**6)
    last = await house.write(state.partition, [(key, bye.to_json())])
    which = f"key={key.decode()}"
    code, _, err = await muster(house, "replay", "-l", which, "--emit", WORKLOADS, *WHY, "--yes", *BY_RULES)
    assert code == 0, err
    assert f"1 states emitted to {WORKLOADS}" in err
    told = (await states(house, WORKLOADS))[key]
    assert told.presence is Presence.ABSENT
    code, out, err = await muster(house, "explain", key.decode(), *BY_RULES)
    assert code == 0, err
    assert f"the outcome at revision {told.revision} again, by a replay of" in out
    assert "by ann: it was lost" in out
    await house.drain_after({state.partition: last})
    assert (await states(house, WORKLOADS))[key].revision >= told.revision
    assert await house.disagreements() == []


async def test_what_would_be_wrong_in_the_target_is_refused(house: House, tmp_path: Path) -> None:
    """Another count of partitions, a redacted recording, the log itself, a topic that is not there."""
    await a_night(house)
    await made(house, house.partitions + 1)
    tape = str(tmp_path / "night.jsonl.zst")
    code, _, err = await muster(house, "record", tape, "--redact", *BY_RULES)
    assert code == 0, err
    before = await everything_on(house)
    for words, status, said in (
        (("replay", "--emit", MINE, *BY_RULES), 1, "partitions"),
        (("replay", tape, "--emit", WORKLOADS), 1, "redacted"),
        (("replay", "--emit", EVENTS, *BY_RULES), 2, "no place in it"),
        (("replay", "--emit", "nowhere", *BY_RULES), 2, "there is no such topic"),
        (("replay", "--emit", WORKLOADS, "--fail-on", "removal", *BY_RULES), 1, "nothing was emitted"),
    ):
        code, _, err = await muster(house, *words, *WHY, "--yes")
        assert (code, said in " ".join(err.split())) == (status, True), err
    assert await everything_on(house) == before
