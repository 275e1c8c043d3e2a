"""Blocking code runs coroutines on a loop of their own, from any thread and in any process."""

import asyncio
import concurrent.futures
import contextlib
import multiprocessing
import sys
import threading
from multiprocessing.connection import Connection

import pytest

from treadle.supervise.portal import Portal


async def where() -> int:
    return threading.get_ident()


async def fail() -> None:
    raise ValueError("no")


def test_a_coroutine_runs_on_the_portals_own_thread() -> None:
    portal = Portal()
    try:
        assert portal.run(where()) == portal.run(where()) != threading.get_ident()
    finally:
        portal.close()


def test_what_the_coroutine_raises_comes_through() -> None:
    portal = Portal()
    try:
        with pytest.raises(ValueError, match="no"):
            portal.run(fail())
    finally:
        portal.close()


def test_threads_that_use_it_first_at_the_same_time_share_one_loop() -> None:
    portal = Portal()
    together = threading.Barrier(8)

    def use() -> int:
        together.wait()
        return portal.run(where())

    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(lambda _: use(), range(8)))) == 1
    finally:
        portal.close()


def test_a_closed_portal_starts_again_at_its_next_use() -> None:
    portal = Portal()
    portal.run(where())
    portal.close()
    portal.close()
    assert portal.run(where())
    portal.close()


def test_the_last_words_run_on_the_loop_before_it_ends_if_there_is_one() -> None:
    portal = Portal()
    said = []

    async def last() -> None:
        said.append(threading.get_ident())

    portal.close(last)
    assert said == []
    thread = portal.run(where())
    portal.close(last)
    assert said == [thread]


def test_closing_ends_those_who_wait() -> None:
    portal = Portal()
    begun = threading.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.run, wait())
        assert begun.wait(10)
        portal.close()
        with pytest.raises(concurrent.futures.CancelledError):
            waiting.result(10)


def test_nobody_who_comes_while_it_closes_waits_for_ever() -> None:
    portals: list[Portal] = []

    def come() -> None:
        with contextlib.suppress(concurrent.futures.CancelledError):
            portals[-1].run(where())

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(150):
            portals.append(Portal())
            portals[-1].run(where())
            coming = threading.Thread(target=come, daemon=True)
            coming.start()
            portals[-1].close()
            coming.join(10)
            assert not coming.is_alive()
            portals[-1].close()
    finally:
        sys.setswitchinterval(before)


def _in_child(portal: Portal, answer: Connection) -> None:
    answer.send(portal.run(where()) == threading.get_ident())
    portal.close()
    answer.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_gets_a_loop_of_its_own_and_the_parent_keeps_its_own() -> None:
    portal = Portal()
    try:
        before = portal.run(where())
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(target=_in_child, args=(portal, theirs))
        child.start()
        assert ours.poll(20)
        assert ours.recv() is False
        child.join(20)
        assert child.exitcode == 0
        assert portal.run(where()) == before
    finally:
        portal.close()
