import pytest

from services.cli.colour import painted

PICTURE = "1 accepted   ▇▇▁○╳   absent"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_terminal_sees_colours() -> None:
    assert "\x1b[32m▇" in painted([PICTURE])


def test_who_wants_no_colour_sees_the_same_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert painted([PICTURE]) == f"{PICTURE}\n"
