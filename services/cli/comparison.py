"""``muster replay --compare live``: the replayed states beside those of the cluster."""

from collections import Counter

import typer

from schemas.codec import Rejection, decode_workload
from schemas.topics import WORKLOADS
from services.processor.core.record import Record
from services.replay.chunks import Gap
from services.replay.cluster import opened
from services.replay.comparing import Kind, Live, agreement, compare
from services.replay.recording import RecordingError
from services.replay.refold import Refold
from services.replay.selection import Filter, Selection
from services.runtime.config import KafkaSettings


async def compared(refold: Refold, cluster: str | None, settings: KafkaSettings, chosen: Filter) -> list[str]:
    """Print how the states agree; return what is different, in words.

    Raises ``RecordingError`` where what was replayed is of another cluster.
    """
    live = await _live(cluster, settings)
    wrong, counts = [], Counter[Kind]()
    for found in compare(refold, live.states):
        if not chosen.takes(0, Record(0, 0, found.key, None)):
            continue
        counts[found.kind] += 1
        if found.kind is Kind.AGREES:
            continue
        where = f"{found.key.decode(errors='replace')}: {found.kind} at {found.place}"
        lines = [f"{where}: {words}" for words in found.words]
        if found.kind is Kind.DIFFERENT:
            wrong += lines
        else:
            typer.echo("\n".join(lines), err=True)
    typer.echo(agreement(counts), err=True)
    return wrong


async def _live(cluster: str | None, settings: KafkaSettings) -> Live:
    live, unreadable = Live(), 0
    async with opened(settings, WORKLOADS, Selection()) as topic:
        if cluster is not None and topic.cluster != cluster:
            raise RecordingError(
                f"it is of cluster {cluster}, but {settings.bootstrap_servers} is {topic.cluster}: nothing to compare"
            )
        async for item in topic.items():
            # Gaps are everywhere in a compacted topic: only the newest of each key is left.
            for record in () if isinstance(item, Gap) else item.records:
                state = decode_workload(record.value) if record.value is not None else None
                if isinstance(state, Rejection) or record.key is None:
                    unreadable += 1
                else:
                    live.take(record.key, state)
    if unreadable:
        typer.echo(f"{unreadable} records of {WORKLOADS} could not be read", err=True)
    return live
