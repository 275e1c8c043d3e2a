"""PostgreSQL that loses replies, ends connections, refuses and restarts, and forks: nothing doubles or is lost."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.postgres_proxy import PostgresProxy
from tests.servers import until
from tests.stores.elixir_tables import NEWEST, elixir_table
from tests.stores.oban_py_table import OBAN_PY_TABLE
from tests.stores.places import Postgres
from tests.stores.scripts import run
from treadle.core.outcomes import COMPLETED, Completed, Outcome, Released, Retried, SetAside, Snoozed
from treadle.core.states import State
from treadle.errors import StoreError, StoreFull, StoreUnavailable, Unconfirmed
from treadle.testing.checks.bench import FAILURE, LONG, OTHER, OWNER, Bench, ids

T = TypeVar("T")

INSERT = b"OVERRIDING SYSTEM VALUE"
DRAW = b"pg_get_serial_sequence"
CLAIM = b"SKIP LOCKED"
COMPLETE = b"SET state = 'completed'"
SETTLE = b"'snoozed'"

TABLES = {"oban-py": OBAN_PY_TABLE, "elixir": elixir_table(NEWEST)}

LOCKED_OUT = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'oban_jobs'::regclass"
EVERY_BACKEND = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"


def on(place: Postgres, story: Callable[[Bench], Awaitable[T]]) -> T:
    """Play a story with one enrolled owner."""

    async def play() -> T:
        async with place.store() as store:
            return await story(await Bench(store).enroll())

    return asyncio.run(play())


@pytest.fixture
def behind(request: pytest.FixtureRequest, postgres_url: str, postgres_proxy: PostgresProxy) -> Postgres:
    """The database by way of the proxy, with whose tables the parameter says."""
    whose = getattr(request, "param", "")
    if whose == "schema":
        return Postgres(postgres_url, store_url=f"{postgres_proxy.url}&schema=Jobs-2", schema="Jobs-2")
    return Postgres(postgres_url, store_url=postgres_proxy.url, tables=TABLES.get(whose, ""))


WAYS = [
    pytest.param("", "", id="plain"),
    pytest.param("", "oban-py", id="oban-py"),
    pytest.param("", "elixir", id="elixir", marks=pytest.mark.chaos),
    pytest.param("", "schema", id="schema", marks=pytest.mark.chaos),
]
each_table = pytest.mark.parametrize(("postgres_proxy", "behind"), WAYS, indirect=True)
each_way = pytest.mark.parametrize(
    ("postgres_proxy", "behind"), [*WAYS, pytest.param("pgbouncer", "", id="pgbouncer")], indirect=True
)


@contextmanager
def failing_inserts(url: str, code: str, times: int) -> Iterator[None]:
    """The next inserts end with this error, as often as is said."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE failures")
        connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('failures') <= {times} THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END IF; "
            "RETURN NEW; END $$".encode()
        )
        connection.execute("CREATE TRIGGER fail BEFORE INSERT ON oban_jobs FOR EACH ROW EXECUTE FUNCTION fail()")
        yield
        connection.execute("DROP TRIGGER fail ON oban_jobs")


@each_way
@pytest.mark.parametrize("matching", [DRAW, INSERT], ids=["the ids", "the jobs"])
@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
def test_an_insert_whose_reply_is_lost_makes_no_second_job(
    behind: Postgres, postgres_proxy: PostgresProxy, matching: bytes, *, blocking: bool
) -> None:
    async def story(bench: Bench) -> None:
        postgres_proxy.cut_reply(matching=matching)
        jobs = [bench.job(), bench.job()]
        inserted = bench.store.insert_now(jobs) if blocking else await bench.store.insert(jobs)
        assert postgres_proxy.cuts == 1
        assert sorted(one.id for one in inserted) == sorted(ids(await bench.take()))

    on(behind, story)


def test_an_insert_that_nobody_confirms_names_its_ids(behind: Postgres, postgres_proxy: PostgresProxy) -> None:
    async def story(bench: Bench) -> tuple[str, ...]:
        await bench.put()
        with psycopg.connect(behind.url) as other:
            # The insert is sent, and waits: its reply falls into the hole.
            other.execute("LOCK TABLE oban_jobs IN SHARE ROW EXCLUSIVE MODE")
            inserting = asyncio.ensure_future(bench.put(2))
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
            await until(lambda: bool(other.execute(waits).fetchall()), what="the insert waits for the lock")
            postgres_proxy.black_hole()
        with pytest.raises(Unconfirmed) as caught:
            await inserting
        postgres_proxy.forward()
        return caught.value.ids

    told = on(behind, story)
    with psycopg.connect(behind.url) as other:
        found = [str(row[0]) for row in other.execute("SELECT id FROM oban_jobs ORDER BY id").fetchall()]
    assert list(told) == found[1:]


