"""Unique jobs where several programs meet: processes that race, rows of others, transactions, replies that are lost."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from tests.postgres import PgBouncer
from tests.postgres_proxy import PostgresProxy
from tests.servers import until, wait_until
from tests.stores.places import Postgres, SqliteFile, beside
from treadle.core.arguments import Shape
from treadle.core.job import Inserted, NewJob
from treadle.core.outcomes import COMPLETED
from treadle.core.states import State
from treadle.core.uniqueness import Arguments, Unique, Uniqueness
from treadle.errors import UniqueUndecided
from treadle.stores.borrowed.recognise import borrow
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import Bench

ENQUEUERS = 32
LIMIT = 60.0
RULE = Unique(period=600, until="success")

RACER = """
import os, sys, threading
from treadle.core.job import NewJob
from treadle.core.uniqueness import Unique, Uniqueness
from treadle.errors import StoreUnavailable, UniqueUndecided
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock

store = make_store(sys.argv[1], SystemClock())
args = b"[1]" if store.shape.value == "list" else b'{"a": 1}'
job = NewJob(name="race", queue="q", args=args, max_attempts=1, unique=Uniqueness(Unique(until="success")))
store.insert_now([NewJob(name="warm", queue="warm", args=args, max_attempts=1)])
together = threading.Barrier(int(sys.argv[2]))

def run():
    together.wait()
    again = 0
    while True:
        try:
            one = store.insert_now([job])[0]
        except (StoreUnavailable, UniqueUndecided):
            again = 1  # the machine is slow
        else:
            os.write(1, f"{one.id} {int(one.conflict)} {again}\\n".encode())  # whole, beside those of other threads
            return

