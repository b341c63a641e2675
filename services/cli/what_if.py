"""``muster replay --what-if``: one pass over the log, folded twice; which verdicts would have been otherwise."""

import asyncio
from dataclasses import dataclass, field

import typer

from services.cli.differing import Ended, show
from services.cli.opening import Beginning, Range, begun_from, nothing_words, unfinished
from services.cli.options import Output
from services.cli.printing import EXIT_INTERRUPTED
from services.cli.progress import Meter
from services.cli.shown import Shown
from services.cli.supposition import Supposition
from services.cli.trusting import trust_in
from services.processor.settings import ProcessorSettings
from services.replay.chunks import Chunk
from services.replay.core.verdicts import Course, differences
from services.replay.recording import RecordingError
from services.replay.refold import Refold, Transition
from services.replay.source import until
from services.replay.summary import begun, cannot_know
from services.replay.supposing import Supposed, heard


@dataclass
class _Courses:
    """Both folds' verdicts, as far as they are to be shown."""

    shown: tuple[Shown, Shown]
    was: Course = field(default_factory=Course)
    would: Course = field(default_factory=Course)

    def take(self, which: int, refold: Refold, one: Transition) -> None:
        course = (self.was, self.would)[which]
        if one.state is not None and self.shown[which].takes(one, refold):
            place = one.place
            told = (one.key, one.state, place.offset, place.time_ms, heard(refold, one))
            course.take(*told, certain=one.certain)


async def supposed(
    wanted: Range, what: Supposition, settings: ProcessorSettings, output: Output, stopping: asyncio.Event
) -> int:
    """Fold twice, and print what would have been otherwise; return the exit code."""
    async with begun_from(wanted, settings, stopping) as beginning:
        found = beginning.found
        if what.bundle is not None and found.header is not None and found.header.redacted is not None:
            raise RecordingError("it is redacted: what its credentials prove to another bundle, nobody knows any more")
        trust = trust_in(wanted.bundles, found.header)
        other = what.rules(beginning.rules)
        was = beginning.refold(beginning.rules, trust, listens=True)
        supposing = Supposed(
            beginning.refold(other, what.trust(trust), listens=True), beginning.rules.window_ms, other.window_ms
        )
        courses = _Courses((Shown(wanted.shown, wanted.labels), Shown(wanted.shown, wanted.labels)))
        done = 0
        with Meter("supposing") as meter:
            async for item in until(found.items(), stopping):
                courses.shown[0].look(item)
                for one in was.take(item):
                    if isinstance(one, Transition):
                        courses.take(0, was, one)
                for one in supposing.take(item):
                    courses.take(1, supposing.refold, one)
                done += len(item.records) if isinstance(item, Chunk) else 0
                meter(done, found.total)
        for one in supposing.end():
            courses.take(1, supposing.refold, one)
        empty = await nothing_words(found) if courses.shown[0].nothing(was) and not stopping.is_set() else None
    last = {key: at for one in supposing.refold.standings.values() for key, at in (one.heard or {}).items()}
    told = list(differences(courses.was, courses.would, last))
    both = {"was": courses.was, "wouldBe": courses.would}
    certain = not stopping.is_set() and not any(one.doubts for one in was.standings.values())
    ended = Ended(certain=certain, interrupted=stopping.is_set(), complete=found.complete)
    show(both, told, what.words, output, ended)
    for line in [*_notes(beginning, was, what, stopping), *([empty] if empty else [])]:
        typer.echo(line, err=True)
    return EXIT_INTERRUPTED if stopping.is_set() else 0


def _notes(beginning: Beginning, was: Refold, what: Supposition, stopping: asyncio.Event) -> list[str]:
    began = "; ".join(begun(was)) or "nothing was there"
    notes = [f"folded {beginning.found.name} by {beginning.whose}, and by {what.words}; {began}", *cannot_know(was)]
    return [*notes, *beginning.notes, *unfinished(beginning.found, stopping)]
