"""Inserts on PostgreSQL: how often the server is asked, what is joined, and what a repeated one finds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
import psycopg
import pytest

from tests.postgres_proxy import PostgresProxy
from tests.servers import until
from tests.stores.places import NOON, ManualClock
from treadle.core.clock import Clock
from treadle.core.job import NewJob
from treadle.core.uniqueness import Unique, Uniqueness
from treadle.errors import StoreError
from treadle.stores.contract import Store
from treadle.stores.postgres_ids import FRESH
from treadle.stores.url import make_store

DRAW = b"looked up once"
INSERT = b"OVERRIDING SYSTEM VALUE"
TELL = b"AS waiting(queue)"
BULK = 600  # enough to be copied


def new(**given: Any) -> NewJob:
    job = NewJob(name="work", queue="default", args=b"{}", max_attempts=5)
    return msgspec.structs.replace(job, **given)


@asynccontextmanager
async def opened(url: str, clock: Clock | None = None) -> AsyncIterator[Store]:
    """A store whose clock stands, so that no id grows old while the machine is busy."""
    store = make_store(url, clock or ManualClock())
    try:
        await store.open()
        yield store
        await store.aclose()
    finally:
        store.close()


@contextmanager
def lock_on_jobs(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Nobody else writes a job meanwhile."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE oban_jobs IN SHARE ROW EXCLUSIVE MODE")
        yield connection


async def waits(connection: psycopg.Connection[Any]) -> None:
    await until(
        lambda: bool(connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall()),
        what="the insert waits for the lock",
    )


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_an_insert_after_another_asks_the_server_once(postgres_url: str, postgres_proxy: PostgresProxy) -> None:
    async def story() -> list[int]:
        async with opened(postgres_proxy.url) as store:
            first = await store.insert([new()])
            postgres_proxy.cut_request(matching=DRAW)
            more = [await store.insert([new()]) for _ in range(10)] + [store.insert_now([new()]) for _ in range(10)]
        return [int(one.id) for inserted in (first, *more) for one in inserted]

    ids = asyncio.run(story())
    assert postgres_proxy.cuts == 0
    assert ids == sorted(set(ids))
    assert rows(postgres_url, "SELECT count(*) FROM oban_jobs") == [(21,)]


def test_ids_that_nobody_took_in_time_are_not_used(postgres_url: str) -> None:
    async def story() -> None:
        clock = ManualClock()
        async with opened(postgres_url, clock) as store:
            await store.insert([new()] * 50)
            clock.advance(FRESH * 2)
            async with opened(postgres_url) as elsewhere:
                [theirs] = await elsewhere.insert([new()])
            [ours] = await store.insert([new()])
            assert int(ours.id) > int(theirs.id)

    asyncio.run(story())


def test_jobs_for_the_same_instant_come_in_the_order_of_their_calls(postgres_url: str) -> None:
    async def story() -> list[str]:
        async with opened(postgres_url) as store:
            at = NOON + 1_000_000_000
            sizes = (1, 7, 1, 1, 30, 2, 1)
            return [one.id for size in sizes for one in await store.insert([new(at=at)] * size)]

    ids = asyncio.run(story())
    ordered = rows(postgres_url, "SELECT id FROM oban_jobs ORDER BY priority, scheduled_at, id")
    assert [str(row[0]) for row in ordered] == ids


def test_tasks_that_wait_for_the_connection_share_a_transaction(postgres_url: str) -> None:
    async def story() -> list[str]:
        async with opened(postgres_url) as store:
            with lock_on_jobs(postgres_url) as other:
                inserting = [asyncio.ensure_future(store.insert([new(args=b'{"n": %d}' % n)])) for n in range(200)]
                await waits(other)
            return [inserted[0].id for inserted in await asyncio.gather(*inserting)]

    ids = asyncio.run(story())
    assert rows(postgres_url, "SELECT count(*), count(DISTINCT inserted_at) <= 2 FROM oban_jobs") == [(200, True)]
    found = rows(postgres_url, "SELECT id FROM oban_jobs ORDER BY scheduled_at, id")
    assert [str(row[0]) for row in found] == ids, "each task has the id of its own job"


def test_a_job_that_the_server_refuses_takes_no_others_with_it(postgres_url: str) -> None:
    async def story() -> list[Any]:
        async with opened(postgres_url) as store:
            with lock_on_jobs(postgres_url) as other:
                other.execute("ALTER TABLE oban_jobs ADD CHECK (worker <> 'bad')")
                names = ["first", *(["good"] * 4), "bad", *(["good"] * 4)]
                inserting = [asyncio.ensure_future(store.insert([new(name=name)])) for name in names]
                await waits(other)
            return await asyncio.gather(*inserting, return_exceptions=True)

    answers = asyncio.run(story())
    assert [index for index, answer in enumerate(answers) if isinstance(answer, StoreError)] == [5]
    assert rows(postgres_url, "SELECT count(*) FROM oban_jobs") == [(9,)]


def test_an_insert_that_was_cancelled_before_it_began_never_comes(postgres_url: str) -> None:
    async def story() -> None:
        async with opened(postgres_url) as store:
            with lock_on_jobs(postgres_url) as other:
                begun = asyncio.ensure_future(store.insert([new()]))
                await waits(other)
                queued = asyncio.ensure_future(store.insert([new(name="unwanted")]))
                await asyncio.wait([queued], timeout=0)
                queued.cancel()
                await asyncio.wait([queued])
            await begun
            await store.insert([new()])

    asyncio.run(story())
    assert rows(postgres_url, "SELECT worker FROM oban_jobs") == [("work",), ("work",)]


@pytest.mark.parametrize("given", [{}, {"delay": 60.0}], ids=["at once", "later"])
@pytest.mark.parametrize("matching", [b"COMMIT", TELL, INSERT])
def test_a_bulk_whose_reply_is_lost_makes_no_second_job(
    postgres_url: str, postgres_proxy: PostgresProxy, given: dict[str, Any], matching: bytes
) -> None:
    async def story() -> list[str]:
        async with opened(postgres_proxy.url) as store:
            await store.insert([new()])
            postgres_proxy.cut_reply(matching=matching)
            return [one.id for one in await store.insert([new(**given)] * (6_000 if given else BULK))]

    ids = asyncio.run(story())
    found = rows(postgres_url, "SELECT id FROM oban_jobs ORDER BY id OFFSET 1")
    assert [str(row[0]) for row in found] == ids


def test_a_plain_job_beside_a_conflict_whose_reply_is_lost_makes_no_second_job(
    postgres_url: str, postgres_proxy: PostgresProxy
) -> None:
    unique = new(name="once", unique=Uniqueness(Unique()))

    async def story() -> list[Any]:
        async with opened(postgres_proxy.url) as store:
            [first] = await store.insert([unique])
            postgres_proxy.cut_reply(matching=b"COMMIT")
            return [first, *await store.insert([unique, new()])]

    first, conflict, plain = asyncio.run(story())
    assert (conflict.id, conflict.conflict, plain.conflict) == (first.id, True, False)
    assert rows(postgres_url, "SELECT id::text FROM oban_jobs ORDER BY id") == [(first.id,), (plain.id,)]


def test_a_bulk_is_kept_as_its_jobs_would_be_one_by_one(postgres_url: str) -> None:
    text = b'{"a": "\\\\ \\" \\t\\n\\u00e9",\n\t"b": [1e300, {}]}'
    odd = [
        new(args=text, tags=('a,b"c\\', "{x}", "NULL", "d\te"), meta={"k": "\\N"}),
        new(name="Ünder\\ N", queue="\\N", priority=3, rerun=False),
        new(queue="a\tb", tags=("",)),
    ]

    async def story() -> None:
        async with opened(postgres_url) as store:
            await store.insert(odd)
            await store.insert([*odd, *([new()] * BULK)])

    asyncio.run(story())
    query = (
        "SELECT state, queue, worker, args, errors, attempt, max_attempts, inserted_at = scheduled_at, attempted_at, "
        "attempted_by, priority, tags, meta FROM oban_jobs ORDER BY id LIMIT 6"
    )
    kept = rows(postgres_url, query)
    assert kept[:3] == kept[3:]
    assert [row[11] for row in kept[:3]] == [list(job.tags) for job in odd]


def test_a_bulk_tells_each_of_its_queues(postgres_url: str) -> None:
    async def story() -> None:
        async with opened(postgres_url) as store:
            await store.insert([new(queue=f"q{number % 3}") for number in range(BULK)])

    with psycopg.connect(postgres_url, autocommit=True) as listener:
        listener.execute('LISTEN "public.oban_insert"')
        asyncio.run(story())
        told = sorted(notice.payload for notice in listener.notifies(timeout=10, stop_after=3))
    assert told == [f'{{"queue" : "q{number}"}}' for number in range(3)]


@pytest.mark.parametrize("number", [1, BULK])
def test_a_sequence_that_is_behind_its_table_is_named(postgres_url: str, number: int) -> None:
    async def story() -> None:
        async with opened(postgres_url) as store:
            with psycopg.connect(postgres_url, autocommit=True) as other:
                other.execute("INSERT INTO oban_jobs (id, worker) SELECT n, 'restored' FROM generate_series(1, 900) n")
            with pytest.raises(StoreError, match=r"sequence of oban_jobs, got 1.*setval\(\)"):
                await store.insert([new()] * number)

    asyncio.run(story())
    assert rows(postgres_url, "SELECT count(*) FROM oban_jobs") == [(900,)]
