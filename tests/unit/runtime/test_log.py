import json
import logging

import pytest
import structlog

from services.runtime.config import LogSettings
from services.runtime.log import configure

pytestmark = pytest.mark.usefixtures("restored_logs")


def test_our_lines_are_json_with_service_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure("sink", LogSettings(format="json"))
    structlog.get_logger().info("created", name="ratings")
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "created", "level": "info", "name": "ratings", "service": "sink"}


def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure("sink", LogSettings(format="json"))
    logging.getLogger("aiokafka.client").warning("no node %s", 3)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["logger"], line["service"]) == ("no node 3", "aiokafka.client", "sink")


def test_libraries_are_heard_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure("sink", LogSettings(format="json", level="debug"))
    logging.getLogger("faust.app").info("starting")
    logging.getLogger("faust.app").debug("fetching")
    assert capsys.readouterr().err == ""


def test_what_a_library_repeats_is_told_once_in_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    configure("agent", LogSettings(format="json"))
    for node in range(20):
        logging.getLogger("aiokafka").error("no node %s", node)
    logging.getLogger("aiokafka").error("no topic %s", "x")
    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert events == ["no node 0", "no topic x"]


def test_an_exception_is_told_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    configure("sink", LogSettings(format="json"))
    try:
        int("odd")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("x").exception("failed there")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert ours["exception"][0]["exc_value"].endswith("'odd'")
    assert theirs["exception"][0]["exc_value"].endswith("'odd'")


def test_levels_below_the_configured_one_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure("sink", LogSettings(level="warning"))
    structlog.get_logger().info("chatter")
    assert capsys.readouterr().err == ""


def test_the_console_form_has_no_colours_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure("sink", LogSettings(format="console"))
    structlog.get_logger().info("created", name="ratings")
    line = capsys.readouterr().err
    assert "created" in line
    assert "\x1b[" not in line


def test_auto_is_json_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure("sink", LogSettings())
    structlog.get_logger().info("created")
    assert json.loads(capsys.readouterr().err)["event"] == "created"
