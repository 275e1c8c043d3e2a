"""What a transaction that stays open costs the claims on PostgreSQL: `python benchmarks/snapshot.py URL [ROUNDS]`.

Each round drains without one, then under one that is open since before 16,000 jobs were run. The database should be
empty and of this machine.
"""

import asyncio
import sys

import psycopg
from cost import Cost, Server, measured

from treadle.core.job import NewJob
from treadle.core.outcomes import COMPLETED
from treadle.stores.claim import Demand, Settlement
from treadle.stores.contract import Store
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock

OWNER = "bench:1:a"
CHURN = 16_000
JOBS = 4_000
BATCHES = (10, 100)


async def drain(store: Store, jobs: int, batch: int) -> None:
    """Insert so many, claim and complete them."""
    await store.insert([NewJob(name="noop", queue="default", args=b"{}", max_attempts=5)] * jobs)
    for _ in range(jobs // batch):
        claims = await store.claim(OWNER, [Demand(("default",), batch)])
        await store.settle(OWNER, [Settlement(claim, COMPLETED) for claim in claims])


async def compare(url: str, rounds: int) -> None:
    """Print each way's cost, and the ratio of all rounds."""
    store, server = make_store(url, SystemClock()), Server(url)
    await store.open()
    await store.enroll(OWNER, 3_600)
    totals = {(batch, held): Cost() for batch in BATCHES for held in (False, True)}
    for _ in range(rounds):
        for batch in BATCHES:
            await add(totals[batch, False], store, server, batch)
            with psycopg.connect(url) as snapshot:
                snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                snapshot.execute("SELECT count(*) FROM oban_jobs")
                await drain(store, CHURN, 200)
                await add(totals[batch, True], store, server, batch)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("TRUNCATE oban_jobs")
    for batch in BATCHES:
        plain, held = totals[batch, False], totals[batch, True]
        print(f"batches of {batch}:             {plain.shown(JOBS * rounds)}")
        print(f"  under an old snapshot:  {held.shown(JOBS * rounds)}")
        print(f"  that is {plain.wall / held.wall:.0%} of the rate, at {held.server / plain.server:.2f} times the CPU")
    await store.aclose()
    store.close()


async def add(total: Cost, store: Store, server: Server, batch: int) -> None:
    """Drain once more, and add what it costs."""
    with measured(server) as cost:
        await drain(store, JOBS, batch)
    total.wall, total.client, total.server = (
        total.wall + cost.wall,
        total.client + cost.client,
        total.server + cost.server,
    )


if __name__ == "__main__":
    asyncio.run(compare(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3))
