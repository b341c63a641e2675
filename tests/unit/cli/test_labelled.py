import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from schemas.topics import EVENTS, WORKLOADS
from services.cli.labelled import Labelled
from services.cli.main import app
from services.processor.core.record import Record
from services.replay.chunks import Chunk
from services.replay.labels import labels
from services.replay.recording import item_lines
from tests.support.logs import Log, key
from tests.unit.schemas.messages import WORKLOAD


def log() -> Log:
    """Two workloads introduce themselves, one of them with labels; a third one is only heard of."""
    log = Log()
    log.connect(1)
    log.connect(2)
    log.tick()
    log.heartbeat(1, seq=1)
    log.heartbeat(2, seq=1)
    log.heartbeat(3, seq=1)
    told = json.loads(log.records[1].value or b"")
    told["workload"]["registration"]["workload"] = {"labels": {"version": "v5"}}
    log.records[1] = log.records[1]._replace(value=json.dumps(told).encode())
    return log


def chosen(*texts: str) -> tuple[list[int], int]:
    labelled = Labelled(labels(texts), EVENTS)
    return [record.offset for record in log().records if labelled.takes(record)], labelled.unknown


def test_a_workloads_labels_choose_its_records_also_those_that_do_not_repeat_them() -> None:
    assert chosen("version=v5") == ([1, 4], 1)
    assert chosen("version!=v5") == chosen("!version") == ([0, 3], 1)
    assert chosen() == ([0, 1, 2, 3, 4, 5], 0)


def test_a_state_has_the_labels_of_its_workload() -> None:
    labelled = Labelled(labels(["version=v5"]), WORKLOADS)
    assert labelled.takes(Record(0, 0, key(1), WORKLOAD.to_json()))
    assert labelled.takes(Record(1, 0, key(1), None))
    assert not labelled.takes(Record(2, 0, key(2), None))


def test_records_without_labels_cannot_be_chosen_by_them() -> None:
    with pytest.raises(typer.BadParameter, match=r"those of muster\.rejected do not"):
        Labelled(labels(["version=v5"]), "muster.rejected")


@pytest.mark.usefixtures("restored_logs")
def test_events_are_chosen_by_labels_and_by_fields_and_who_was_left_out_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(item_lines(Chunk(EVENTS, 0, log().records))))
    done = CliRunner().invoke(app, ["events", "cat", str(path), "-o", "json", "-l", "version=v5,type=heartbeat"])
    assert [json.loads(line)["offset"] for line in done.stdout.splitlines()] == [4]
    assert "1 records left out: their workloads had not told their labels" in done.stderr
