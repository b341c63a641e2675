"""Laws of the hash chain: what its maker shows, and what who checks it can know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.chain import leads_to
from services.agent.core.chain import RENEWAL, STRIDE, HashChain

secrets = st.binary(min_size=32, max_size=32)
lengths = st.integers(1, 8).map(lambda number: number * STRIDE)


@given(secrets, lengths, st.integers(0, 10**6), st.data())
def test_every_later_link_leads_to_every_earlier_one_in_as_many_steps_as_there_are_events_between(
    secret: bytes, length: int, seq: int, data: st.DataObject
) -> None:
    chain = HashChain.of(secret, seq, length)
    early = data.draw(st.integers(0, length - 1))
    late = data.draw(st.integers(early, length - 1))
    shown, anchor = (bytes.fromhex(chain.link(seq + number)) for number in (late, early))
    assert leads_to(shown, late - early, anchor)
    assert late == early or not leads_to(anchor, late - early, shown)


@given(secrets, lengths, st.integers(0, 10**6), st.data())
def test_the_tail_ends_the_chain_from_wherever_it_is_seen(
    secret: bytes, length: int, seq: int, data: st.DataObject
) -> None:
    """Who learns of a session late can still tell its maker."""
    chain = HashChain.of(secret, seq, length)
    seen = chain.seen_from(seq + data.draw(st.integers(0, length - 1)))
    assert leads_to(bytes.fromhex(chain.tail), seen.length, bytes.fromhex(seen.anchor))


@given(secrets, lengths, st.integers(0, 10**6))
def test_the_secret_is_no_event_s_link(secret: bytes, length: int, seq: int) -> None:
    chain = HashChain.of(secret, seq, length)
    assert chain.tail not in {chain.link(seq + number) for number in range(length)}
    with pytest.raises(ValueError, match="none of a chain"):
        chain.link(seq + length)


@given(secrets, lengths, st.integers(0, 10**6))
def test_a_chain_says_it_is_over_soon_from_thirty_links_before_its_end_on(secret: bytes, length: int, seq: int) -> None:
    chain = HashChain.of(secret, seq, length)
    said = [chain.over_soon(seq + number) for number in range(length)]
    assert said == [number >= length - RENEWAL for number in range(length)]


@given(secrets, lengths)
def test_what_is_printed_of_a_chain_does_not_tell_its_links(secret: bytes, length: int) -> None:
    printed = repr(HashChain.of(secret, 0, length))
    assert secret.hex() not in printed
    assert repr(secret) not in printed


def test_an_agent_holds_one_kibibyte_of_a_whole_chain() -> None:
    assert len(HashChain.of(bytes(32), 0).checkpoints) == 1024


@pytest.mark.parametrize(("secret", "length"), [(b"short", 32), (bytes(32), 33), (bytes(32), 0)])
def test_a_chain_of_another_shape_is_refused(secret: bytes, length: int) -> None:
    with pytest.raises(ValueError, match="a secret of 32 bytes"):
        HashChain.of(secret, 0, length)
