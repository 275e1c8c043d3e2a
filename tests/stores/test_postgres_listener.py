"""Hearing what others tell on PostgreSQL's channels, whatever they tell and whatever happens to the connection."""

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from queue import Queue
from typing import Any

import psycopg
import pytest

from tests.postgres import PgBouncer, PostgresServer
from tests.servers import wait_until
from tests.stores.places import Postgres
from tests.stores.storm import storm
from treadle.core.controls import EACH_NODE, CancelRequest, Order, QueueControl
from treadle.stores.postgres_connection import server_at
from treadle.stores.postgres_listener import Listener, Message
from treadle.stores.postgres_watch import SELDOM
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import OWNER, Bench

LIMIT = 20.0
MISSED: Message = {"missed": True}
BROKEN: Message = {"queue": "broken"}


class StillClock:
    """However long a busy machine takes, no time passes."""

    def now(self) -> float:
        return 0.0

    def steady(self) -> float:
        return 0.0


class Ears:
    """A listener on a schema. `heard` has what came, and MISSED for each time when something may have been missed."""

    def __init__(self, url: str, schema: str = "public") -> None:
        self.heard: Queue[Message] = Queue()
        self.listener = Listener(
            server_at(url, schema, url, pooled=None),
            {"insert": self._hear, "signal": self._hear},
            missed=lambda: self.heard.put(MISSED),
            node="here",
            clock=StillClock(),
            draw=lambda _: b"\x80",
        )

    def next(self) -> Message:
        return self.heard.get(timeout=LIMIT)

    def _hear(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message != BROKEN:
                self.heard.put(message)
        if BROKEN in messages:
            raise ValueError(messages)


@contextmanager
def listening(url: str, schema: str = "public") -> Iterator[Ears]:
    ears = Ears(url, schema)
    with closing(ears.listener):
        ears.listener.start()
        assert ears.next() == MISSED
        yield ears


@pytest.fixture
def connection(postgres_url: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def tell(connection: "psycopg.Connection[Any]", channel: str, payload: str) -> None:
    connection.execute("SELECT pg_notify(%s, %s)", (channel, payload))


def test_each_channel_of_the_schema_is_heard_and_no_other(
    postgres_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    with listening(postgres_url, "tenant-1") as ears:
        for channel in ("public.oban_insert", "tenant-1.oban_gossip", "oban_insert"):
            tell(connection, channel, '{"queue":"elsewhere"}')
        tell(connection, "tenant-1.oban_insert", '{"queue":"mail"}')
        tell(connection, "tenant-1.oban_signal", '{"action":"pkill","job_id":1}')
        assert [ears.next(), ears.next()] == [{"queue": "mail"}, {"action": "pkill", "job_id": 1}]


@pytest.mark.parametrize("garbage", ["hello", "Z:@@@@", "[1,2]", "{oops", "", '{"queue":"broken"}'])
def test_garbage_does_not_deafen(
    garbage: str, postgres_url: str, connection: "psycopg.Connection[Any]", caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "treadle"), listening(postgres_url) as ears:
        tell(connection, "public.oban_insert", garbage)
        tell(connection, "public.oban_insert", '{"queue":"mail"}')
        assert ears.next() == {"queue": "mail"}
    assert len(caplog.records) == 1


def test_a_connection_that_was_ended_is_opened_again(
    postgres_url: str, connection: "psycopg.Connection[Any]", caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "treadle"), listening(postgres_url) as ears:
        for _ in range(2):
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'treadle listen' AND datname = current_database()"
            ).fetchall()
            assert ended == [(True,)]
            assert ears.next() == MISSED
        tell(connection, "public.oban_insert", '{"queue":"mail"}')
        assert ears.next() == {"queue": "mail"}
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2


def test_a_node_that_asks_who_is_there_is_answered_once(
    postgres_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    connection.execute('LISTEN "public.oban_sonar"')
    with listening(postgres_url) as ears:
        for asking in ('{"node":"here","ping":true}', '{"node":"ex-1","ping":true}', '{"node":"ex-1","ping":true}'):
            tell(connection, "public.oban_sonar", asking)
        tell(connection, "public.oban_insert", '{"queue":"mail"}')
        assert ears.next() == {"queue": "mail"}
    tell(connection, "public.oban_sonar", '{"node":"the end"}')
    told = [json.loads(notice.payload) for notice in connection.notifies(timeout=LIMIT, stop_after=5)]
    assert told[-1] == {"node": "the end"}
    assert told.count({"node": "here", "ping": True}) == 2, "the first is the test's own"


def test_behind_a_pooler_the_thread_ends_and_says_why(
    pgbouncer: PgBouncer, postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "treadle"), closing(Ears(pgbouncer.url_of(postgres_database)).listener) as ears:
        ears.start()
        wait_until(lambda: "PgBouncer" in caplog.text, LIMIT, "the log says that nothing is heard")


def test_what_another_program_inserts_wakes_who_waits_for_it(
    postgres_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    clock = SystemClock()

    async def run() -> float:
        async with Postgres(postgres_url).store() as store:
            await store.watch().wait(0)
            wait_until(lambda: listeners(connection), LIMIT, "the store listens")
            begun = clock.steady()
            for _ in range(5):
                watch = store.watch()
                tell(connection, "public.oban_insert", '{"queue":"default"}')
                await watch.wait(LIMIT)
            return clock.steady() - begun

    assert asyncio.run(run()) < 3.0, "five looks of a store that heard nothing would take four seconds"


def test_a_peer_that_ends_a_running_job_is_obeyed(
    postgres_server: PostgresServer, postgres_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    async def run() -> None:
        async with Postgres(postgres_url).store() as store:
            bench = await Bench(store).enroll()
            await bench.put(2)
            mine, other = await bench.take()
            since = (await store.orders(None, wait=0.0)).position
            wait_until(lambda: listeners(connection), LIMIT, "the store listens")
            tell(connection, "public.oban_signal", json.dumps({"action": "pkill", "job_id": int(mine.job.id)}))
            assert (await store.orders(since, wait=LIMIT)).orders == (CancelRequest(owner=OWNER),)
            assert {claim.job.id: claim.cancelled for claim in await store.held(OWNER)} == {
                mine.job.id: True,
                other.job.id: False,
            }

    asyncio.run(run())


def test_orders_are_heard_and_not_looked_for(postgres_url: str, connection: "psycopg.Connection[Any]") -> None:
    async def run() -> None:
        async with Postgres(postgres_url).store() as store, Postgres(postgres_url).store() as elsewhere:
            told = await store.orders(None, wait=0.0)
            wait_until(lambda: listeners(connection), LIMIT, "the store listens")
            async with asyncio.timeout(SELDOM - 0.5):
                for limit in range(1, 6):
                    reading = asyncio.create_task(store.orders(told.position, wait=LIMIT))
                    scale = QueueControl(action="scale", queue="mail", limit=limit, node="here:1")
                    await elsewhere.control(scale, ())
                    told = await reading
                    assert told.orders == (scale,), "once, though it went to Oban's nodes too"

    asyncio.run(run())


def test_behind_a_pooler_orders_are_looked_for(pgbouncer: PgBouncer, postgres_database: str) -> None:
    async def run() -> None:
        async with Postgres(pgbouncer.url_of(postgres_database)).store() as store:
            told = await store.orders(None, wait=0.0)
            stop = QueueControl(action="stop", queue="mail")
            async with asyncio.timeout(SELDOM - 0.5):
                reading = asyncio.create_task(store.orders(told.position, wait=LIMIT))
                await store.control(stop, ())
                assert (await reading).orders == (stop,)

    asyncio.run(run())


def test_a_storm_of_garbage_deafens_nobody(postgres_url: str, connection: "psycopg.Connection[Any]") -> None:
    clock = SystemClock()

    async def run() -> float:
        async with Postgres(postgres_url).store() as store:
            bench = await Bench(store).enroll()
            [job_id] = await bench.put(1)
            await bench.take()
            told = await store.orders(None, wait=0.0)
            wait_until(lambda: listeners(connection), LIMIT, "the store listens")
            storm(connection, "public", 3000)
            pause = {"action": "pause", "queue": "mail", "ident": "any"}
            for signal in (pause, {"action": "pkill", "job_id": int(job_id)}):
                tell(connection, "public.oban_signal", json.dumps(signal))
            wanted = {QueueControl(action="pause", queue="mail", node=EACH_NODE), CancelRequest(owner=OWNER)}
            heard: set[Order] = set()
            while not wanted <= heard:
                told = await store.orders(told.position, wait=LIMIT)
                heard.update(told.orders)
                begun = clock.steady()
            for _ in range(5):
                watch = store.watch()
                tell(connection, "public.oban_insert", '{"queue":"default"}')
                await watch.wait(LIMIT)
            return clock.steady() - begun

    assert asyncio.run(run()) < 3.0, "five looks of a store that heard nothing would take four seconds"


def listeners(connection: "psycopg.Connection[Any]") -> bool:
    """Whether somebody listens for signals in this database, and so for inserts too."""
    found = connection.execute(
        "SELECT query FROM pg_stat_activity WHERE application_name = 'treadle listen' AND datname = current_database()"
    ).fetchall()
    return found == [('LISTEN "public.oban_sonar"',)]
