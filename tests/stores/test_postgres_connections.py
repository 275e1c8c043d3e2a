"""No connection to PostgreSQL is left open for the garbage collector, whatever fails or is given up while it opens."""

import asyncio
import threading
from functools import partial

import psycopg
import pytest

from tests.loops import CancellingLoop
from tests.postgres import PostgresServer
from tests.servers import wait_until
from treadle.core.job import NewJob
from treadle.errors import StoreError
from treadle.stores.contract import Store
from treadle.stores.postgres_connection import server_at
from treadle.stores.postgres_transactions import open_async
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock

JOB = NewJob(name="work", queue="default", args=b"{}", max_attempts=1)
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'relation'"


def number(other: "psycopg.Connection[tuple[int]]") -> int:
    """How many connections there are beside this one."""
    [(count,)] = other.execute(OTHERS).fetchall()
    return count


def opened(url: str) -> Store:
    store = make_store(url, SystemClock())
    asyncio.run(store.open())
    return store


def test_one_whose_first_statement_fails_is_closed(postgres_server: PostgresServer, postgres_url: str) -> None:
    opened(postgres_url).close()
    database = postgres_url.rpartition("/")[2]
    postgres_server.run("CREATE ROLE outsider LOGIN", database=database)
    postgres_server.run("REVOKE EXECUTE ON FUNCTION pg_backend_pid() FROM PUBLIC", database=database)
    store = make_store(postgres_url.replace("treadle@", "outsider@"), SystemClock())
    try:
        # The error holds on to what was at work when it was raised.
        with pytest.raises(StoreError) as caught:
            asyncio.run(store.open())
        with psycopg.connect(postgres_url, autocommit=True) as other:
            wait_until(lambda: number(other) == 0, what=f"nothing is open after {caught.value}")
    finally:
        store.close()
        postgres_server.run("DROP ROLE outsider", database=database)


def test_one_that_a_thread_enqueues_on_while_the_store_is_closed_is_closed_when_it_is_done(postgres_url: str) -> None:
    store = opened(postgres_url)
    with psycopg.connect(postgres_url) as locking, psycopg.connect(postgres_url, autocommit=True) as other:
        locking.execute("LOCK TABLE oban_jobs IN SHARE ROW EXCLUSIVE MODE")
        thread = threading.Thread(target=store.insert_now, args=([JOB],))
        thread.start()
        wait_until(lambda: other.execute(WAITING).fetchall(), what="the insert waits")
        store.close()
        locking.rollback()
        thread.join()
        wait_until(lambda: number(other) == 1, what="only the connection that locked is open")
        assert other.execute("SELECT count(*) FROM oban_jobs").fetchall() == [(1,)]


def test_the_transaction_of_a_job_that_is_cancelled_whenever_while_it_begins_is_closed(postgres_url: str) -> None:
    server = server_at(postgres_url, "public", postgres_url, pooled=None)

    async def story(loop: CancellingLoop) -> bool:
        """Whether it was cancelled."""
        loop.task = asyncio.ensure_future(open_async(server))
        await asyncio.wait([loop.task])
        # Its error would keep alive what psycopg was about to connect.
        task, loop.task = loop.task, None
        if task.cancelled():
            return True
        await task.result().rollback()
        return False

    with psycopg.connect(postgres_url, autocommit=True) as other:
        for nth in range(1, 100):
            with asyncio.Runner(loop_factory=partial(CancellingLoop, nth)) as runner:
                loop = runner.get_loop()
                assert isinstance(loop, CancellingLoop)
                if not runner.run(story(loop)):
                    break
            wait_until(lambda: number(other) == 0, what=f"it is closed when it is cancelled at its wait number {nth}")
        assert nth > 2, "it waits for the server as it connects, and again when it begins"
