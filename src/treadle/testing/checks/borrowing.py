"""What holds of jobs that are inserted in a transaction of the user's own, on a store that shares transactions."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from treadle.errors import ArgumentError
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.borrowed.recognise import borrow
from treadle.stores.contract import Ability, JobQuery
from treadle.testing.checks.bench import LONG, Bench, BrokenPromise, Lender, LendingPlace, Place, expect, ids


async def a_job_of_a_transaction_comes_with_its_commit(place: Place) -> None:
    async for bench, lender, tx in _lent(place):
        lent = bench.store.insert_now([bench.job(), bench.job()], tx=tx)
        # Not by a claim: where one writer locks all others out, it would wait for this transaction.
        expect(list(await bench.store.find(JobQuery())), [], "a job of an open transaction is not seen")
        expect(dict(await bench.store.counts()), {}, "and not counted")
        lender.commit()
        expect(ids(await bench.take()), [one.id for one in lent], "a commit brings its jobs, in their order")


async def a_job_of_a_transaction_that_is_rolled_back_was_never_there(place: Place) -> None:
    async for bench, lender, tx in _lent(place):
        before = await bench.put()
        bench.store.insert_now([bench.job(), bench.job(delay=LONG)], tx=tx)
        lender.rollback()
        expect([view.id for view in await bench.store.find(JobQuery())], before, "a rollback leaves nothing")
        after = await bench.put()
        expect(ids(await bench.take()), [*before, *after], "and its neighbours come as ever")


async def a_commit_wakes_who_waits(place: Place) -> None:
    async for bench, lender, tx in _lent(place):
        expect(await bench.take(), [], "nothing is there at first")
        watch = bench.store.watch()
        bench.store.insert_now([bench.job()], tx=tx)
        lender.commit()
        async with asyncio.timeout(LONG / 2):
            await watch.wait(LONG)
        expect(len(await bench.take()), 1, "the job is there when the watch returns")


async def jobs_that_cannot_be_kept_leave_the_transaction_as_it_was(place: Place) -> None:
    async for bench, lender, tx in _lent(place):
        (kept,) = bench.store.insert_now([bench.job()], tx=tx)
        try:
            bench.store.insert_now([bench.job(), bench.job(meta={"set": {1}})], tx=tx)
        except ArgumentError:
            lender.commit()
        else:
            raise BrokenPromise("what is no JSON is refused in a transaction too")
        expect(ids(await bench.take()), [kept.id], "a bulk that is refused leaves nothing, and the transaction goes on")


async def _lent(place: Place) -> AsyncIterator[tuple[Bench, Lender, Borrowed]]:
    """One owner, a user's own connection, and what that lends; nothing where no transactions are shared."""
    async with place.store() as store:
        if Ability.TRANSACTIONS in store.abilities:
            bench = await Bench(store).enroll()
            async with _lender(place) as lender:
                borrowed = borrow(lender)
                if borrowed is None:
                    raise BrokenPromise(f"expected the place to lend a connection, got {lender!r:.80}")
                yield bench, lender, borrowed


@asynccontextmanager
async def _lender(place: Place) -> AsyncIterator[Lender]:
    if not isinstance(place, LendingPlace):
        raise BrokenPromise("the place of a store that shares transactions lends a connection: it has no `lend`")
    with place.lend() as lender:
        yield lender
