"""Each key at most once, never in two hands, and back after a backoff of its own."""

import asyncio

from services.sink.queue import FIRST_S, LONGEST_S, WorkQueue


async def test_a_key_added_twice_is_worked_on_once() -> None:
    queue = WorkQueue()
    queue.add(b"a")
    queue.add(b"a")
    assert await queue.get() == b"a"
    queue.done(b"a")
    assert queue.idle


async def test_keys_are_worked_on_in_the_order_they_came() -> None:
    queue = WorkQueue()
    for key in (b"a", b"b", b"a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == [b"a", b"b"]


async def test_a_key_added_while_it_is_worked_on_is_in_one_hand_and_comes_again() -> None:
    queue = WorkQueue()
    queue.add(b"a")
    await queue.get()
    queue.add(b"a")
    other = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    assert not other.done()
    queue.done(b"a")
    assert await other == b"a"


async def test_each_failure_of_a_key_doubles_its_own_wait_up_to_a_limit() -> None:
    queue = WorkQueue()
    waits = []
    for _ in range(12):
        queue.add(b"a")
        await queue.get()
        waits.append(queue.retry(b"a"))
    assert waits[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits[-1] == LONGEST_S
    queue.add(b"b")
    await queue.get()
    assert queue.retry(b"b") == FIRST_S


async def test_a_success_ends_the_backoff() -> None:
    queue = WorkQueue()
    for end in (queue.retry, queue.done, queue.retry):
        queue.add(b"a")
        await queue.get()
        end(b"a")
    queue.add(b"a")
    await queue.get()
    assert queue.retry(b"a") == 2 * FIRST_S


async def test_kubernetes_is_left_alone_for_as_long_as_it_asks() -> None:
    queue = WorkQueue()
    queue.add(b"a")
    await queue.get()
    assert queue.retry(b"a", 7.0) == 7.0


async def test_news_of_a_key_ends_its_wait() -> None:
    queue = WorkQueue()
    queue.add(b"a")
    await queue.get()
    queue.retry(b"a")
    queue.add(b"a")
    assert await queue.get() == b"a"
    queue.done(b"a")
    assert queue.idle
