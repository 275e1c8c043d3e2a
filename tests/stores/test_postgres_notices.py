"""Notices of inserts: few, but one after the last."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import takewhile
from queue import Queue
from typing import Any

import psycopg
import pytest

from tests.stores.places import ManualClock
from tests.stores.test_postgres_inserts import new, opened
from treadle.errors import StoreUnavailable
from treadle.stores.borrowed.recognise import borrow
from treadle.stores.postgres_notices import EVERY, Notices
from treadle.supervise.clock import SystemClock

LIMIT = 20.0
BURST = 300


class Teller:
    """Notices whose clock stands; `told` has what was sent later."""

    def __init__(self, *failures: Exception) -> None:
        self.clock = ManualClock()
        self.told: Queue[Sequence[str]] = Queue()
        self.notices = Notices(self.clock, self._send)
        self._failures = list(failures)

    def insert(self, *queues: str, **given: Any) -> list[str]:
        with self.notices.sparing([new(queue=queue, **given) for queue in queues]) as silent:
            assert self.told.empty(), "nobody is told of what is not committed"
            return sorted(silent)

    def next(self) -> Sequence[str]:
        return self.told.get(timeout=LIMIT)

    def _send(self, queues: Sequence[str]) -> None:
        self.told.put(queues)
        if self._failures:
            raise self._failures.pop()


@pytest.fixture
def ear(postgres_url: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(postgres_url, autocommit=True) as ear:
        ear.execute('LISTEN "public.oban_insert"')
        yield ear


def test_what_an_insert_does_not_tell_is_told_once_when_the_moment_is_over() -> None:
    teller = Teller()
    with closing(teller.notices):
        assert teller.insert("mail") == []
        assert teller.insert("mail", "mail", "other") == ["mail"]
        assert teller.insert("other", "mail") == ["mail", "other"]
        teller.clock.advance(EVERY)
        assert teller.next() == ["mail", "other"]
        assert teller.insert("mail") == ["mail"], "that notice counts like any other"
        teller.clock.advance(EVERY)
        assert teller.next() == ["mail"]
        teller.clock.advance(EVERY)
        assert teller.insert("mail", "other") == []
    assert teller.told.empty()


def test_jobs_that_wait_for_their_time_are_not_told_of() -> None:
    teller = Teller()
    with closing(teller.notices):
        assert teller.insert("mail", delay=60.0) == []
        assert teller.insert("mail", at=2e9) == []
        assert teller.insert("mail") == []
        assert teller.insert("mail", delay=60.0) == [], "the server sees that nobody need be told"
    assert teller.told.empty()


def test_an_insert_that_nobody_confirmed_is_told_of() -> None:
    teller = Teller()
    with closing(teller.notices):
        teller.insert("mail")
        with pytest.raises(StoreUnavailable), teller.notices.sparing([new(queue="mail")]):
            raise StoreUnavailable("no answer")
        teller.clock.advance(EVERY)
        assert teller.next() == ["mail"]


def test_whoever_closes_tells_what_is_owed_at_once() -> None:
    teller = Teller()
    teller.insert("mail")
    teller.insert("mail")
    teller.notices.close()
    assert teller.next() == ["mail"]
    teller.notices.close()
    assert teller.told.empty()


def test_a_store_that_is_away_is_one_line_and_the_next_notice_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    teller = Teller(StoreUnavailable("no answer"))
    with closing(teller.notices), caplog.at_level(logging.WARNING, "treadle"):
        for _ in range(2):
            teller.insert("mail")
            teller.insert("mail")
            teller.clock.advance(EVERY)
            assert teller.next() == ["mail"]
            teller.clock.advance(EVERY)
    assert [record.getMessage() for record in caplog.records] == [
        "nobody was told of new jobs, they are found by who looks: no answer"
    ]


def test_a_burst_sends_few_notices_and_one_after_its_last_insert(
    postgres_url: str, ear: "psycopg.Connection[Any]"
) -> None:
    clock = SystemClock()

    async def story() -> float:
        async with opened(postgres_url, clock) as store:
            begun = clock.steady()
            for _ in range(BURST // 2):
                store.insert_now([new()])
                await store.insert([new()])
            return clock.steady() - begun

    seconds = asyncio.run(story())
    ear.execute("SELECT pg_notify('public.oban_insert', 'the end')")
    heard = (notice.payload for notice in ear.notifies(timeout=LIMIT))
    told = list(takewhile(lambda payload: payload != "the end", heard))
    assert 2 <= len(told) <= seconds / EVERY + 2


def test_after_each_insert_a_notice_comes(postgres_url: str, ear: "psycopg.Connection[Any]") -> None:
    async def story() -> None:
        async with opened(postgres_url, SystemClock()) as store:
            store.insert_now([new()])
            for _ in range(4):
                assert len(list(ear.notifies(timeout=LIMIT, stop_after=1))) == 1
                store.insert_now([new()])

    asyncio.run(story())


def test_a_transaction_tells_with_its_commit(postgres_url: str, ear: "psycopg.Connection[Any]") -> None:
    async def story() -> None:
        # Its moment is never over.
        async with opened(postgres_url, ManualClock()) as store:
            for _ in range(2):
                store.insert_now([new()])
            with psycopg.connect(postgres_url) as connection:
                store.insert_now([new()], tx=borrow(connection))
                assert len(list(ear.notifies(timeout=LIMIT, stop_after=1))) == 1
            assert len(list(ear.notifies(timeout=LIMIT, stop_after=1))) == 1

    asyncio.run(story())


def test_a_program_that_ends_at_once_has_told_of_its_last_job(
    postgres_url: str, ear: "psycopg.Connection[Any]"
) -> None:
    program = "import sys; from treadle import Treadle; app = Treadle(sys.argv[1]); [app.enqueue('x') for _ in 'ab']"
    subprocess.run([sys.executable, "-c", program, postgres_url], check=True, timeout=60)
    assert len(list(ear.notifies(timeout=LIMIT, stop_after=2))) == 2
