"""Records for people and for jq, on stdout as they come."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import typer

from schemas.actions import Written
from schemas.codec import Rejection, decode_event, decode_written
from schemas.events import Connect, Disconnect, Heartbeat, Override, Resumed, RoleChecked, Tick, Trusted
from schemas.names import parse_key
from schemas.topics import ACTIONS, EVENTS
from services.cli.kubectl import NoKubernetesError
from services.cli.options import EXIT_USAGE, EXIT_WRONG
from services.cli.written import write_words
from services.processor.core.record import Appended
from services.replay.chunks import Gap
from services.replay.lines import shortest, to_line, to_time

EVENT_HEAD = ("TIME", "PLACE", "TYPE", "NAMESPACE", "WORKLOAD", "SESSION", "SEQ", "DETAIL")
_WIDTHS = (24, 8, 10, 10, 64, 8, 4, 0)
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141
"""As a shell reports a process that SIGPIPE ended."""


class EventOutput(StrEnum):
    """Forms of output of records."""

    TABLE = "table"
    JSON = "json"
    RAW = "raw"


@contextmanager
def faults_told() -> Iterator[None]:
    """Turn what a source can fail with into words and an exit code; whoever reads our stdout may leave early."""
    from services.identity.given import UnknownBundleError
    from services.processor.core.trust import NoTrustError
    from services.replay.extents import LogChangedError
    from services.replay.recording import RecordingError
    from services.replay.selection import SelectionError
    from services.replay.snapshots import SnapshotError
    from services.replay.source import StoppedError

    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain once more at its end: there is nobody left to tell.
        sys.stdout = None
        raise typer.Exit(EXIT_NO_READER) from None
    except OSError as error:
        words = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else error
        typer.echo(f"Error: {words}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except (RecordingError, LogChangedError, SnapshotError, NoKubernetesError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_WRONG) from None
    except (SelectionError, UnknownBundleError, NoTrustError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except (KeyboardInterrupt, StoppedError):
        raise typer.Exit(EXIT_INTERRUPTED) from None


def cells_line(cells: tuple[str, ...], widths: tuple[int, ...]) -> bytes:
    """Return one line of a table whose rows are not known beforehand: columns of least widths."""
    line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    return line.encode(errors="replace") + b"\n"


class EventPrinter:
    """Prints the records of a topic."""

    def __init__(self, output: EventOutput) -> None:
        self.output = output
        self._headed = False

    def record(self, topic: str, partition: int, record: Appended) -> None:
        """Print one record, whatever it holds."""
        if self.output is EventOutput.RAW:
            self._write((record.value or b"") + b"\n")
            return
        event = _decoded(topic, record)
        if self.output is EventOutput.JSON:
            line = to_line(topic, partition, record)
            if isinstance(event, Rejection):
                line = line[:-1] + b',"rejected":' + shortest(event._asdict()) + b"}"
            self._write(line + b"\n")
        else:
            if not self._headed:  # not before there is a record: what cannot be read has none
                self._headed = True
                self._write(cells_line(EVENT_HEAD, _WIDTHS))
            self._write(cells_line(_cells(partition, record, event), _WIDTHS))

    def gap(self, gap: Gap) -> None:
        """Tell of offsets without records; of Kafka's own markers nothing is told."""
        if gap.lost:
            sys.stdout.flush()
            typer.echo(f"# {gap.words}", err=True)

    @staticmethod
    def _write(line: bytes) -> None:
        sys.stdout.buffer.write(line)


def _decoded(topic: str, record: Appended) -> Any:  # noqa: ANN401 - any message, or None
    if topic == EVENTS:
        return decode_event(record.key, record.value)
    return decode_written(record.value) if topic == ACTIONS and record.value is not None else None


def _cells(partition: int, record: Appended, event: Any) -> tuple[str, ...]:  # noqa: ANN401 - any event, or None
    key = parse_key(record.key) if record.key is not None else None
    named = key.war_name if key is not None else _printable(record.key)
    told, session, seq, detail = _told(event, record)
    place = f"{partition}:{record.offset}"
    return (str(to_time(record.timestamp)), place, told, key.namespace if key else "-", named, session, seq, detail)


def _told(event: Any, record: Appended) -> tuple[str, str, str, str]:  # noqa: ANN401, PLR0911 - one form per event
    match event:
        case Rejection(reason, message):
            return "REJECTED", "-", "-", f"{reason}: {message}"
        case Connect() | Heartbeat():
            introduced = "" if event.workload is None else f"agent {event.workload.registration.agent.version}"
            return event.type, event.session[:8], str(event.seq), introduced
        case Disconnect():
            return event.type, event.session[:8], str(event.seq), event.reason
        case Tick():
            return event.type, event.owner[:8], "-", f"closes window {event.window}"
        case Resumed():
            return event.type, event.owner[:8], "-", "a new owner; the open window is void"
        case Trusted():
            return event.type, event.owner[:8], "-", f"by the trust bundle {event.bundle} from here on"
        case RoleChecked():
            return event.type, event.session[:8], "-", f"{event.workload} has the role {event.role or '-'}"
        case Written():
            return event.type, (event.session or "-")[:8], "-", write_words(event)
        case Override():
            of = f" of {event.scope}" if event.scope is not None else ""
            return event.type, "-", "-", f"{event.action}{of} by {event.who}: {event.why}"
        case _:
            return "record" if record.value is not None else "tombstone", "-", "-", _printable(record.value)


def _printable(raw: bytes | None) -> str:
    if raw is None:
        return "-"
    text = raw.decode(errors="replace")
    return text if text.isprintable() else repr(text)[1:-1]
