"""The page cannot rot: it says what the commands say."""

import pytest

from tests.night import PAGE, page

pytestmark = pytest.mark.usefixtures("restored_logs")


def test_the_page_shows_what_the_commands_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert page() == PAGE.read_text(encoding="utf-8"), "run: make night"
