"""One thread runs the calls of every loop, also while somebody ends it again and again."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from treadle.stores.lane import Lane

LONG = 10.0


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_calls_run_in_their_order_on_a_thread_of_its_own() -> None:
    lane, seen = Lane("lane"), list[int]()

    async def story() -> None:
        await asyncio.gather(*(lane.run(partial(seen.append, number)) for number in range(100)))
        assert await lane.run(threading.get_ident) != threading.get_ident()

    asyncio.run(story())
    lane.stop()
    assert seen == list(range(100))


def test_what_was_called_before_a_stop_is_run_and_a_later_call_starts_it_again() -> None:
    lane, held = Lane("lane"), threading.Event()

    async def story() -> None:
        waiting = [asyncio.create_task(lane.run(call)) for call in (held.wait, threading.get_ident)]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(asyncio.to_thread(lane.stop))
        held.set()
        await stopping
        assert [bool(await call) for call in waiting] == [True, True]
        assert await asyncio.wait_for(lane.run(threading.get_ident), LONG)

    asyncio.run(story())
    lane.stop()
    lane.stop()


@pytest.mark.usefixtures("hurried_threads")
def test_a_call_that_comes_while_it_is_stopped_is_run() -> None:
    lane, done = Lane("lane"), threading.Event()

    def stop() -> None:
        while not done.is_set():
            lane.stop()

    async def story() -> None:
        for number in range(500):
            assert await asyncio.wait_for(lane.run(partial(abs, number)), LONG) == number

    stopping = threading.Thread(target=stop)
    stopping.start()
    try:
        asyncio.run(story())
    finally:
        done.set()
        stopping.join()
        lane.stop()
