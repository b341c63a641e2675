"""Running a service until it is told to stop: the first signal asks it to drain, the second ends it at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
import uvloop

STOPS = (signal.SIGTERM, signal.SIGINT)


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run ``main`` to its end on uvloop; the event it is handed is set by SIGTERM or SIGINT.

    It returns when ``main`` does, drained or done (exit code 0). What ``main`` raises goes up: the process crashes and
    is restarted. A second signal exits with 128 + its number, as a shell reports a process that a signal ended.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(main))


async def _until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, _on_signal, number, stopping)
    try:
        await main(stopping)
    finally:
        for number in STOPS:
            loop.remove_signal_handler(number)


def _on_signal(number: signal.Signals, stopping: asyncio.Event) -> None:
    log = structlog.get_logger()
    if stopping.is_set():
        log.warning("second signal: exiting without draining", signal=number.name)
        os._exit(128 + number)
    log.info("draining; a second signal exits at once", signal=number.name)
    stopping.set()
