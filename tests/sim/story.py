"""What befell one workload shortly before an invariant broke: records and writes that concern it, and the faults."""

from collections.abc import Iterator

from schemas.codec import Rejection, decode_answer, decode_event, decode_workload
from schemas.names import CONTROL_KEY
from schemas.topics import EVENTS, REGISTRATIONS, WORKLOADS
from services.sink.ports import Kind
from tests.sim.endpoints import healthy
from tests.sim.log import Rec
from tests.sim.sinks import Written
from tests.sim.world import START_MS, World

NEAR_MS = 10_000
MOST = 60
"""Lines that are told of records and writes: the last."""


def story(world: World, key: bytes) -> list[tuple[int, str]]:
    """Return when what happened, in milliseconds of the world; without a key, only the faults."""
    lines = sorted(_records(world, key), key=lambda one: one[0]) + list(_writes(world, key)) if key else []
    near = [(at_ms, words) for at_ms, words in lines if at_ms > world.elapsed - NEAR_MS]
    return sorted([*world.told, *sorted(near, key=lambda one: one[0])[-MOST:]], key=lambda one: one[0])


def _records(world: World, key: bytes) -> Iterator[tuple[int, str]]:
    partition = world.log.of(key)
    for topic in (EVENTS, WORKLOADS, REGISTRATIONS):
        for record in world.log.part(topic, partition).records:
            if record.key in {key, CONTROL_KEY}:
                yield record.timestamp - START_MS, f"{topic}[{partition}] {record.offset}: {_words(topic, record)}"


def _words(topic: str, record: Rec) -> str:
    value = record.value or b""
    decoded = {WORKLOADS: decode_workload, REGISTRATIONS: decode_answer}.get(topic)
    one = decoded(value) if decoded is not None else decode_event(record.key, value)
    if isinstance(one, Rejection):
        return one.message
    told = {name: getattr(one, name) for name in _TOLD if getattr(one, name, None) is not None}
    short = (f"{name}={str(value)[:8] if name in _LONG else value}" for name, value in told.items())
    return " ".join([getattr(one, "type", ""), *short]).strip()


_TOLD = ("presence", "session", "seq", "window", "owner", "revision", "uid", "reason")
_LONG = ("session", "uid")


def _writes(world: World, key: bytes) -> Iterator[tuple[int, str]]:
    _, group, identity = key.decode().split("/")
    for one in world.cluster.journal:
        about = one.seen.object["metadata"]
        if one.kind in {Kind.GROUP, Kind.POLICY} or about["name"] == f"{group}-{identity}":
            yield one.at_ms - START_MS, _written(one)


def _written(one: Written) -> str:
    about, status = one.seen.object["metadata"], one.seen.object.get("status", {})
    said = {
        "uid": about["uid"][:8],
        "version": about["resourceVersion"],
        "session": status.get("session", "")[:8],
        "revision": status.get("revision", ""),
        "healthy": healthy(one.seen.object).get("status", ""),
    }
    who = "a user" if one.by_user else "the sink"
    told = " ".join(f"{name}={value}" for name, value in said.items() if value != "")
    return f"{who}: {one.kind.value.plural} {one.seen.type} {told}"
