import pytest

from services.cli.explain import _print

PICTURE = "1 accepted   ▇▇▁○╳   absent"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_terminal_sees_colours(capsys: pytest.CaptureFixture[str]) -> None:
    _print([PICTURE])
    assert "\x1b[32m▇" in capsys.readouterr().out


def test_who_wants_no_colour_sees_the_same_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    _print([PICTURE])
    assert capsys.readouterr().out == f"{PICTURE}\n"
