"""Very many at once on PostgreSQL: workers that lose their server together, jobs that are due at the same instant."""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.servers import until
from treadle import Treadle
from treadle.core.job import NewJob
from treadle.core.outcomes import COMPLETED
from treadle.core.states import State
from treadle.errors import StoreError
from treadle.services.stager import PAGE
from treadle.stores.claim import Demand, Settlement
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock

pytestmark = pytest.mark.chaos

WORKERS = 40
AWAY = 12  # seconds
DUE = 100_000
OWNER = "host:1:a"

steady = SystemClock().steady


def test_workers_that_lose_their_server_together_do_not_storm_it(
    start_postgres: Callable[..., PostgresServer],
) -> None:
    server = start_postgres(max_connections=WORKERS * 8)

    async def story() -> list[float]:
        async with AsyncExitStack() as stack:
            apps = [Treadle(server.url) for _ in range(WORKERS)]
            ran: Counter[int] = Counter()
            for app in apps:

                @app.job(name="work")
                async def work(number: int) -> None:
                    ran[number] += 1

                await stack.enter_async_context(app.worker(concurrency=1))
            server.stop()
            dialled = await _dialled(server.address)
            server.start()
            for number in range(WORKERS):
                await _insist(partial(apps[number].aenqueue, "work", args={"number": number}))
            await until(lambda: len(ran) == WORKERS, what="every job ran")
            assert set(ran.values()) == {1}
            return dialled

    dialled = asyncio.run(story())
    # The first moments are for a server that is back at once.
    steady = [at for at in dialled if at >= 2.0]
    assert len(steady) <= 2 * WORKERS * (AWAY - 2)
    each = Counter(int(at * 2) for at in steady)
    assert max(each.values()) <= 3 * len(steady) / (2 * (AWAY - 2))


async def _dialled(address: tuple[str, int]) -> list[float]:
    """Answer in place of a server that is away, by hanging up; when that was."""
    at: list[float] = []
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setblocking(False)
        door.bind(address)
        door.listen(1_024)
        began = steady()
        with suppress(TimeoutError):
            async with asyncio.timeout(AWAY):
                while True:
                    connection, _ = await asyncio.get_running_loop().sock_accept(door)
                    connection.close()
                    at.append(steady() - began)
    return at


async def _insist(call: Callable[[], Awaitable[object]]) -> None:
    while True:
        with suppress(StoreError):
            await call()
            return


def test_jobs_that_are_due_at_once_starve_no_others(postgres_url: str) -> None:
    async def story() -> None:
        store = make_store(postgres_url, SystemClock())
        await store.open()
        await store.enroll(OWNER, 600)
        usual = [await _fetch(store) for _ in range(200)]
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "INSERT INTO oban_jobs (worker, queue, state, scheduled_at) SELECT 'due', 'due', 'scheduled', "
                "timezone('UTC', now()) FROM generate_series(1, %s)",
                (DUE,),
            )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        staging = asyncio.ensure_future(_stage_all(store))
        meanwhile = []
        while not staging.done():
            meanwhile.append(await _fetch(store))
        pages = await staging
        assert sum(pages) == DUE
        assert max(pages) <= PAGE
        assert len(meanwhile) > len(pages), "fetches go on while pages are staged"
        assert _p99(meanwhile) < max(0.05, 5 * _p99(usual))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10 * 1024
        assert (await store.counts())["due"] == {State.AVAILABLE: DUE}
        assert len(await store.find(JobQuery(queue="due", limit=3))) == 3
        store.close()

    asyncio.run(story())


async def _stage_all(store: Store) -> list[int]:
    pages = []
    while moved := await store.stage(PAGE):
        pages.append(moved)
    return pages


async def _fetch(store: Store) -> float:
    """Enqueue, fetch and complete another job; seconds that the fetch takes."""
    await store.insert([NewJob(name="other", queue="other", args=b"{}", max_attempts=5)])
    began = steady()
    [claim] = await store.claim(OWNER, [Demand(("other",), 1)])
    seconds = steady() - began
    await store.settle(OWNER, [Settlement(claim, COMPLETED)])
    return seconds


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
