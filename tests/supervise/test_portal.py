"""Blocking code runs coroutines on a loop of their own, from any thread and in any process."""

import asyncio
import concurrent.futures
import contextlib
import multiprocessing
import signal
import subprocess
import sys
import threading
from functools import partial
from multiprocessing.connection import Connection

import pytest

from tests.servers import until, wait_until
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


def test_a_program_that_never_closes_ends_at_once_and_without_a_word() -> None:
    program = (
        "import asyncio; from treadle.supervise.portal import Portal\n"
        "async def begin(): return asyncio.create_task(asyncio.Event().wait())\n"
        "portal = Portal(); pending = portal.run(begin())"
    )
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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


class Patient:
    """What an errand did; it goes on after `patience` cancellations."""

    def __init__(self, patience: int) -> None:
        self.begun = threading.Event()
        self.cancelled = 0
        self._patience = patience

    async def run(self) -> str:
        self.begun.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled > self._patience:
                    return "ended well"

    def was_cancelled(self, times: int) -> bool:
        return self.cancelled >= times


def test_an_errand_gives_its_value_and_what_it_raises() -> None:
    portal = Portal()
    try:
        assert portal.attend(where()) == portal.run(where())
        with pytest.raises(ValueError, match="no"):
            portal.attend(fail())
    finally:
        portal.close()


def test_each_interruption_cancels_an_errand_once_more_and_is_raised_when_it_has_ended() -> None:
    portal, errand = Portal(), Patient(1)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def send() -> None:
        assert errand.begun.wait(10)
        for number in range(2):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            wait_until(partial(errand.was_cancelled, number + 1), what="the errand was cancelled")

    before = signal.signal(signal.SIGUSR1, interrupt)
    sending = threading.Thread(target=send)
    sending.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            portal.attend(errand.run())
    finally:
        sending.join()
        signal.signal(signal.SIGUSR1, before)
        portal.close()
    assert errand.cancelled == 2


def test_a_cancellation_on_another_loop_cancels_the_errand_and_is_raised_when_it_has_ended() -> None:
    portal, errand = Portal(), Patient(1)

    async def story() -> None:
        attending = asyncio.create_task(portal.aattend(errand.run()))
        for number in range(2):
            await until(errand.begun.is_set)
            attending.cancel()
            await until(partial(errand.was_cancelled, number + 1))
        await asyncio.wait([attending])
        assert attending.cancelled()
        assert await portal.aattend(where()) != threading.get_ident()

    try:
        asyncio.run(story())
    finally:
        portal.close()


def test_an_errand_that_is_cancelled_before_it_begins_is_begun_all_the_same() -> None:
    portal, errand = Portal(), Patient(0)

    async def story() -> None:
        attending = asyncio.create_task(portal.aattend(errand.run()))
        await asyncio.sleep(0)
        attending.cancel()
        await asyncio.wait([attending])

    try:
        asyncio.run(story())
    finally:
        portal.close()
    assert errand.cancelled == 1


def test_its_loop_is_of_the_kind_that_was_asked_for() -> None:
    class Loop(asyncio.SelectorEventLoop):
        pass

    async def kind() -> type:
        return type(asyncio.get_running_loop())

    portal = Portal(Loop)
    try:
        assert portal.run(kind()) is Loop
    finally:
        portal.close()
