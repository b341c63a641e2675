"""What the sink did about a workload, or people had it do, in words: for the workload's story."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.actions import Written
from schemas.codec import Rejection, decode_answer, decode_removal, decode_restore, decode_written
from schemas.message import instant, rfc3339
from schemas.registrations import Ended, Refused, Registered
from schemas.removals import Removal, Restore
from schemas.topics import ACTIONS, REGISTRATIONS, REMOVALS, RESTORES, WORKLOADS
from services.cli.written import write_words
from services.replay.emitting import provenance

_TAKEN_OUT = {
    REGISTRATIONS: ("answer", "taken out: the workload is forgotten"),
    REMOVALS: ("removal", "taken out: it cannot be restored any more"),
    RESTORES: ("restore", "taken out: it is over"),
    ACTIONS: ("written", "a record without a value"),
}
Message = Registered | Refused | Ended | Removal | Restore | Written
_DECODERS: dict[str, Callable[[bytes], Message | Rejection]] = {
    REGISTRATIONS: decode_answer,
    REMOVALS: decode_removal,
    RESTORES: decode_restore,
    ACTIONS: decode_written,
}


class Answer(NamedTuple):
    """A record of ``muster.registrations``, ``muster.removals``, ``muster.restores`` or ``muster.actions``.

    Of ``muster.workloads``, one that a replay emitted.
    """

    offset: int
    timestamp: int
    value: bytes | None
    topic: str = REGISTRATIONS
    headers: Sequence[tuple[str, bytes]] = ()

    def words(self, numbers: dict[str, int]) -> tuple[str, str]:
        """Return its type, and what it says; ``numbers`` are those of the sessions."""
        if self.topic == WORKLOADS:
            return "emitted", emitted(self.headers)
        if self.value is None:
            return _TAKEN_OUT[self.topic]
        told = _DECODERS[self.topic](self.value)
        if isinstance(told, Rejection):
            return _TAKEN_OUT[self.topic][0], f"unreadable: {told.message}"
        return told.type, self._said(told, numbers)

    def _said(self, told: Message, numbers: dict[str, int]) -> str:
        if isinstance(told, Written):
            return write_words(told)
        if isinstance(told, Restore):
            until = rfc3339(instant(self.timestamp + told.for_seconds * 1000))
            undone = f"the removal at {told.removal.partition}:{told.removal.revision}"
            return f"of {undone}, until {until} unless its agent speaks, by {told.who}: {told.why}"
        whose = f"session {numbers.get(told.session, told.session)}"
        match told:
            case Removal():
                return f"{whose}: kept {told.namespace}/{told.name}, uid {told.uid}, as it was: it can be restored"
            case Registered():
                at = f", at resourceVersion {told.resource_version}" if told.resource_version is not None else ""
                return f"{whose} as {told.namespace}/{told.name}, uid {told.uid}{at}"
            case Refused():
                return f"{whose}: {told.reason}: {told.message}"
            case Ended():
                return f"{whose}, uid {told.uid}: {told.reason}: {told.message}"


def emitted(headers: Sequence[tuple[str, bytes]]) -> str:
    """Return in words what a replay wrote to a topic, by the headers of the record."""
    told = provenance(list(headers))
    of = f"the outcome at revision {told.get('revision')} again, by a replay of {told.get('source')}"
    return f"{of} ({told.get('range')}), by {told.get('who')}: {told.get('why')}"
