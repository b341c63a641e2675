"""The owner's ticker: time passes only where Kafka takes its ticks."""

import asyncio

from aiokafka.errors import KafkaConnectionError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.codec import decode_event
from schemas.events import Resumed, Tick, Trusted
from schemas.names import CONTROL_KEY
from services.identity.core.bundle import TrustBundle
from services.identity.core.keys import Keys, vouched
from services.identity.given import GivenBundles
from services.identity.signing import Signer
from services.processor.chunk import Chunk
from services.processor.core.rules import Rules
from services.processor.ownership import Ownership
from services.processor.ticks import Signing, Ticker
from tests.support.logs import Log, LogRecord
from tests.unit.processor.outbox import KeptOutbox


class Site:
    """One partition, a clock that a test moves, and a log that takes records or does not."""

    def __init__(self) -> None:
        self.now = 100.0
        self.log = Log()
        self.down = False
        self.bundle = "sha256:0"
        self.ownership = Ownership(Rules(window_ms=1000), 1, KeptOutbox())
        self.ticker = Ticker(self.ownership, self.append, 1000, lambda: self.bundle, lambda: self.now)

    async def append(self, _topic: str, partition: int, key: bytes, value: bytes) -> int:
        if self.down:
            raise KafkaConnectionError("no broker")
        assert (partition, key) == (0, CONTROL_KEY)
        return self.log.append(key, value)

    async def later(self, seconds: float) -> None:
        """Move the clock, and let the ticker do what is due."""
        self.now += seconds
        self.log.now += round(seconds * 1000)
        written = -1
        while not self.ownership.held and written != len(self.log.records):
            written = len(self.log.records)
            self.ticker._follow()
            self.ticker._append_due()
            await asyncio.gather(*self.ticker._under_way)

    async def fold(self) -> None:
        """Fold what is in the log."""
        await self.ownership.fold(Chunk(0, self.ownership.generation, None, self.log.records))
        self.ownership.owned[0].delivered = None

    def said(self) -> list[str | int]:
        """Return what stands in the log: windows of ticks, and the names of others; the trust bundle is no matter."""
        return [said for record in self.log.records if (said := _short(record)) != Trusted.__name__]


def _short(record: LogRecord) -> str | int:
    event = decode_event(record.key, record.value)
    return event.window if isinstance(event, Tick) else type(event).__name__


async def test_an_owner_resumes_and_then_ticks_once_a_window() -> None:
    site = Site()
    site.ownership.take(1, {0: ()})
    for _ in range(4):
        await site.later(1)
        await site.fold()
    await site.later(0.5)
    assert site.said() == [Resumed.__name__, 0, 1, 2]


async def test_while_the_group_rebalances_no_tick_is_appended() -> None:
    site = Site()
    await site.later(1)
    assert site.said() == []


async def test_a_tick_that_kafka_does_not_take_is_made_up_for_once_and_not_for_each_window_missed() -> None:
    site = Site()
    site.ownership.take(1, {0: ()})
    await site.later(0)
    await site.fold()
    site.down = True
    for _ in range(5):
        await site.later(60)
    site.down = False
    await site.later(60)
    await site.later(0.9)
    assert site.said() == [Resumed.__name__, 0]


async def test_a_partition_that_is_kept_through_a_rebalance_is_not_resumed_again() -> None:
    site = Site()
    site.ownership.take(1, {0: ()})
    await site.later(0)
    await site.fold()
    site.ownership.take(2, {0: ()})
    await site.fold()
    await site.later(1)
    assert site.said() == [Resumed.__name__, 0]


async def test_a_partition_that_others_may_have_owned_in_between_is_resumed_again() -> None:
    site = Site()
    site.ownership.take(1, {0: ()})
    await site.later(0)
    site.ownership.take(2, {})
    await site.later(0)
    site.ownership.take(3, {0: ()})
    await site.later(0)
    assert site.said() == [Resumed.__name__, Resumed.__name__]


async def test_a_new_trust_bundle_is_named_in_every_partition_owned() -> None:
    site = Site()
    site.ownership.take(1, {0: ()})
    await site.later(0)
    site.bundle = "sha256:1"
    await site.later(1)
    events = [decode_event(record.key, record.value) for record in site.log.records]
    assert [event.bundle for event in events if isinstance(event, Trusted)] == ["sha256:0", "sha256:1"]


async def test_what_it_appends_is_signed_for_its_partition_and_says_where_the_log_ended() -> None:
    site, signer = Site(), Signer(Ed25519PrivateKey.generate())
    bundle = TrustBundle(processors=(signer.public,), signed_control=True)
    site.bundle = bundle.digest
    site.ownership = Ownership(Rules(window_ms=1000), 1, KeptOutbox(), GivenBundles([bundle]))
    ends: dict[int, int | None] = {0: None}
    site.ticker = Ticker(
        site.ownership, site.append, 1000, lambda: site.bundle, lambda: site.now, Signing(signer, ends.__getitem__)
    )
    site.ownership.take(1, {0: ()})
    await site.later(1)
    assert site.log.records == [], "nothing was fetched yet"
    ends[0] = 0
    await site.later(1)
    await site.fold()
    await site.later(1)
    events = [decode_event(record.key, record.value) for record in site.log.records]
    assert [type(event) for event in events] == [Trusted, Resumed, Tick]
    for event in events:
        assert isinstance(event, Tick | Resumed | Trusted)
        assert isinstance(event, Tick) or event.after == 0
        assert vouched([signer.public], event.statement(0), event.signature or "")
    assert site.ticker.disbelieved == []
    site.ownership.owned[0].roll.keys = Keys(("another",), control=True)
    assert site.ticker.disbelieved == [0]
