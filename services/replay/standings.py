"""How one partition stands in a replay: its roll, what was counted, and why not everything is known.

A tick that closes a window says which window was open: that is how a fold that began in the middle finds its count.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from schemas.codec import decode_event
from schemas.events import Tick
from schemas.names import CONTROL_KEY
from schemas.workloads import Presence
from services.processor.core.record import Appended
from services.processor.core.roll import Roll
from services.replay.fitting import Fit
from services.replay.unread import Unread


class OfReading(str):
    """A doubt not about what was read, but about how: by which rules, and by which version of the schemas."""

    __slots__ = ()


@dataclass(slots=True)
class Standing:
    """One partition, and what was counted of it."""

    roll: Roll
    first: int = 0
    """Offset at which the fold began."""
    doubts: list[str] = field(default_factory=list)
    """Why not everything is known."""
    records: int = 0
    last_ms: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    """Windows by what became of them: counted, void or braked."""
    ignored: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    presences: dict[bytes, Presence] = field(default_factory=dict)
    aligned: bool = True
    """Whether the number of the open window is known."""
    told: int = 0
    """What came of the records before this offset is in the snapshot from which the fold began."""
    source: str = ""
    """Where that is from, in words; empty: there is none."""
    heard: dict[bytes, int] | None = None
    """Broker time, in milliseconds, of each workload's last event that counted; None: nobody asks."""
    awaited: int | None = None
    """The first record that the snapshot needs, until it was there."""
    fit: Fit = field(init=False)
    unread: Unread = field(default_factory=Unread)

    def __post_init__(self) -> None:
        """Hold the ticks against the rules that they are folded by."""
        self.fit = Fit(self.roll.rules.window_ms)

    @property
    def reached(self) -> int:
        """Offset of the first record of which nothing is known."""
        return max(self.roll.position, self.told)

    @property
    def began(self) -> str:
        """From where, in words."""
        if self.source:
            return f"from the state before offset {self.told} ({self.source})"
        return f"from offset {self.first}" if self.first else "from zero"

    def due(self, records: Sequence[Appended]) -> Sequence[Appended]:
        """Return the records that are to be folded: a snapshot needs none of those before its own first."""
        if self.awaited is None:
            return records
        start = next((index for index, one in enumerate(records) if one.offset >= self.first), len(records))
        due = records[start:]
        if due and due[0].offset > self.awaited:
            self.doubt(f"offsets {self.awaited} to {due[0].offset - 1} are missing behind the snapshot")
        if due:
            self.awaited = None
        return due

    def doubt(self, why: str) -> None:
        """Nothing is certain any more, nor which window is open: a tick must say it."""
        self.doubts.append(why)
        self.aligned = False

    def suspect(self, why: str | None) -> None:
        """Every record is there, but what follows from them may not be what followed then; None: there is no reason."""
        if why is not None:
            self.doubts.append(OfReading(why))

    def passes(self, records: Sequence[Appended]) -> Iterator[Sequence[Appended]]:
        """Yield what can be folded in one pass; where a tick may say which window is open, it is looked at before."""
        begun = 0
        for index, record in enumerate(() if self.aligned else records):
            if record.key == CONTROL_KEY:
                yield records[begun:index]
                self._align(record)
                begun = index
        yield records[begun:]

    def _align(self, record: Appended) -> None:
        """Take the open window's number from the tick that closes it; that window was not seen whole, so it is void.

        A tick of a window that was closed already names a lower number, and is ignored as ever. A higher one shows that
        ticks are missing, or that the first one seen had been ignored: no tick is appended before its window is open.
        """
        event = decode_event(record.key, record.value)
        state = self.roll.state
        if isinstance(event, Tick) and (event.window > state.window or state.opened is None):
            self.roll.state = replace(state, window=event.window)
            self.roll.void = True
