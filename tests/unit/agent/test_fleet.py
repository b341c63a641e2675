"""The made-up machines of a fleet."""

from collections import Counter

from schemas.events import Introduction
from services.agent.fleet import introductions
from services.agent.settings import FleetSettings


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
