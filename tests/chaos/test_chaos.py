"""The quick faults of ``make chaos``, on a broker and an API server of their own; the others take minutes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client

from services.local import golang
from services.local.cache import quietly
from services.local.kube import Kube
from services.sink import kube as adapter
from services.sink.ports import GoneError, Kind
from tests.chaos import trial
from tests.chaos.arena import KUBE_ARGUMENTS, Arena, broker
from tests.chaos.faults import FAULTS
from tests.support.backend import BACKEND

QUICK = ("sink-kill", "api-throttled", "conflict-storm")
COMPACTED_WRITES = 13
"""One a second: longer than two of etcd's compactions (5 s here) are apart."""


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
    figures = await trial.run(fault, FAULTS[fault].act, arena)
    assert not figures.broken
    assert (figures.false_removals, figures.false_absents) == (0, 0)
    assert figures.detect_s is not None
    assert figures.recover_s is not None


@pytest.mark.integration
async def test_a_list_whose_pages_expire_says_so_and_is_not_cut_short(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """etcd compacts the version of the first page away before the second is asked for."""
    monkeypatch.setattr(adapter, "PAGE", 10)
    with pytest.raises(GoneError, match="too old"):
        await Interrupted(arena).list(Kind.WAR)


class Interrupted(adapter.Kubernetes):
    """The sink's adapter, whose every page takes longer than etcd keeps its version; others write meanwhile."""

    def __init__(self, arena: Arena) -> None:
        super().__init__(arena.api)
        self._core = client.CoreV1Api(arena.api)

    async def _call(self, call: Any) -> Any:  # noqa: ANN401 - as the adapter has it
        answer = await super()._call(call)
        for number in range(COMPACTED_WRITES):
            note = {"metadata": {"annotations": {"written": str(number)}}}
            await self._core.patch_namespace("default", note)
            await asyncio.sleep(1)
        return answer


def test_every_fault_says_what_it_is() -> None:
    assert all(fault.act.__doc__ for fault in FAULTS.values())
