"""A replay that starts from an earlier state, on a real log, says what the whole one says of the same range."""

import json
from pathlib import Path
from typing import Any

from tests.integration.processor.house import House
from tests.integration.replay.test_replay import BUNDLE, BY_RULES, a_night, everything_on, muster


def transitions(out: str) -> list[dict[str, Any]]:
    return [told for told in map(json.loads, out.splitlines()) if told["type"] == "transition"]


async def test_from_the_changelog_from_a_file_and_from_a_recording_alike(house: House, tmp_path: Path) -> None:
    """And taking the state from the changelog changes nothing on the cluster."""
    ends = await a_night(house)
    end = ",".join(f"{number}:{offset}" for number, offset in ends.items())
    half = ",".join(f"{number}:{offset // 2}" for number, offset in ends.items())
    kept, tape = str(tmp_path / "half.snapshot"), str(tmp_path / "half.jsonl.zst")
    before = await everything_on(house)
    code, whole, err = await muster(house, "replay", "-o", "json", "--from", half, "--to", end, *BY_RULES)
    assert code == 0, err
    ways = {
        "the processor's changelog": ["--from-snapshot", "changelog", *BY_RULES],
        "half.snapshot: a replay of": ["--snapshot", kept, BUNDLE],
    }
    code, _, err = await muster(house, "replay", "--to", half, "--save-snapshot", kept, *BY_RULES)
    assert code == 0, err
    for source, options in ways.items():
        code, part, err = await muster(house, "replay", "-o", "json", "--from", half, "--to", end, *options)
        assert code == 0, err
        assert source in err
        assert transitions(part) == transitions(whole)
        assert json.loads(part.splitlines()[-1])["certain"]
    code, _, err = await muster(house, "record", tape, "--from", half, "--to", end, "--with-state", *BY_RULES)
    assert code == 0, err
    code, part, err = await muster(house, "replay", tape, "-o", "json")
    assert code == 0, err
    assert "from the state before offset" in err
    told = [(one["key"], one["offset"]) for one in transitions(part)]
    again = [(one["key"], one["offset"]) for one in transitions(whole)]
    assert set(again) <= set(told)
    assert await everything_on(house) == before
