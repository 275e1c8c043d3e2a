"""Places for the conformance suite and the state machine, and a clock that stands until it is moved."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from treadle.stores.contract import Store
from treadle.stores.sqlite import SqliteStore
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import Bench

T = TypeVar("T")

# A Sunday in November 2026; any instant would do.
NOON = 1_795_348_800.0


class ManualClock:
    """Both clocks stand until a test moves them; the wall clock can be set apart from the steady one."""

    def __init__(self, now: float = NOON, steady: float = 1_000.0) -> None:
        self._now = now
        self._steady = steady

    def now(self) -> float:
        return self._now

    def steady(self) -> float:
        return self._steady

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._steady += seconds

    def step(self, seconds: float) -> None:
        """What NTP or a person does to the wall clock."""
        self._now += seconds


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    """A store for as long as the block lasts."""
    try:
        await store.open()
        yield store
        await store.aclose()
    finally:
        store.close()


class SqliteFile:
    """One file; every store on it shares a manual clock."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "jobs.db")
        self.clock = ManualClock()

    def store(self) -> AbstractAsyncContextManager[Store]:
        return opened(SqliteStore(self.path, clock=self.clock, sync="normal"))

    def now(self) -> float:
        return self.clock.now()

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def lend(self) -> AbstractContextManager[sqlite3.Connection]:
        """What a user's program has open beside the store."""
        return closing(sqlite3.connect(self.path))


class SqliteMemory:
    """A store in memory has one client; everybody gets it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._store = SqliteStore(":memory:", clock=self.clock, sync="normal")
        self._users = 0

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        await self._store.open()
        self._users += 1
        try:
            yield self._store
        finally:
            self._users -= 1
            if not self._users:
                self._store.close()

    def now(self) -> float:
        return self.clock.now()

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)


class Redis:
    """An empty database of a server; its clock is its own, so time is waited for."""

    def __init__(self, url: str) -> None:
        self._url = url

    def store(self) -> AbstractAsyncContextManager[Store]:
        return opened(make_store(self._url, SystemClock()))

    def now(self) -> float:
        return SystemClock().now()

    async def elapse(self, seconds: float) -> None:
        # A promise that nothing resolves: only the time-out ends this wait.
        await asyncio.wait((asyncio.get_running_loop().create_future(),), timeout=seconds)


class Postgres:
    """An empty schema of a database; its server's clock is its own, so what is compared with it is made older.

    The store finds what `tables` made, and comes by `store_url` where another way leads to it. `url` is for others, who
    look into the schema first.
    """

    def __init__(self, url: str, *, tables: str = "", store_url: str = "", schema: str = "public") -> None:
        self._schema = schema
        self._tables = tables
        own = schema != "public"
        self.url = f"{url}?options={quote(f'-c search_path={sql.Identifier(schema).as_string()}')}" if own else url
        self.store_url = store_url or (f"{url}?schema={quote(schema)}" if own else url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(tables.encode())

    def begin(self, connection: "psycopg.Connection[Any]") -> None:
        """Be empty once more."""
        schema = sql.Identifier(self._schema)
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}").format(schema))
        connection.execute(self._tables.encode())

    def store(self) -> AbstractAsyncContextManager[Store]:
        return opened(make_store(self.store_url, SystemClock()))

    def now(self) -> float:
        return SystemClock().now()

    def lend(self) -> "AbstractContextManager[psycopg.Connection[Any]]":
        """What a user's program has open beside the store."""
        return closing(psycopg.connect(self.url))

    async def elapse(self, seconds: float) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            make_older(connection, seconds)


def make_older(connection: "psycopg.Connection[Any]", seconds: float) -> None:
    """Set a database's clock, as its stores see it: every instant that they compare with it becomes so much older."""
    instants = {
        "oban_jobs": ("inserted", "scheduled", "attempted", "completed", "discarded", "cancelled"),
        "treadle_results": ("stored",),
        "treadle_settled": ("settled",),
    }
    columns = {table: [f"{name}_at" for name in names] for table, names in instants.items()}
    columns["treadle_owners"] = ["beat", "fenced_at"]
    for table, names in columns.items():
        moved = sql.SQL(", ").join(
            sql.SQL("{0} = {0} - make_interval(secs => %(seconds)s)").format(sql.Identifier(name)) for name in names
        )
        connection.execute(sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), moved), {"seconds": seconds})


def beside(place: SqliteFile, sql: str, values: "Sequence[object] | Mapping[str, object]" = ()) -> list[Any]:
    """What another program does to the file."""
    connection = sqlite3.connect(place.path, isolation_level=None)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


# Oban's own statement; it asks nobody.
FOREIGN_CANCEL = (
    "UPDATE oban_jobs SET state = 'cancelled' WHERE id = ? AND state NOT IN ('completed', 'discarded', 'cancelled')"
)


def move_time(client: "redis.Redis", seconds: float) -> None:
    """Set a server's clock, as its stores see it: every instant that they compare with TIME becomes so much older.

    Leases, tombstones, due times and deaths are scores, so nothing of a store is changed for it. What a server ends by
    itself (the marks of settlements, results) is left alone, as are the times in payloads and tokens, which nothing is
    judged by.
    """
    for key in ("treadle:owners", "treadle:fenced", "schedule", "retry", "dead"):
        entries: Any = client.zrange(key, 0, -1)
        for entry in entries:
            client.zincrby(key, -seconds, entry)


def take_away(client: "redis.Redis", job_id: str) -> list[bytes]:
    """Delete a job wherever it stands, also from under the owner that runs it; its payload, if that stood anywhere."""
    wanted, taken = job_id.encode(), []
    names: Any = client.keys("*")
    for name in names:
        found: Any
        match client.type(name):
            case b"list":
                found = [(entry, entry) for entry in client.lrange(name, 0, -1)]
                remove = partial(client.lrem, name, 0)
            case b"zset":
                found = [(entry, entry) for entry in client.zrange(name, 0, -1)]
                remove = partial(client.zrem, name)
            case b"hash" if name.startswith(b"treadle:inflight:"):
                found = client.hgetall(name).items()
                remove = partial(client.hdel, name)
            case _:
                continue
        for place, entry in [(place, entry) for place, entry in found if wanted in entry]:
            remove(place)
            taken.append(entry.rpartition(b"\0")[2])
    return taken


def on(place: SqliteFile, story: Callable[[Bench], Awaitable[T]]) -> T:
    """Play a story with one enrolled owner."""

    async def play() -> T:
        async with place.store() as store:
            return await story(await Bench(store).enroll())

    return asyncio.run(play())
