"""The quick faults of ``make chaos``, on a broker and an API server of their own; the others take minutes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.local import golang
from services.local.cache import quietly
from services.local.kube import Kube
from tests.chaos import trial
from tests.chaos.arena import KUBE_ARGUMENTS, Arena, broker
from tests.chaos.faults import FAULTS
from tests.support.backend import BACKEND

QUICK = ("sink-kill", "api-throttled", "conflict-storm")


@pytest.fixture(scope="module")
async def arena(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    """Start everything, once for all faults: each leaves it well."""
    if BACKEND != "local":
        pytest.skip(f"kills parts of the local stack; MUSTER_TEST_BACKEND={BACKEND}")
    folder = tmp_path_factory.mktemp("chaos")
    await golang.build_kube(quietly)
    kafka, kube = broker(folder), Kube(folder / "kube", KUBE_ARGUMENTS)
    try:
        await asyncio.gather(kafka.start(), kube.start())
        async with Arena(folder, kafka, kube) as made:
            await made.begin(80)
            yield made
    finally:
        await asyncio.gather(kafka.stop(), kube.stop())


@pytest.mark.integration
@pytest.mark.parametrize("fault", QUICK)
async def test_a_real_fault_wrongs_nobody_and_is_recovered_from(arena: Arena, fault: str) -> None:
    figures = await trial.run(fault, FAULTS[fault], arena)
    assert not figures.broken
    assert (figures.false_removals, figures.false_absents) == (0, 0)
    assert figures.detect_s is not None
    assert figures.recover_s is not None


def test_every_fault_says_what_it_is() -> None:
    assert all(act.__doc__ for act in FAULTS.values())
