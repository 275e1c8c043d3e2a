"""The PostgreSQL store on Oban's table: beside rows of foreign programs, hostile rows, and what it cannot keep."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import psycopg
import pytest

from tests.postgres import PgBouncer, PostgresServer
from tests.servers import wait_until
from tests.stores.oban_py_table import OBAN_PY_TABLE
from tests.stores.places import ManualClock, Postgres
from treadle.core.job import NewJob
from treadle.core.outcomes import (
    Cancelled,
    Completed,
    Discarded,
    Failure,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.core.states import State
from treadle.errors import ArgumentError, StoreError
from treadle.stores.claim import Settlement
from treadle.stores.job_query import JobQuery
from treadle.stores.postgres_hints import WALKED, Hints
from treadle.stores.postgres_jobs import EXACT
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import FAILURE, LONG, OWNER, SHORT, Bench, ids

T = TypeVar("T")

each_shape = pytest.mark.parametrize("tables", ["", OBAN_PY_TABLE], ids=["elixir", "oban-py"])


def on(place: Postgres, story: Callable[[Bench], Awaitable[T]]) -> T:
    """Play a story with one enrolled owner."""

    async def play() -> T:
        async with place.store() as store:
            return await story(await Bench(store).enroll())

    return asyncio.run(play())


def beside(place: Postgres, statement: str, *values: object) -> list[Any]:
    """What another program does to the database."""
    with psycopg.connect(place.url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def new(**given: Any) -> NewJob:
    job = NewJob(name="work", queue="default", args=b"{}", max_attempts=5)
    return msgspec.structs.replace(job, **given)


# What is written


@each_shape
def test_what_is_written_is_what_oban_reads(postgres_url: str, tables: str) -> None:
    place = Postgres(postgres_url, tables=tables)

    async def story(bench: Bench) -> None:
        await bench.store.insert([new(tags=("mail",), meta={"k": 1}, priority=3, delay=60)])
        await bench.put(5)
        claims = await bench.take(4)
        failed = Failure("ValueError", "no\0t", "")
        outcomes: list[Outcome] = [Retried(60, failed), Discarded(failed), Cancelled("why"), Snoozed(60)]
        for claim, outcome in zip(claims, outcomes, strict=True):
            await bench.end([claim], outcome)
        await bench.take()

    on(place, story)
    rows = beside(
        place,
        "SELECT state::text, to_jsonb(errors), attempt, cardinality(attempted_by), meta, scheduled_at > inserted_at, "
        "inserted_at <= timezone('UTC', now()) AND inserted_at > timezone('UTC', now()) - interval '1 minute' "
        "FROM oban_jobs ORDER BY id",
    )
    assert [(row[0], row[2], row[5]) for row in rows] == [
        ("scheduled", 0, True),
        ("retryable", 1, True),
        ("discarded", 1, False),
        ("cancelled", 1, False),
        ("scheduled", 0, True),
        ("executing", 1, False),
    ]
    assert all(row[6] for row in rows)
    for row, text in zip(rows[1:4], ("ValueError: no\ufffdt", "ValueError: no\ufffdt", "why"), strict=True):
        [error] = row[1]
        assert (set(error), error["attempt"], error["error"]) == ({"at", "attempt", "error"}, 1, text)
        assert error["at"].endswith("Z")
    assert (rows[0][4], rows[4][4], rows[5][3]) == ({"k": 1}, {"snoozed": 1}, 3)


def test_an_insert_tells_each_queue_once_in_its_transaction(postgres_url: str) -> None:
    place = Postgres(postgres_url, store_url=f"{postgres_url}?schema=private")
    with psycopg.connect(postgres_url, autocommit=True) as listener:
        listener.execute('LISTEN "private.oban_insert"')
        on(
            place,
            lambda bench: bench.store.insert([new(queue=queue) for queue in "abaab"] + [new(queue="c", delay=60)]),
        )
        told = sorted(notice.payload for notice in listener.notifies(timeout=1, stop_after=2))
        assert told == ['{"queue" : "a"}', '{"queue" : "b"}']
        assert list(listener.notifies(timeout=0)) == []


def test_ids_are_those_of_the_tables_own_sequence(postgres_url: str) -> None:
    place = Postgres(postgres_url)
    on(place, lambda bench: bench.put(3))
    beside(place, "INSERT INTO oban_jobs (worker) VALUES ('theirs')")
    on(place, lambda bench: bench.put(1))
    in_sequence = "SELECT count(*), max(id) <= (SELECT last_value FROM oban_jobs_id_seq) FROM oban_jobs"
    assert beside(place, in_sequence) == [(5, True)]


# Foreign and hostile rows


def test_rows_of_foreign_holders_and_suspended_rows_of_others_are_left_alone(postgres_url: str) -> None:
    place = Postgres(postgres_url)
    on(place, lambda bench: bench.put())
    beside(
        place,
        "INSERT INTO oban_jobs (worker, state, attempt, attempted_at, attempted_by) VALUES "
        "('theirs', 'executing', 1, '2020-01-01', ARRAY['node', 'uuid']), ('held', 'suspended', 0, NULL, NULL)",
    )

    async def story(bench: Bench) -> None:
        assert (await bench.store.rescue(10)).claims == 0
        assert len(await bench.take()) == 1
        assert await bench.take(alone=True) == []
        assert await bench.store.act("cancel", JobQuery(name="held")) == 0
        assert await bench.store.act("delete", JobQuery()) == 0
        assert await bench.store.act("retry", JobQuery()) == 0
        assert await bench.store.act("cancel", JobQuery(name="theirs")) == 1

    on(place, story)
    assert beside(place, "SELECT worker, state::text FROM oban_jobs WHERE worker <> 'work' ORDER BY 1") == [
        ("held", "suspended"),
        ("theirs", "cancelled"),
    ]


@each_shape
def test_rows_that_cannot_be_run_are_discarded_and_the_others_run(
    postgres_url: str, tables: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = Postgres(postgres_url, tables=tables)
    on(place, lambda bench: bench.put())
    beside(
        place,
        "UPDATE oban_jobs SET scheduled_at = scheduled_at + interval '1 hour'; "
        "INSERT INTO oban_jobs (worker, args) VALUES "
        "('number', '1'), ('deep', (repeat('[', 99) || repeat(']', 99))::jsonb); "
        "INSERT INTO oban_jobs (worker, meta) VALUES ('meta', '[]'); "
        "INSERT INTO oban_jobs (worker, attempt, max_attempts) SELECT 'spent', 3, 3 FROM generate_series(1, 7)",
    )

    async def story(bench: Bench) -> list[str]:
        return [claim.job.name for claim in await bench.take(2)]

    with caplog.at_level(logging.WARNING, "treadle.stores.postgres"):
        assert on(place, story) == ["work"]
    assert len(caplog.records) == 10
    assert all("was discarded unread" in record.getMessage() for record in caplog.records)
    assert beside(place, "SELECT DISTINCT state::text FROM oban_jobs WHERE worker <> 'work'") == [("discarded",)]
    [(errors, attempt)] = beside(place, "SELECT to_jsonb(errors), attempt FROM oban_jobs WHERE worker = 'number'")
    assert [set(error) for error in errors] == [{"at", "attempt", "error"}]
    assert attempt == 0


def test_foreign_forms_of_rows_are_claimed_and_shown(postgres_url: str) -> None:
    place = Postgres(postgres_url)
    on(place, lambda bench: bench.put())
    beside(
        place,
        "INSERT INTO oban_jobs (worker, args, meta, tags, scheduled_at) VALUES "
        "('list', '[1]', NULL, NULL, '-infinity'), "
        "('big', '{\"n\": 123456789012345678901234567890}', 'null', '{}', now())",
    )

    async def story(bench: Bench) -> None:
        shown = {view.name: view for view in await bench.store.find(JobQuery())}
        assert (shown["list"].args, shown["list"].tags, shown["list"].meta) == ([1], (), {})
        assert shown["list"].scheduled_at is None
        assert shown["big"].args == {"n": 123456789012345678901234567890}
        claims = {claim.job.name: claim.job for claim in await bench.take()}
        assert claims["list"].waited == 0
        assert claims["big"].args == b'{"n": 123456789012345678901234567890}'
        assert sorted(claim.job.name for claim in await bench.store.held(OWNER)) == ["big", "list", "work"]

    on(place, story)


@pytest.mark.parametrize("meta", [None, "null", '{"trace": "x", "snoozed": 2}', '{"snoozed": "often"}'])
def test_what_stands_in_meta_is_kept_and_no_list_is_made_of_it(postgres_url: str, meta: str | None) -> None:
    # A list in meta stops the queue of an Elixir node.
    place = Postgres(postgres_url)
    on(place, lambda bench: bench.put())
    beside(place, "DELETE FROM oban_jobs")
    beside(place, "INSERT INTO oban_jobs (worker, meta) VALUES ('snoozes', %s), ('records', %s)", meta, meta)

    async def story(bench: Bench) -> None:
        for claim in await bench.take():
            await bench.end([claim], Snoozed(60) if claim.job.name == "snoozes" else Completed(b"5"))

    on(place, story)
    before = {} if meta in (None, "null") else json.loads(str(meta))
    counted = {None: 1, "null": 1, '{"trace": "x", "snoozed": 2}': 3}.get(meta, 1)
    found = dict(beside(place, "SELECT worker, meta FROM oban_jobs"))
    assert found["snoozes"] == {**before, "snoozed": counted}
    assert found["records"].items() >= {**before, "recorded": True}.items()


def test_a_snooze_of_an_older_elixir_leaves_a_job_its_attempts(postgres_url: str) -> None:
    # It raised max_attempts instead of giving the attempt back.
    place = Postgres(postgres_url)
    on(place, lambda bench: bench.put())
    beside(place, "DELETE FROM oban_jobs")
    beside(
        place,
        "INSERT INTO oban_jobs (worker, state, attempt, max_attempts, scheduled_at) "
        "VALUES ('snoozed', 'scheduled', 2, 4, '2020-01-01')",
    )

    async def story(bench: Bench) -> None:
        await bench.store.stage(10)
        [claim] = await bench.take()
        assert (claim.job.attempt, claim.job.max_attempts) == (3, 4)
        await bench.end([claim], Snoozed(60))

    on(place, story)
    assert beside(place, "SELECT attempt, max_attempts, meta FROM oban_jobs") == [(2, 4, {"snoozed": 1})]


def test_a_row_that_a_program_locks_is_passed_over(postgres_url: str) -> None:
    place = Postgres(postgres_url)
    first, _ = [one.id for one in on(place, lambda bench: bench.store.insert([new(), new()]))]
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM oban_jobs WHERE id = %s FOR UPDATE", (first,))

        async def story(bench: Bench) -> list[str]:
            return ids(await bench.take())

        assert first not in on(place, story)


def test_a_table_of_another_kind_is_named(postgres_url: str) -> None:
    place = Postgres(postgres_url, tables="CREATE TABLE oban_jobs (id bigint PRIMARY KEY)")
    with pytest.raises(StoreError):
        on(place, lambda bench: bench.put())


# What cannot be kept


@pytest.mark.parametrize(
    ("job", "where"),
    [
        (new(args=b'{"a":{"b":["x","\\u0000"]}}'), "args of job \"work\"['a']['b'][1]: expected text without NUL"),
        (new(args=b'{"a\\u0000":1}'), 'a key of args of job "work": expected text without NUL'),
        (new(args=b'{"a":"\\ud800"}'), "args of job \"work\"['a']: expected text, got a lone surrogate"),
        (new(meta={"m": ["\0"]}), "meta of job \"work\"['m'][0]: expected text without NUL"),
        (new(tags=("a", "b\0")), 'tags of job "work"[1]: expected text without NUL'),
        (new(name="w\0"), "name of job 'w\\x00': expected text without NUL"),
        (new(queue="q\ud800"), "queue of job 'work': expected text, got a lone surrogate"),
        (new(args=b"[1]"), 'job "work": expected its arguments as a JSON object'),
        (new(name="n" * 128), "expected its name to have 1 to 127 characters on this store, got 128"),
        (new(queue=""), "expected its queue to have 1 to 127 characters on this store, got 0"),
    ],
)
def test_a_bulk_with_what_postgresql_cannot_keep_is_refused_whole(postgres_url: str, job: NewJob, where: str) -> None:
    place = Postgres(postgres_url)

    async def story(bench: Bench) -> None:
        with pytest.raises(ArgumentError) as caught:
            await bench.store.insert([new(), job])
        assert where in str(caught.value)
        with pytest.raises(ArgumentError):
            bench.store.insert_now([new(), job])
        assert await bench.number(State.AVAILABLE) == 0

    on(place, story)


def test_an_escaped_backslash_is_no_nul(postgres_url: str) -> None:
    args = b'{"path": "C:\\\\u0000"}'
    [claim] = on(Postgres(postgres_url), lambda bench: _round_trip(bench, args))
    assert claim == args


async def _round_trip(bench: Bench, args: bytes) -> list[bytes]:
    await bench.store.insert([new(args=args)])
    return [claim.job.args for claim in await bench.take()]


def test_instants_beyond_every_calendar_stop_no_settlement(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(4)
        far: list[Outcome] = [Snoozed(1e300), Retried(float("nan"), FAILURE), Released(float("inf")), Snoozed(-5.0)]
        for claim, outcome in zip(await bench.take(), far, strict=True):
            assert await bench.end([claim], outcome) == ["applied"]
        assert len(await bench.store.find(JobQuery())) == 4

    on(Postgres(postgres_url), story)


# Many at once


def test_a_bulk_larger_than_one_statement_is_one_transaction(postgres_url: str) -> None:
    place = Postgres(postgres_url)
    inserted = on(place, lambda bench: bench.store.insert([new()] * 12_000))
    assert len({one.id for one in inserted}) == 12_000
    assert beside(place, "SELECT count(*), count(DISTINCT inserted_at) FROM oban_jobs") == [(12_000, 1)]


def test_batches_that_are_settled_in_every_order_do_not_deadlock(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        rounds = 40
        async with place.store() as elsewhere:
            other = Bench(elsewhere, bench.owner)
            for _ in range(rounds):
                await bench.put(50)
                claims = await bench.take()
                answers = await asyncio.gather(
                    bench.end(claims, SetAside()), other.end(claims[::-1], SetAside()), bench.end(claims[::2])
                )
                assert [answer for answers in answers[:2] for answer in answers].count("applied") >= 25

    place = Postgres(postgres_url)
    on(place, story)


# PgBouncer


@pytest.mark.parametrize("said", ["", "?pgbouncer=true"], ids=["found out", "said"])
def test_nothing_is_left_on_connections_that_a_pooler_lends(
    postgres_url: str, postgres_database: str, pgbouncer: PgBouncer, said: str
) -> None:
    place = Postgres(postgres_url, store_url=pgbouncer.url_of(postgres_database) + said)

    async def story(bench: Bench) -> None:
        for _ in range(10):
            await bench.put(2)
            await bench.end(await bench.take())

    on(place, story)
    with psycopg.connect(pgbouncer.url_of(postgres_database), autocommit=True, prepare_threshold=None) as other:
        for setting in ("statement_timeout", "lock_timeout", "synchronous_commit"):
            cursor = other.execute("SELECT setting = reset_val FROM pg_settings WHERE name = %s", (setting,))
            assert cursor.fetchall() == [(True,)]
        assert other.execute("SELECT count(*) FROM pg_prepared_statements").fetchall() == [(0,)]


def test_time_limits_hold_without_a_pooler(postgres_url: str) -> None:
    place = Postgres(postgres_url)
    with psycopg.connect(postgres_url) as other:
        on(place, lambda bench: bench.put())
        other.execute("LOCK TABLE treadle_owners")

        async def story() -> None:
            store = make_store(postgres_url, SystemClock())
            with pytest.raises(StoreError, match=r"others kept a lock for too long"):
                await store.enroll(OWNER, LONG)
            store.close()

        asyncio.run(story())


def test_recorded_values_and_others_settle_in_one_batch(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(3)
        claims = await bench.take()
        outcomes: list[Outcome] = [Completed(b"[1]"), Completed(), Retried(SHORT, FAILURE)]
        batch = [Settlement(claim, outcome) for claim, outcome in zip(claims, outcomes, strict=True)]
        assert [one.answer for one in await bench.store.settle(OWNER, batch[::-1])] == ["applied"] * 3
        assert [one.answer for one in await bench.store.settle(OWNER, batch)] == ["repeated"] * 3

    on(Postgres(postgres_url), story)


# What claims cost


def test_a_claim_costs_the_same_however_many_jobs_wait_or_have_ended(
    postgres_url: str, postgres_server: PostgresServer, postgres_database: str
) -> None:
    place = Postgres(postgres_url)
    on(place, lambda bench: bench.put(10))
    beside(
        place,
        "INSERT INTO oban_jobs (worker, state, scheduled_at) SELECT 'work', s::oban_job_state, "
        "timezone('UTC', now()) + n * interval '1 ms' FROM generate_series(1, 25000) n, "
        "unnest('{available,completed,scheduled,retryable}'::text[]) s",
    )

    async def story(bench: Bench) -> None:
        await bench.end(await bench.take(10))
        postgres_server.run("SELECT pg_stat_reset()", database=postgres_database)
        for _ in range(10):
            assert await bench.end(await bench.take(10)) == ["applied"] * 10

    on(place, story)
    wait_until(lambda: _read(place) > 0, what="the statistics are there")
    [(sequential, read)] = beside(
        place, "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'oban_jobs'"
    )
    assert sequential == 0
    assert read < 2_000


def _read(place: Postgres) -> int:
    [(number,)] = beside(place, "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'oban_jobs'")
    return int(number or 0)


def test_claims_that_walk_far_begin_where_the_last_one_ended_and_now_and_then_look_at_all() -> None:
    clock = ManualClock()
    hints = Hints(clock)

    def claim(walked: int, *taken: tuple[str, float], seconds: float = 0.0) -> list[float]:
        since = hints.begin(["a", "b"])["since"]
        clock.advance(seconds)
        hints.end([(queue, (0, due, 1)) for queue, due in taken], walked)
        return list(since)

    all_of_it = [float("-inf")] * 2
    assert claim(WALKED, ("a", 1.0)) == all_of_it
    assert claim(WALKED + 5, ("a", 2.0), ("b", 4.0), seconds=0.02) == all_of_it
    assert claim(2, ("a", 3.0)) == [2.0, 4.0]
    assert claim(9_999_999, ("a", 5.0)) == [3.0, 4.0]
    clock.advance(0.9)
    assert claim(2, ("a", 6.0)) == [5.0, 4.0]
    clock.advance(0.2)
    assert claim(9_999, ("a", 7.0), seconds=0.02) == all_of_it
    hints.forget()
    assert claim(2, ("a", 8.0)) == [7.0, 4.0], "not so soon that it takes more than a share of the time"
    clock.advance(0.3)
    assert claim(9_999, ("a", 9.0), seconds=0.02) == all_of_it
    assert claim(0) == [9.0, 4.0], "nothing was found: look soon"
    clock.advance(0.3)
    assert claim(9_999, seconds=3.0) == all_of_it
    clock.advance(29.0)
    assert claim(2, ("a", 10.0)) == [9.0, 4.0]
    clock.advance(2.0)
    assert claim(WALKED, ("a", 11.0)) == all_of_it
    assert claim(WALKED) == all_of_it, "what was far is near again"


def test_a_snapshot_that_stays_open_makes_claims_no_slower(
    postgres_url: str, postgres_server: PostgresServer, postgres_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = 40

    async def story() -> None:
        store = make_store(postgres_url, ManualClock())
        bench = await Bench(store).enroll()
        for _ in range(rounds):
            assert await bench.end(await bench.take(5)) == ["applied"] * 5
        # What it read is known when its connections have ended.
        store.close()

    place = Postgres(postgres_url)
    on(place, lambda bench: bench.store.insert([new()] * (2 * rounds * 5)))
    asyncio.run(story())
    usual = _walked(postgres_server, postgres_database)
    beside(
        place,
        "INSERT INTO oban_jobs (worker, scheduled_at) SELECT 'old', timezone('UTC', now()) - interval '1 hour' "
        "FROM generate_series(1, 21000)",
    )
    with psycopg.connect(postgres_url) as snapshot:
        snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        snapshot.execute("SELECT 1 FROM oban_jobs LIMIT 1")
        beside(place, "UPDATE oban_jobs SET state = 'completed' WHERE worker = 'old'")
        before = _walked(postgres_server, postgres_database)
        asyncio.run(story())
        walked = _walked(postgres_server, postgres_database) - before
    # One look at everything, and from then on as few places as without a snapshot, or twice as many.
    assert 21_000 < walked < 22_000 + 2 * usual
    [told] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "a transaction that stays open" in told.getMessage()


def _walked(server: PostgresServer, database: str) -> int:
    """How many places of the index by which jobs are claimed were read by connections that have ended."""
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'treadle'"
    wait_until(lambda: server.run(mine, database) == [(0,)], what="the store's connections have ended")
    [(number,)] = server.run(
        "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname LIKE %s",
        "oban_jobs_state_queue_%",
        database=database,
    )
    return int(number)


def test_the_arguments_of_a_large_job_at_hand_are_not_read_again(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        text = b'{"text": "%b"}' % (b"x" * 100_000)
        await bench.store.insert([new(args=text), new()])
        large, small = await bench.take()
        again, other = await bench.store.held(OWNER)
        assert again.job.args is large.job.args
        assert (other.job.args, other.job.args is small.job.args) == (b"{}", False)
        async with Postgres(postgres_url).store() as elsewhere:
            assert [claim.job.args for claim in await elsewhere.held(OWNER)] == [text, b"{}"]
        name = again.key
        del large, again
        assert (await bench.store.held(OWNER))[0].key == name

    on(Postgres(postgres_url), story)


def test_very_many_jobs_are_estimated_and_few_of_them_counted(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        # One row a page: as much to read as for thirty times as many jobs.
        beside(place, "ALTER TABLE oban_jobs SET (fillfactor = 10)")
        beside(
            place,
            "INSERT INTO oban_jobs (worker, queue, state, meta) "
            "SELECT 'work', queue, state::oban_job_state, jsonb_build_object('pad', repeat('x', 700)) "
            "FROM (VALUES ('a', 'available', 13000), ('a', 'completed', 13000), ('b', 'completed', 9999)) "
            "AS kinds(queue, state, number), generate_series(1, number)",
        )
        assert beside(place, "SELECT pg_relation_size('oban_jobs')")[0][0] > EXACT
        counts = await bench.store.counts()
        assert counts.keys() == {"a", "b"}
        assert counts["b"] == {State.COMPLETED: 9_999}
        assert counts["a"].keys() == {State.AVAILABLE, State.COMPLETED}
        assert all(10_000 <= number < 16_000 for number in counts["a"].values())

    place = Postgres(postgres_url)
    on(place, story)
