"""The made-up machines of a fleet."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.events import Introduction
from services.agent.fleet import Fleet, Minted, introductions
from services.agent.settings import FleetSettings
from services.identity.core.verdict import Accepted
from services.identity.core.verifier import verify
from services.identity.issuing import Mint
from services.runtime.config import ConfigError
from services.runtime.health import Health
from tests.support.notary import SESSION


def machines(seed: int, size: int = 300) -> list[Introduction]:
    return list(introductions(FleetSettings(size=size, seed=seed, groups=("bookinfo/ratings", "shop/cart"))))


def test_the_same_seed_gives_the_same_machines_and_another_gives_others() -> None:
    assert machines(1) == machines(1)
    assert not {one.key for one in machines(1)} & {other.key for other in machines(2)}


def test_a_larger_fleet_has_the_machines_of_the_smaller_one_first() -> None:
    assert machines(1, size=300)[:100] == machines(1, size=100)


def test_the_machines_are_different_valid_and_spread_over_groups_and_zones() -> None:
    found = machines(1)
    assert len({machine.key for machine in found}) == 300
    assert [machine.key.fault() for machine in found] == [None] * 300
    assert Counter(machine.group for machine in found) == {"ratings": 150, "cart": 150}
    assert Counter(machine.identity.aws.zone for machine in found if machine.identity.aws) == {
        "us-east-2a": 100,
        "us-east-2b": 100,
        "us-east-2c": 100,
    }


async def test_every_machine_shows_a_document_of_its_own_that_the_mint_s_bundle_believes(tmp_path: Path) -> None:
    mint = Mint(tmp_path)
    bundle = mint.bundle()
    for introduction in machines(1, size=3):
        credential = await Minted(introduction, mint).credential(SESSION)
        assert credential is not None
        found = verify(bundle, credential, introduction.identity, datetime.now(UTC), SESSION)
        assert isinstance(found, Accepted), found
        assert found.identity == introduction.identity


def test_a_mint_that_is_not_there_is_an_error_that_names_its_folder(tmp_path: Path) -> None:
    """It would make keys that no bundle believes."""
    settings = FleetSettings(issuer=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"there is no folder .*nowhere"):
        Fleet(settings, Health("fleet", settings.http))
