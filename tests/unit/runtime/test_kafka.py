import pytest
from aiokafka.errors import IllegalArgumentError, KafkaConnectionError

from services.runtime.config import HttpSettings
from services.runtime.health import Health
from services.runtime.kafka import persistent, started


class Broker:
    """A broker that refuses the first calls."""

    def __init__(self, *refusals: Exception) -> None:
        self._refusals = list(refusals)
        self.started = False

    async def start(self) -> None:
        if self._refusals:
            raise self._refusals.pop(0)
        self.started = True


class Waits:
    """Stands in for the clock: remembers how long it should have slept, and what /readyz said meanwhile."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self.seconds: list[float] = []
        self.ready: list[bool] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.ready.append(self._health.ready)


async def test_a_broker_that_is_down_is_waited_for_with_growing_pauses() -> None:
    health = Health("sink", HttpSettings(port=None))
    health.set("reader", ok=True)
    waits = Waits(health)
    broker = Broker(*[KafkaConnectionError("refused")] * 12)
    await persistent("reader", health).copy(sleep=waits)(broker.start)
    assert broker.started
    assert len(waits.seconds) == 12
    assert 0.2 <= waits.seconds[0] <= 0.4
    assert 10.0 <= max(waits.seconds) <= 10.2
    assert not any(waits.ready)


async def test_a_wrong_call_is_a_bug_and_not_waited_for() -> None:
    waits = Waits(Health("sink", HttpSettings(port=None)))
    with pytest.raises(IllegalArgumentError):
        await persistent("reader").copy(sleep=waits)(Broker(IllegalArgumentError("bug")).start)
    assert waits.seconds == []


async def test_a_broker_that_answers_again_makes_the_service_ready_again() -> None:
    health = Health("sink", HttpSettings(port=None))
    health.set("reader", ok=False, why="waiting for Kafka")
    broker = Broker()
    assert await started(broker, "reader", health) is broker
    assert health.ready