def test_an_insert_whose_backend_is_ended_while_it_waits_is_made_once(
    postgres_server: PostgresServer, postgres_database: str, postgres_url: str
) -> None:
    async def story(bench: Bench) -> list[str]:
        await bench.put()
        with psycopg.connect(postgres_url) as other:
            for _ in range(2):
                other.execute("LOCK TABLE oban_jobs IN SHARE ROW EXCLUSIVE MODE")
                inserting = asyncio.ensure_future(bench.put(3))
                await until(lambda: bool(other.execute(LOCKED_OUT).fetchall()), what="the insert waits for the lock")
                [(pid,)] = other.execute(LOCKED_OUT).fetchall()
                postgres_server.run("SELECT pg_terminate_backend(%s)", pid, database=postgres_database)
                other.rollback()
                await inserting
        return ids(await bench.take())

    taken = on(Postgres(postgres_url), story)
    with psycopg.connect(postgres_url) as other:
        assert [str(row[0]) for row in other.execute("SELECT id FROM oban_jobs ORDER BY id").fetchall()] == taken
    assert len(taken) == 7


@each_table
def test_a_claim_whose_reply_is_lost_is_held(behind: Postgres, postgres_proxy: PostgresProxy) -> None:
    async def story(bench: Bench) -> None:
        inserted = await bench.put(3)
        postgres_proxy.cut_reply(matching=CLAIM)
        with pytest.raises(StoreUnavailable):
            await bench.take()
        held = await bench.store.held(OWNER)
        assert ids(held) == inserted
        assert await bench.end(list(held)) == ["applied"] * 3

    on(behind, story)


@each_table
@pytest.mark.parametrize(
    ("outcome", "matching"),
    [
        (COMPLETED, COMPLETE),
        (Completed(b"7"), COMPLETE),
        (Retried(60, FAILURE), SETTLE),
        (Snoozed(60), SETTLE),
        (Released(), SETTLE),
        (SetAside(1), SETTLE),
    ],
)
def test_a_settlement_whose_reply_is_lost_is_known_when_it_is_sent_again(
    behind: Postgres, postgres_proxy: PostgresProxy, outcome: Outcome, matching: bytes
) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(2)
        claims = await bench.take()
        postgres_proxy.cut_reply(matching=matching)
        with pytest.raises(StoreUnavailable):
            await bench.end(claims, outcome)
        assert await bench.end(claims, outcome) == ["repeated"] * 2

    on(behind, story)


@pytest.mark.parametrize("postgres_proxy", ["pgbouncer"], indirect=True)
def test_behind_pgbouncer_the_reply_of_every_commit_is_lost_and_nothing_doubles(
    behind: Postgres, postgres_proxy: PostgresProxy
) -> None:
    async def story(bench: Bench) -> None:
        postgres_proxy.cut_reply(matching=b"COMMIT")
        inserted = await bench.put(2)
        postgres_proxy.cut_reply(matching=b"COMMIT")
        inserted += await bench.put(2)
        assert postgres_proxy.cuts == 2
        postgres_proxy.cut_reply(matching=b"COMMIT")
        with pytest.raises(StoreUnavailable):
            await bench.take()
        held = list(await bench.store.held(OWNER))
        assert ids(held) == inserted
        for claims, outcome in ((held[:2], COMPLETED), (held[2:], Retried(60, FAILURE))):
            postgres_proxy.cut_reply(matching=b"COMMIT")
            with pytest.raises(StoreUnavailable):
                await bench.end(claims, outcome)
            assert await bench.end(claims, outcome) == ["repeated"] * 2
        assert await bench.number(State.COMPLETED) == await bench.number(State.RETRYABLE) == 2

    on(behind, story)


def test_connections_that_end_while_nobody_uses_them_are_replaced(
    postgres_server: PostgresServer, postgres_database: str, postgres_url: str
) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(2)
        for _ in range(3):
            postgres_server.run(EVERY_BACKEND, postgres_database)
            assert len(await bench.put()) == 1
            assert len(await bench.take(1)) == 1
            assert len(bench.store.insert_now([bench.job()])) == 1

    on(Postgres(postgres_url), story)


