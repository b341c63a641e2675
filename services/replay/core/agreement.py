"""Whether a story tells what ``muster.workloads`` says: one told by other rules than the processor's is no story."""

from collections.abc import Iterable

from schemas.workloads import Workload
from services.replay.core.chapters import Change, Story

_RULES = "was the processor run with other rules? (--set rules.…)"


def disagreement(story: Story, written: Iterable[Workload]) -> str | None:
    """Say how the states written contradict the story; None where they do not, or where nobody can tell.

    ``written`` are those that the topic still has: compaction may have taken any but the newest.
    """
    if story.reached is None or not story.whole:
        return None
    states = sorted((state for state in written if state.revision <= story.reached.offset), key=_revision)
    told = {change.at.offset: change for change in story.changes}
    for state in states:
        change = told.get(state.revision)
        if change is None:
            return f"{_says(state)}, and by these rules nothing changed there: {_RULES}"
        if not _same(change, state):
            return f"{_says(state)}, and by these rules it was {change.presence} then: {_RULES}"
    later = [change for change in story.changes if states and change.at.offset > states[-1].revision]
    if later and later[0].row is not None:
        then = f"it was {later[0].presence} at offset {later[0].at.offset}"
        return f"{_says(states[-1])} and nothing newer, and by these rules {then}: does the processor lag, or {_RULES}"
    return None


def _revision(state: Workload) -> int:
    return state.revision


def _says(state: Workload) -> str:
    return f"muster.workloads says {state.presence} ({state.reason}) by the record at offset {state.revision}"


def _same(change: Change, state: Workload) -> bool:
    row = change.row
    return row is not None and (row.presence, row.reason, row.session) == (state.presence, state.reason, state.session)
