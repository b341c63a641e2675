import aiohttp
import pytest
from prometheus_client import Counter

from services.runtime.config import HttpSettings
from services.runtime.health import Health

CALLS = Counter("muster_test_calls", "Calls of this test.")


async def _get(health: Health, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{health.port}{path}") as response,
    ):
        return response.status, await response.text()


async def test_a_service_that_set_no_condition_is_starting() -> None:
    async with Health("sink", HttpSettings()) as health:
        assert await _get(health, "/readyz") == (503, "not ok start: starting\nsink: not ok\n")
        assert (await _get(health, "/healthz"))[0] == 200


async def test_readyz_says_each_condition_and_why_it_does_not_hold() -> None:
    async with Health("sink", HttpSettings()) as health:
        health.set("kafka", ok=True)
        health.set("kubernetes", ok=False, why="waiting for the API server")
        status, words = await _get(health, "/readyz")
    assert status == 503
    assert words == "ok     kafka\nnot ok kubernetes: waiting for the API server\nsink: not ok\n"


async def test_a_service_is_ready_when_all_conditions_hold() -> None:
    async with Health("sink", HttpSettings()) as health:
        health.set("kafka", ok=False, why="starting")
        health.set("kafka", ok=True)
        assert await _get(health, "/readyz") == (200, "ok     kafka\nsink: ok\n")


async def test_a_failed_liveness_condition_asks_for_a_restart() -> None:
    async with Health("sink", HttpSettings()) as health:
        health.alive("loop", ok=False, why="stuck")
        assert await _get(health, "/healthz") == (503, "not ok loop: stuck\nsink: not ok\n")


async def test_metrics_are_those_of_prometheus() -> None:
    CALLS.inc()
    async with Health("sink", HttpSettings()) as health:
        status, words = await _get(health, "/metrics")
    assert status == 200
    assert "muster_test_calls_total 1.0" in words


async def test_without_a_port_nothing_is_served() -> None:
    async with Health("sink", HttpSettings(port=None)) as health:
        assert health.port is None


async def test_a_taken_port_is_an_error_that_names_it() -> None:
    async with Health("sink", HttpSettings()) as first:
        with pytest.raises(OSError, match=str(first.port)):
            await Health("sink", HttpSettings(port=first.port)).__aenter__()
