"""No connection to PostgreSQL is left open for the garbage collector, whatever fails or is given up while it opens."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.servers import until, wait_until
from treadle.core.job import NewJob
from treadle.errors import StoreError
from treadle.stores.contract import Store
from treadle.stores.postgres_connection import Server, server_at
from treadle.stores.postgres_transactions import PostgresOpened, open_async
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock

JOB = NewJob(name="work", queue="default", args=b"{}", max_attempts=1)
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = %s"
# A transaction with these waits at its first statement for those that write.
DEFERRED = {
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
}


def number(other: "psycopg.Connection[tuple[int]]") -> int:
    """How many connections there are beside this one."""
    [(count,)] = other.execute(OTHERS).fetchall()
    return count


def waiting(url: str, **settings: str) -> Server:
    """The server as one on which the transaction of a job waits at its begin."""
    options = quote(" ".join(f"-c {name}={value}" for name, value in {**DEFERRED, **settings}.items()))
    return server_at(f"{url}?target_session_attrs=any&options={options}", "public", url, pooled=None)


@contextmanager
def writing(url: str) -> "Iterator[psycopg.Connection[tuple[int]]]":
    """What such a transaction waits for; a connection that looks on."""
    with psycopg.connect(url) as busy, psycopg.connect(url, autocommit=True) as other:
        busy.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        busy.execute("SELECT pg_current_xact_id()")
        yield other


def opened(url: str) -> Store:
    store = make_store(url, SystemClock())
    asyncio.run(store.open())
    return store


def test_one_whose_first_statement_fails_is_closed(postgres_server: PostgresServer, postgres_url: str) -> None:
    opened(postgres_url).close()
    database = postgres_url.rpartition("/")[2]
    postgres_server.run("CREATE ROLE stranger LOGIN", database=database)
    postgres_server.run("REVOKE EXECUTE ON FUNCTION pg_backend_pid() FROM PUBLIC", database=database)
    store = make_store(postgres_url.replace("treadle@", "stranger@"), SystemClock())
    try:
        # The error holds on to what was at work when it was raised.
        with pytest.raises(StoreError) as caught:
            asyncio.run(store.open())
        with psycopg.connect(postgres_url, autocommit=True) as other:
            wait_until(lambda: number(other) == 0, what=f"nothing is open after {caught.value}")
    finally:
        store.close()
        postgres_server.run("DROP ROLE stranger", database=database)


def test_one_that_a_thread_enqueues_on_while_the_store_is_closed_is_closed_when_it_is_done(postgres_url: str) -> None:
    store = opened(postgres_url)
    with psycopg.connect(postgres_url) as locking, psycopg.connect(postgres_url, autocommit=True) as other:
        locking.execute("LOCK TABLE oban_jobs IN SHARE ROW EXCLUSIVE MODE")
        thread = threading.Thread(target=store.insert_now, args=([JOB],))
        thread.start()
        wait_until(lambda: other.execute(WAITING, ("relation",)).fetchall(), what="the insert waits")
        store.close()
        locking.rollback()
        thread.join()
        wait_until(lambda: number(other) == 1, what="only the connection that locked is open")
        assert other.execute("SELECT count(*) FROM oban_jobs").fetchall() == [(1,)]


def test_the_transaction_of_a_job_that_is_cancelled_while_it_begins_is_closed(postgres_url: str) -> None:
    async def story(other: "psycopg.Connection[tuple[int]]") -> None:
        opening = asyncio.ensure_future(open_async(waiting(postgres_url)))
        await until(lambda: other.execute(WAITING, ("SafeSnapshot",)).fetchall(), what="the transaction begins")
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await until(lambda: number(other) == 1, what="only the connection that writes is open")

    with writing(postgres_url) as other:
        asyncio.run(story(other))


def test_the_transaction_of_a_job_that_cannot_begin_is_closed(postgres_url: str) -> None:
    server = waiting(postgres_url, statement_timeout="100")
    with writing(postgres_url) as other:
        with pytest.raises(StoreError) as blocking:
            PostgresOpened(server)
        with pytest.raises(StoreError) as looping:
            asyncio.run(open_async(server))
        wait_until(lambda: number(other) == 1, what=f"nothing else is open after {blocking.value}, {looping.value}")