VERBS: dict[str, Callable[[Bench], Awaitable[object]]] = {
    "insert": lambda bench: bench.put(),
    "insert_now": lambda bench: asyncio.to_thread(bench.store.insert_now, [bench.job()]),
    "claim": lambda bench: bench.take(1),
    "counts": lambda bench: bench.store.counts(),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
def test_a_step_that_crosses_the_end_of_its_idle_connection_is_done_on_another(
    behind: Postgres,
    postgres_server: PostgresServer,
    postgres_database: str,
    postgres_proxy: PostgresProxy,
    verb: Callable[[Bench], Awaitable[object]],
) -> None:
    async def story(bench: Bench) -> None:
        await verb(bench)
        # What the server says at the end is under way when the next statement is sent.
        postgres_proxy.stall()
        postgres_server.run(EVERY_BACKEND, postgres_database)
        await until(lambda: postgres_proxy.held >= postgres_proxy.connections, what="the server has ended all")
        held = postgres_proxy.held
        calling = asyncio.ensure_future(verb(bench))
        await until(lambda: postgres_proxy.held > held, what="the next statement is sent")
        postgres_proxy.forward()
        await calling

    on(behind, story)


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
def test_what_lost_against_others_is_done_again(postgres_url: str, code: str) -> None:
    async def story(bench: Bench) -> None:
        with failing_inserts(postgres_url, code, 2):
            await bench.put()

    on(Postgres(postgres_url), story)


def test_a_full_disk_refuses_new_jobs_and_nothing_else(postgres_url: str) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(2)
        with failing_inserts(postgres_url, "53100", 100):
            with pytest.raises(StoreFull, match="nothing was enqueued"):
                await bench.put()
            assert await bench.end(await bench.take()) == ["applied"] * 2
        assert await bench.number(State.AVAILABLE) == 0

    on(Postgres(postgres_url), story)


def test_a_server_that_takes_no_writes_is_left_for_one_that_does(
    postgres_server: PostgresServer, postgres_database: str, postgres_url: str
) -> None:
    async def story(bench: Bench) -> None:
        await bench.put()
        postgres_server.run(f"ALTER DATABASE {postgres_database} SET default_transaction_read_only = on")
        postgres_server.run(EVERY_BACKEND, postgres_database)
        with pytest.raises(StoreUnavailable, match="read-only"):
            await bench.put()
        postgres_server.run(f"ALTER DATABASE {postgres_database} RESET default_transaction_read_only")
        assert len(await bench.put()) == 1
        assert len(await bench.take()) == 2

    on(Postgres(postgres_url), story)


def test_nobody_is_taken_for_dead_because_the_server_was_away(start_postgres: Callable[..., PostgresServer]) -> None:
    server = start_postgres()
    place = Postgres(server.url_of(server.fresh_database()))

    async def story(bench: Bench) -> None:
        await bench.put(3)
        claims = await bench.take()
        await place.elapse(2 * LONG)
        server.restart(immediate=True)
        async with place.store() as elsewhere:
            assert (await elsewhere.rescue(10)).owners == ()
            assert [worker.name for worker in await elsewhere.workers()] == [OWNER]
            assert dict(await bench.store.beat({OWNER: LONG})) == {OWNER: "alive"}
            assert await bench.end(claims) == ["applied"] * 3
            await place.elapse(2 * LONG)
            assert (await elsewhere.rescue(10)).owners == (OWNER,)
            await Bench(elsewhere, OTHER).enroll()

    on(place, story)


def test_a_user_who_may_not_is_told(postgres_server: PostgresServer, postgres_database: str, postgres_url: str) -> None:
    on(Postgres(postgres_url), lambda bench: bench.put())
    postgres_server.run("CREATE ROLE reader LOGIN", database=postgres_database)
    try:
        place = Postgres(postgres_url, store_url=postgres_url.replace("treadle@", "reader@"))
        with pytest.raises(StoreError, match="does not let this user do it"):
            on(place, lambda bench: bench.put())
    finally:
        postgres_server.run("DROP ROLE reader", database=postgres_database)


@pytest.mark.parametrize("outcome", [COMPLETED, Released()])
def test_a_row_that_is_locked_holds_up_no_other_settlement(postgres_url: str, outcome: Outcome) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(5)
        claims = await bench.take()
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT 1 FROM oban_jobs WHERE id = %s FOR UPDATE", (claims[2].job.id,))
            with pytest.raises(StoreError, match="got some that another transaction keeps locked") as caught:
                await bench.end(claims, outcome)
            assert not isinstance(caught.value, StoreUnavailable)
            assert ids(await bench.store.held(OWNER)) == [claims[2].job.id]
        answers = ["repeated", "repeated", "applied", "repeated", "repeated"]
        assert await bench.end(claims, outcome) == answers

    on(Postgres(postgres_url), story)


FORK = """
import asyncio, fcntl, os, sys, termios
from pathlib import Path
from treadle.core.job import NewJob
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock

store = make_store(sys.argv[1], SystemClock())
JOB = NewJob(name="work", queue="default", args=b"{}", max_attempts=20)

async def work():
    await store.open()
    store.watch()
    await store.insert([JOB])
    store.insert_now([JOB])

def unread():
    pipes = [path for path in Path("/proc/self/fd").iterdir() if int(path.name) > 2 and path.is_fifo()]
    return [fcntl.ioctl(int(path.name), termios.FIONREAD, bytes(4)) for path in pipes]

asyncio.run(work())
child = os.fork()
if child == 0:
    asyncio.run(work())
    sys.exit(0)  # the whole end of an interpreter, with every object of the parent
assert os.waitpid(child, 0)[1] == 0
assert not any(map(any, unread())), "the child spoke into a pipe of its parent"
asyncio.run(work())
print(asyncio.run(store.counts())["default"]["available"])
"""


def test_a_child_of_a_fork_leaves_its_parents_connections_and_threads_alone(postgres_url: str) -> None:
    assert int(run([sys.executable, "-c", FORK, postgres_url])) == 6