threads = [threading.Thread(target=run) for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
store.close()
"""


def race(url: str, processes: int) -> list[list[str]]:
    """What thirty-two threads of so many processes are told who insert the same job at the same time."""
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", RACER, url, f"{ENQUEUERS // processes}"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(processes)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        told = [racer.communicate(timeout=LIMIT)[0] for racer in racers]
    return [line.split() for text in told for line in text.splitlines()]


@pytest.fixture(params=["sqlite", "redis", "postgresql", "pgbouncer"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that many processes share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jobs.db"
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    database = request.getfixturevalue("postgres_database")
    direct = str(request.getfixturevalue("postgres_url"))
    bouncer: PgBouncer = request.getfixturevalue("pgbouncer")
    return direct if request.param == "postgresql" else bouncer.url_of(database)


@pytest.mark.parametrize("processes", [2, pytest.param(32, marks=pytest.mark.chaos)])
def test_of_thirty_two_enqueuers_in_some_processes_one_inserts(url: str, processes: int) -> None:
    store = make_store(url, SystemClock())
    asyncio.run(store.open())
    told = race(url, processes)
    found = asyncio.run(store.find(JobQuery(name="race")))
    store.close()
    assert len(told) == ENQUEUERS
    assert {job_id for job_id, _, _ in told} == {view.id for view in found}
    assert len(found) == 1
    # Who was not answered in time and asked again may meet his own job.
    firsts = [conflict for _, conflict, _ in told].count("0")
    assert firsts == 1 or (firsts == 0 and any(again == "1" for _, _, again in told))


# Rows of other programs

Sql = Callable[[str], list[Any]]
T = TypeVar("T")


def on(place: SqliteFile | Postgres, story: Callable[[Bench], Awaitable[T]]) -> T:
    """Play a story with one enrolled owner."""

    async def play() -> T:
        async with place.store() as store:
            return await story(await Bench(store).enroll())

    return asyncio.run(play())


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> "tuple[SqliteFile | Postgres, Sql]":
    """A place with Oban's table, and what another program does to it."""
    if request.param == "sqlite":
        place = SqliteFile(tmp_path)
        return place, lambda sql: beside(place, sql)
    there = Postgres(str(request.getfixturevalue("postgres_url")))

    def run(sql: str) -> list[Any]:
        with psycopg.connect(there.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    return there, run


def call(store: Store, user_id: int = 1, rule: Unique = RULE, **given: Any) -> NewJob:
    args = b"[%d]" % user_id if store.shape is Shape.LIST else b'{"user_id":%d}' % user_id
    unique = Uniqueness(rule, Arguments(("user_id", "lang"), {"lang": b'"en"'}))
    return NewJob(name="Mailer", queue="default", args=args, max_attempts=5, unique=unique, **given)


FOREIGN = "INSERT INTO oban_jobs (worker, args, state) VALUES ('Mailer', '{\"lang\": \"en\", \"user_id\": 1.0}', '%s')"


@pytest.mark.parametrize(("state", "conflict"), [("available", True), ("suspended", True), ("completed", False)])
def test_a_row_of_another_program_counts_by_its_state(
    table: "tuple[SqliteFile | Postgres, Sql]", state: str, *, conflict: bool
) -> None:
    place, sql = table

    async def story(bench: Bench) -> list[Inserted]:
        sql(FOREIGN % state)
        return [*await bench.store.insert([call(bench.store)]), *await bench.store.insert([call(bench.store, 2)])]

    first, second = on(place, story)
    assert (first.conflict, second.conflict) == (conflict, False)
    assert not conflict or first.id == "1"


def test_what_is_no_object_in_a_row_of_another_program_is_passed_over(tmp_path: Path) -> None:
    place = SqliteFile(tmp_path)

    async def story(bench: Bench) -> Inserted:
        beside(place, "INSERT INTO oban_jobs (worker, args, meta) VALUES ('Mailer', '{no', '['), ('Mailer', x'ff', '')")
        return (await bench.store.insert([call(bench.store)]))[0]

    assert not on(place, story).conflict


def test_what_nobody_can_read_in_a_row_of_another_program_is_passed_over(
    table: "tuple[SqliteFile | Postgres, Sql]",
) -> None:
    place, sql = table
    deep = "[" * 3000 + "]" * 3000

    async def story(bench: Bench) -> list[Inserted]:
        sql("INSERT INTO oban_jobs (worker, args) VALUES ('Mailer', '{\"user_id\": DEEP}')".replace("DEEP", deep))
        return [*await bench.store.insert([call(bench.store)]), *await bench.store.insert([call(bench.store)])]

    first, second = on(place, story)
    assert (first.conflict, second.conflict) == (False, True)


def test_a_job_that_another_program_ends_or_deletes_makes_room(table: "tuple[SqliteFile | Postgres, Sql]") -> None:
    place, sql = table

    async def story(bench: Bench) -> list[bool]:
        told = []
        for change in ("UPDATE oban_jobs SET state = 'cancelled'", "DELETE FROM oban_jobs", "SELECT 1"):
            told += [one.conflict for one in await bench.store.insert([call(bench.store)])]
            sql(change)
        return [*told, *[one.conflict for one in await bench.store.insert([call(bench.store)])]]

    assert on(place, story) == [False, False, False, True]


def test_the_keys_of_jobs_that_are_gone_are_pruned(table: "tuple[SqliteFile | Postgres, Sql]") -> None:
    place, sql = table

    async def some_end(bench: Bench) -> None:
        await bench.store.insert([call(bench.store, number) for number in range(4)])
        await bench.end(await bench.take(2), COMPLETED)
        await place.elapse(10)
        await bench.store.prune({State.COMPLETED: 1.0}, 100)

    async def nothing_is_left(bench: Bench) -> None:
        await bench.store.prune({}, 100)

    on(place, some_end)
    assert sql("SELECT count(*) FROM treadle_unique WHERE job_id > 0")[0][0] == 2
    sql("DELETE FROM oban_jobs")
    on(place, nothing_is_left)
    assert sql("SELECT count(*) FROM treadle_unique")[0][0] == 0


# PostgreSQL


WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%treadle_unique%'"


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_who_inserts_the_same_waits_for_the_end_of_a_transaction(postgres_url: str, end: str) -> None:
    store = make_store(postgres_url, SystemClock())
    asyncio.run(store.open())
    with ThreadPoolExecutor() as pool, ExitStack() as stack:
        first, second, looking = (stack.enter_context(psycopg.connect(postgres_url)) for _ in range(3))
        looking.autocommit = True
        (one,) = store.insert_now([call(store)], tx=borrow(first))
        waiting = pool.submit(store.insert_now, [call(store)], tx=borrow(second))
        wait_until(lambda: looking.execute(WAITS).fetchall(), LIMIT, "the second waits for the first")
        assert not waiting.done()
        getattr(first, end)()
        (other,) = waiting.result(LIMIT)
        second.commit()
    found = asyncio.run(store.find(JobQuery()))
    store.close()
    assert other.conflict is (end == "commit")
    assert [view.id for view in found] == [other.id]
    assert (other.id == one.id) is other.conflict


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
def test_while_a_transaction_holds_a_key_nobody_can_tell(postgres_url: str, *, blocking: bool) -> None:
    async def story(bench: Bench) -> None:
        with psycopg.connect(postgres_url) as other:
            bench.store.insert_now([call(bench.store)], tx=borrow(other))
            again = [bench.job(), call(bench.store)]
            with pytest.raises(UniqueUndecided, match=r'job "Mailer": .+ holds its key and does not end: commit that'):
                await (asyncio.to_thread(bench.store.insert_now, again) if blocking else bench.store.insert(again))
            # Others wait for nothing, and what was refused has left nothing.
            assert [one.conflict for one in await bench.store.insert([call(bench.store, 2)])] == [False]
            other.rollback()
        assert [one.conflict for one in await bench.store.insert([call(bench.store)])] == [False]
        assert len(await bench.store.find(JobQuery())) == 2

    on(Postgres(postgres_url), story)


def test_who_waits_for_a_key_holds_up_no_other_insert(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        with psycopg.connect(postgres_url) as other, psycopg.connect(postgres_url, autocommit=True) as looking:
            bench.store.insert_now([call(bench.store)], tx=borrow(other))
            waiting = asyncio.ensure_future(bench.store.insert([call(bench.store)]))
            await until(lambda: bool(looking.execute(WAITS).fetchall()), what="it waits for the transaction")
            await bench.put(3)
            assert not waiting.done()
            other.rollback()
            assert [one.conflict for one in await waiting] == [False]

    on(Postgres(postgres_url), story)


def test_a_transaction_that_met_a_job_holds_up_nobody(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        (first,) = await bench.store.insert([call(bench.store)])
        with psycopg.connect(postgres_url) as other:
            assert bench.store.insert_now([call(bench.store)], tx=borrow(other)) == [Inserted(first.id, conflict=True)]
            assert await bench.store.insert([call(bench.store)]) == [Inserted(first.id, conflict=True)]
            await bench.store.act("delete", JobQuery(ids=(first.id,)))
            assert [one.conflict for one in await bench.store.insert([call(bench.store)])] == [False]

    on(Postgres(postgres_url), story)


ROWS_READ = b"""
SELECT sum(idx_tup_read) + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables
  WHERE relname IN ('oban_jobs', 'treadle_unique'))
FROM pg_stat_user_indexes
"""


@pytest.mark.parametrize("rule", [RULE, Unique(fields=["args"], period=None)], ids=["in a queue", "anywhere"])
def test_a_look_for_a_job_reads_no_whole_table(postgres_url: str, rule: Unique) -> None:
    """However long the backlog is, and whatever the planner knows of it."""

    def read_for(store: Store, number: int) -> int:
        with psycopg.connect(postgres_url) as own:
            before = own.execute(ROWS_READ).fetchall()[0][0]
            store.insert_now([call(store, number, rule)], tx=borrow(own))
            own.rollback()
            own.execute("SELECT pg_stat_force_next_flush()")
            own.commit()
            return int(own.execute(ROWS_READ).fetchall()[0][0] - before)

    async def story(bench: Bench) -> list[int]:
        await bench.store.insert([call(bench.store, number, rule) for number in range(5000)])
        first = [read_for(bench.store, number) for number in (7, 7000)]
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("ANALYZE oban_jobs, treadle_unique")
        return [*first, *[read_for(bench.store, number) for number in (7, 7000)]]

    assert max(on(Postgres(postgres_url), story)) < 3000


def test_a_job_that_begins_while_it_is_to_take_over_makes_room(postgres_url: str) -> None:
    rule = Unique(until="start", period=600, replace={"scheduled": ["args"]}, keys=["user_id"])

    async def story(bench: Bench) -> None:
        (first,) = await bench.store.insert([call(bench.store, rule=rule, delay=600)])
        with psycopg.connect(postgres_url) as other, psycopg.connect(postgres_url, autocommit=True) as looking:
            other.execute("UPDATE oban_jobs SET state = 'executing', attempted_at = now()")
            inserting = asyncio.ensure_future(bench.store.insert([call(bench.store, rule=rule, delay=600)]))
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
            await until(lambda: bool(looking.execute(waits).fetchall()), what="it waits for the row")
            other.commit()
            (second,) = await inserting
        assert (second.conflict, second.id == first.id) == (False, False)

    on(Postgres(postgres_url), story)


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
def test_a_unique_insert_on_postgresql_whose_reply_is_lost_is_answered_as_inserted(
    postgres_url: str, postgres_proxy: PostgresProxy, *, blocking: bool
) -> None:
    place, behind = Postgres(postgres_url), Postgres(postgres_url, store_url=postgres_proxy.url)

    async def story(bench: Bench) -> tuple[list[Inserted], list[str]]:
        (known,) = await bench.store.insert([call(bench.store, 9)])
        jobs = [call(bench.store), bench.job(), call(bench.store), call(bench.store, 9)]
        postgres_proxy.cut_reply(matching=b"COMMIT")
        async with behind.store() as store:
            inserted = store.insert_now(jobs) if blocking else await store.insert(jobs)
        assert postgres_proxy.cuts == 1
        assert inserted[3] == Inserted(known.id, conflict=True)
        return list(inserted), [claim.job.id for claim in await bench.take()]

    inserted, taken = on(place, story)
    assert [one.conflict for one in inserted] == [False, False, True, True]
    assert inserted[2].id == inserted[0].id
    assert sorted(taken) == sorted({one.id for one in inserted})
