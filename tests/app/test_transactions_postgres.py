"""Jobs in a user's own transaction on PostgreSQL, lent by each library that people have one from."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg  # type: ignore[import-untyped] # it has no types
import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests.app.test_transactions import DJANGO, Welcome, run
from tests.postgres import USER, PgBouncer, PostgresServer
from treadle import Treadle, Unique
from treadle.app.handle import Handle
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.errors import ConfigError
from treadle.stores.job_query import JobQuery


class Scope(NamedTuple):
    """What is given as `tx=`, and how its transaction is ended; `ask` runs a statement in it."""

    tx: object
    commit: Callable[[], Awaitable[object]]
    rollback: Callable[[], Awaitable[object]]
    ask: Callable[[str], Awaitable[object]]
    blocking: bool = False


Open = Callable[[str], AbstractAsyncContextManager[Scope]]


def later(call: Callable[..., object]) -> Callable[..., Awaitable[object]]:
    async def done(*args: object) -> object:
        return call(*args)

    return done


@asynccontextmanager
async def psycopg_connection(url: str) -> AsyncIterator[Scope]:
    with psycopg.connect(url, row_factory=dict_row) as db:
        yield Scope(db, later(db.commit), later(db.rollback), later(db.execute), blocking=True)


@asynccontextmanager
async def psycopg_cursor(url: str) -> AsyncIterator[Scope]:
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as db, db.cursor(row_factory=dict_row) as cursor:
        yield Scope(cursor, later(db.commit), later(db.rollback), later(cursor.execute), blocking=True)


@asynccontextmanager
async def psycopg_async_connection(url: str) -> AsyncIterator[Scope]:
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as db:
        yield Scope(db, db.commit, db.rollback, db.execute)


@asynccontextmanager
async def psycopg_async_cursor(url: str) -> AsyncIterator[Scope]:
    async with await psycopg.AsyncConnection.connect(url) as db, db.cursor() as cursor:
        yield Scope(cursor, db.commit, db.rollback, cursor.execute)


@asynccontextmanager
async def asyncpg_connection(url: str) -> AsyncIterator[Scope]:
    db = await asyncpg.connect(url)
    # As its manual shows it: every JSON value is what Python has for it.
    for kind in ("json", "jsonb"):
        await db.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    async with transactions_of(db) as scope:
        yield scope
    await db.close()


@asynccontextmanager
async def asyncpg_pool(url: str) -> AsyncIterator[Scope]:
    async with asyncpg.create_pool(url, min_size=1) as pool, pool.acquire() as db, transactions_of(db) as scope:
        yield scope


@asynccontextmanager
async def transactions_of(db: Any) -> AsyncIterator[Scope]:  # noqa: ANN401 - asyncpg has no types
    transaction = [db.transaction()]
    await transaction[0].start()

    async def end(how: str) -> None:
        await getattr(transaction[0], how)()
        transaction[0] = db.transaction()
        await transaction[0].start()

    yield Scope(db, lambda: end("commit"), lambda: end("rollback"), db.execute)
    await transaction[0].rollback()


def engine_of(url: str, driver: str) -> Engine:
    return create_engine(url.replace("postgresql:", f"postgresql+{driver}:"), poolclass=NullPool)


def async_engine_of(url: str, driver: str) -> AsyncEngine:
    return create_async_engine(url.replace("postgresql:", f"postgresql+{driver}:"), poolclass=NullPool)


@asynccontextmanager
async def sqlalchemy_connection(url: str) -> AsyncIterator[Scope]:
    with engine_of(url, "psycopg").connect() as db:
        yield Scope(db, later(db.commit), later(db.rollback), later(db.exec_driver_sql), blocking=True)


@asynccontextmanager
async def sqlalchemy_session(url: str) -> AsyncIterator[Scope]:
    with Session(engine_of(url, "psycopg")) as db:

        async def ask(sql: str) -> object:
            return db.connection().exec_driver_sql(sql)

        yield Scope(db, later(db.commit), later(db.rollback), ask, blocking=True)


def sqlalchemy_async_connection(driver: str) -> Open:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Scope]:
        async with async_engine_of(url, driver).connect() as db:
            yield Scope(db, db.commit, db.rollback, db.exec_driver_sql)

    return opened


def sqlalchemy_async_session(driver: str) -> Open:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Scope]:
        async with AsyncSession(async_engine_of(url, driver)) as db:

            async def ask(sql: str) -> object:
                return await (await db.connection()).exec_driver_sql(sql)

            yield Scope(db, db.commit, db.rollback, ask)

    return opened


LENDERS: dict[str, Open] = {
    "psycopg connection": psycopg_connection,
    "psycopg cursor": psycopg_cursor,
    "psycopg async connection": psycopg_async_connection,
    "psycopg async cursor": psycopg_async_cursor,
    "asyncpg connection": asyncpg_connection,
    "asyncpg pool": asyncpg_pool,
    "sqlalchemy connection": sqlalchemy_connection,
    "sqlalchemy session": sqlalchemy_session,
    "sqlalchemy async connection on psycopg": sqlalchemy_async_connection("psycopg"),
    "sqlalchemy async connection on asyncpg": sqlalchemy_async_connection("asyncpg"),
    "sqlalchemy async session on psycopg": sqlalchemy_async_session("psycopg"),
    "sqlalchemy async session on asyncpg": sqlalchemy_async_session("asyncpg"),
}

each_lender = pytest.mark.parametrize("lender", LENDERS.values(), ids=LENDERS.keys())


@pytest.fixture
def app(postgres_url: str) -> Iterator[Treadle]:
    app = Treadle(postgres_url)
    yield app
    app.close()


@pytest.fixture
def welcome(app: Treadle) -> Welcome:
    @app.job(meta={"quoted": 'a "b" 100% :c', "umlaut": "ü"})
    def welcome(user_id: int) -> None: ...

    return welcome


async def enqueue(welcome: Welcome, scope: Scope, *, unique: bool = False) -> Handle:
    job = welcome.options(tx=scope.tx, unique=Unique()) if unique else welcome.options(tx=scope.tx)
    return job.enqueue(1) if scope.blocking else await job.aenqueue(1)


@each_lender
def test_a_job_stands_or_falls_with_the_transaction(
    app: Treadle, welcome: Welcome, postgres_url: str, lender: Open
) -> None:
    async def program() -> list[State | None]:
        async with lender(postgres_url) as scope:
            await scope.ask("CREATE TABLE data (id bigint)")
            first = await enqueue(welcome, scope)
            assert await first.astatus() is None
            await scope.commit()
            second = await enqueue(welcome, scope)
            await scope.rollback()
            third, fourth = [await enqueue(welcome, scope, unique=True) for _ in range(2)]
            assert (third.conflict, fourth.conflict) == (True, True)
            assert {third.id, fourth.id} == {first.id}
            await scope.commit()
            statuses = [await handle.astatus() for handle in (first, second, third)]
        await app.aclose()
        return statuses

    assert asyncio.run(program()) == [State.AVAILABLE, None, State.AVAILABLE]


@each_lender
def test_a_unique_job_is_one_within_a_transaction_too(app: Treadle, postgres_url: str, lender: Open) -> None:
    rule = Unique(period=600, until="start", keys=["user_id"], replace={"scheduled": ["args", "tags", "scheduled_at"]})

    @app.job(unique=rule)
    def index(user_id: int, text: str) -> None: ...

    async def program() -> tuple[list[bool], Any]:
        async with lender(postgres_url) as scope:
            told = []
            for text, delay in (("a", 500.0), ("b", 600.0), ("c", 700.0)):
                job = index.options(tx=scope.tx, delay=delay, tags=[text])
                handle = job.enqueue(1, text) if scope.blocking else await job.aenqueue(1, text)
                told.append(handle.conflict)
                await scope.commit()
            other = index.options(tx=scope.tx, unique=Unique(fields=["worker", "meta"], period=None))
            again = other.enqueue(1, "d") if scope.blocking else await other.aenqueue(1, "d")
            await scope.rollback()
        (view,) = await (await app.astore()).find(JobQuery())
        await app.aclose()
        return [*told, again.conflict], view

    told, view = asyncio.run(program())
    assert told == [False, True, True, False]
    assert (view.args, view.tags) == ({"user_id": 1, "text": "c"}, ("c",))
    assert view.scheduled_at - view.inserted_at > timedelta(seconds=690)


@each_lender
def test_a_transaction_in_which_a_statement_failed_is_refused(
    app: Treadle, welcome: Welcome, postgres_url: str, lender: Open
) -> None:
    async def program() -> None:
        async with lender(postgres_url) as scope:
            with pytest.raises(Exception, match="no_such_table"):
                await scope.ask("SELECT * FROM no_such_table")
            with pytest.raises(ConfigError, match="in whose transaction a statement has failed: roll it back first"):
                await enqueue(welcome, scope)
            await scope.rollback()
            await enqueue(welcome, scope)
        await app.aclose()

    asyncio.run(program())


@each_lender
def test_a_transaction_that_only_reads_is_refused(
    app: Treadle, welcome: Welcome, postgres_url: str, lender: Open
) -> None:
    async def program() -> None:
        async with lender(postgres_url) as scope:
            await scope.ask("SET TRANSACTION READ ONLY")
            with pytest.raises(ConfigError, match=r"expected the transaction of tx= to write, got an? .+ only reads"):
                await enqueue(welcome, scope)
            await scope.rollback()
        await app.aclose()

    asyncio.run(program())


SETTINGS = (
    "SET LOCAL TIME ZONE 'America/New_York'",
    "SET LOCAL datestyle TO 'SQL, DMY'",
    "SET LOCAL intervalstyle TO 'iso_8601'",
    "SET LOCAL standard_conforming_strings TO off",
    "SET LOCAL search_path TO ''",
    "SET LOCAL transaction_isolation TO serializable",
)


@each_lender
def test_the_settings_of_the_users_session_are_nothing_to_a_job(app: Treadle, postgres_url: str, lender: Open) -> None:
    @app.job(meta={"path": "a\\b 'c'"})
    def later(user_id: int) -> None: ...

    async def program() -> JobView:
        async with lender(postgres_url) as scope:
            for setting in reversed(SETTINGS):
                await scope.ask(setting)
            job = later.options(tx=scope.tx, delay=600)
            job.enqueue(1) if scope.blocking else await job.aenqueue(1)
            await scope.commit()
        (view,) = await (await app.astore()).find(JobQuery())
        await app.aclose()
        return view

    view = asyncio.run(program())
    assert view.meta == {"path": "a\\b 'c'"}
    assert view.scheduled_at is not None
    assert view.inserted_at is not None
    assert timedelta(seconds=599) < view.scheduled_at - view.inserted_at < timedelta(seconds=601)


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
def test_a_pipeline_takes_jobs_in_its_order(
    app: Treadle, welcome: Welcome, postgres_url: str, *, blocking: bool
) -> None:
    rule = Unique(period=600)

    def in_pipeline() -> list[Handle]:
        with psycopg.connect(postgres_url) as db, db.pipeline():
            db.execute("CREATE TABLE data (id bigint)")
            return [welcome.options(tx=db, unique=unique).enqueue(1) for unique in (None, rule, rule)]

    async def in_async_pipeline() -> list[Handle]:
        async with await psycopg.AsyncConnection.connect(postgres_url) as db, db.pipeline():
            await db.execute("CREATE TABLE data (id bigint)")
            handles = [await welcome.options(tx=db, unique=unique).aenqueue(1) for unique in (None, rule, rule)]
        await app.aclose()
        return handles

    handles = in_pipeline() if blocking else asyncio.run(in_async_pipeline())
    assert [handle.conflict for handle in handles] == [False, True, True]
    assert {handle.status() for handle in handles} == {State.AVAILABLE}


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
def test_a_pipeline_without_a_transaction_or_with_one_that_failed_is_refused(
    app: Treadle, welcome: Welcome, postgres_url: str, *, blocking: bool
) -> None:
    alone = "commits every statement by itself"

    def in_pipeline() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as db, db.pipeline():
            db.execute("SELECT 1")
            with pytest.raises(ConfigError, match=alone):
                welcome.options(tx=db).enqueue(1)
        with suppress(psycopg.Error), psycopg.connect(postgres_url) as db, db.pipeline():
            db.execute("SELECT 1 / 0")
            with pytest.raises(psycopg.errors.DivisionByZero):
                welcome.options(tx=db).enqueue(1)

    async def in_async_pipeline() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as db, db.pipeline():
            await db.execute("SELECT 1")
            with pytest.raises(ConfigError, match=alone):
                await welcome.options(tx=db).aenqueue(1)
        with suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(postgres_url) as db, db.pipeline():
                await db.execute("SELECT 1 / 0")
                with pytest.raises(psycopg.errors.DivisionByZero):
                    await welcome.options(tx=db).aenqueue(1)
        await app.aclose()

    if blocking:
        in_pipeline()
    else:
        asyncio.run(in_async_pipeline())
    assert app.blocking("counts", app.store.counts()) == {}


def test_a_connection_whose_encoding_lacks_a_character_is_refused(
    app: Treadle, welcome: Welcome, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url, client_encoding="LATIN1") as db:
        welcome.options(tx=db).enqueue(1)
        with pytest.raises(ConfigError, match=r"expected the client_encoding .+ in iso8859-1, which has not"):
            welcome.options(tx=db, meta={"price": "10 €"}).enqueue(2)
    assert app.blocking("counts", app.store.counts()) == {"default": {State.AVAILABLE: 1}}


@each_lender
def test_a_connection_to_another_database_is_refused_and_its_transaction_goes_on(
    app: Treadle, welcome: Welcome, postgres_server: PostgresServer, lender: Open
) -> None:
    other = postgres_server.url_of(postgres_server.fresh_database())

    async def program() -> None:
        async with lender(other) as scope:
            await scope.ask("CREATE TABLE data (id bigint)")
            with pytest.raises(ConfigError, match=r"got an? .+ to another server or database"):
                await enqueue(welcome, scope)
            await scope.commit()
            await scope.ask("SELECT * FROM data")
        await app.aclose()

    asyncio.run(program())


@pytest.mark.parametrize("lender", [psycopg_connection, asyncpg_connection], ids=["psycopg", "asyncpg"])
def test_a_pooler_may_stand_before_the_users_connection(
    app: Treadle, welcome: Welcome, postgres_database: str, pgbouncer: PgBouncer, lender: Open
) -> None:
    url = pgbouncer.url_of(postgres_database)

    @asynccontextmanager
    async def pooled(url: str) -> AsyncIterator[Scope]:
        if lender is psycopg_connection:
            async with lender(url) as scope:
                yield scope
        else:
            db = await asyncpg.connect(url, statement_cache_size=0)
            async with transactions_of(db) as scope:
                yield scope
            await db.close()

    async def program() -> list[State | None]:
        async with pooled(url) as scope:
            first = await enqueue(welcome, scope)
            await scope.commit()
            second = await enqueue(welcome, scope)
            await scope.rollback()
        statuses = [await first.astatus(), await second.astatus()]
        await app.aclose()
        return statuses

    assert asyncio.run(program()) == [State.AVAILABLE, None]


def test_a_connection_that_is_closed_or_commits_by_itself_is_refused(
    app: Treadle, welcome: Welcome, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as db:
        with pytest.raises(ConfigError, match=r"got a psycopg\.Connection that commits every statement by itself"):
            welcome.options(tx=db).enqueue(1)
        with db.transaction():
            handle = welcome.options(tx=db).enqueue(1)
    assert handle.status() is State.AVAILABLE
    with pytest.raises(ConfigError, match=r"expected tx= to be open, got a psycopg\.Connection that is closed"):
        welcome.options(tx=db).enqueue(1)
    engine = engine_of(postgres_url, "psycopg").execution_options(isolation_level="AUTOCOMMIT")
    refused = pytest.raises(ConfigError, match="got a Connection that commits every statement by itself")
    with engine.connect() as connection, refused:
        welcome.options(tx=connection).enqueue(1)

    async def program() -> None:
        db = await asyncpg.connect(postgres_url)
        with pytest.raises(ConfigError, match=r"got an asyncpg\.Connection that commits every statement by itself"):
            await welcome.options(tx=db).aenqueue(1)
        await db.close()
        with pytest.raises(ConfigError, match=r"got an asyncpg\.Connection that is closed"):
            await welcome.options(tx=db).aenqueue(1)
        await app.aclose()

    asyncio.run(program())


def test_a_server_that_was_started_anew_is_the_store_still(start_postgres: Callable[..., PostgresServer]) -> None:
    server = start_postgres()
    app = Treadle(server.url)
    with psycopg.connect(server.url) as db:
        app.enqueue("work", {}, tx=db)
    server.restart()
    with psycopg.connect(server.url) as db:
        app.enqueue("work", {}, tx=db)
    assert server.run("SELECT count(*) FROM oban_jobs") == [(2,)]
    app.close()


def test_an_enqueue_that_is_cancelled_sends_nothing_afterwards(
    app: Treadle, welcome: Welcome, postgres_url: str
) -> None:
    """Another transaction holds the table that it waits for."""

    async def program() -> int:
        other = await psycopg.AsyncConnection.connect(postgres_url)
        await (await app.astore()).counts()
        await other.execute("LOCK TABLE oban_jobs IN EXCLUSIVE MODE")
        db = await asyncpg.connect(postgres_url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), db.transaction():
                await welcome.options(tx=db).aenqueue(1)
        await other.rollback()
        count: int = await db.fetchval("SELECT count(*) FROM oban_jobs")
        await db.close()
        await other.close()
        await app.aclose()
        return count

    assert asyncio.run(program()) == 0


def test_a_commit_that_postgresql_turns_into_a_rollback_enqueues_nothing(
    app: Treadle, welcome: Welcome, postgres_url: str
) -> None:
    welcome.enqueue(0)
    engine = engine_of(postgres_url, "psycopg")
    for scope in (Session(engine), engine.connect()):
        with scope:
            welcome.options(after_commit=scope).enqueue(1)
            connection = scope.connection() if isinstance(scope, Session) else scope
            with pytest.raises(Exception, match="division by zero"):
                connection.exec_driver_sql("SELECT 1 / 0")
            scope.commit()
    assert app.blocking("counts", app.store.counts()) == {"default": {State.AVAILABLE: 1}}


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_loops_session_and_connection_enqueue_when_they_are_committed(
    app: Treadle, welcome: Welcome, postgres_url: str, driver: str
) -> None:
    async def program() -> list[State | None]:
        handles = []
        engine = async_engine_of(postgres_url, driver)
        for scope in (AsyncSession(engine), engine.connect()):
            async with scope:
                handles.append(await welcome.options(after_commit=scope).aenqueue(1))
                handles.append(welcome.options(after_commit=scope).enqueue(2))
                await scope.commit()
                await welcome.options(after_commit=scope).aenqueue(3)
                await scope.rollback()
        statuses = [await handle.astatus() for handle in handles]
        await app.aclose()
        return statuses

    assert asyncio.run(program()) == [State.AVAILABLE] * 4
    assert app.blocking("counts", app.store.counts()) == {"default": {State.AVAILABLE: 4}}


def test_djangos_connection_takes_jobs_with_its_atomic_block(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    name = postgres_url.rpartition("/")[2].partition("?")[0]
    host, port = postgres_server.address
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": name, "USER": USER, "HOST": host, "PORT": port}
    program = DJANGO.replace('{"ENGINE": "django.db.backends.sqlite3", "NAME": "jobs.db"}', repr(database))
    program = (
        program.replace("sqlite:///jobs.db", postgres_url)
        + """
with transaction.atomic():
    kept = welcome.options(tx=connection).enqueue(1)
    outer = welcome.options(tx="auto").enqueue(2)
    inner = undone(lambda: welcome.options(tx=connection).enqueue(3))
tell("kept", kept)
tell("outer", outer)
tell("inner", inner)
refusal("outside", tx=connection)
tell("later", welcome.options(after_commit="default").enqueue(4))
print(json.dumps(told))
"""
    )
    told = run(program, tmp_path)
    assert "commits every statement by itself" in str(told.pop("outside"))
    assert told == {"kept": "available", "outer": "available", "inner": "None", "later": "available"}
