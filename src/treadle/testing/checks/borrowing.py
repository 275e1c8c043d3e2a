"""What holds of jobs that are inserted, or completed, in a transaction with data, on a store that shares them."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from inspect import isawaitable

from treadle.core.outcomes import COMPLETED, Completed, Released
from treadle.core.states import State
from treadle.errors import ArgumentError
from treadle.stores.borrowed.link import Borrowed
from treadle.stores.borrowed.recognise import borrow
from treadle.stores.claim import APPLIED, REPEATED, Settlement
from treadle.stores.contract import Ability
from treadle.stores.job_query import JobQuery
from treadle.stores.transactions import Transacts
from treadle.testing.checks.bench import LONG, OWNER, Bench, BrokenPromise, Lender, LendingPlace, Place, expect, ids


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


async def a_completion_and_what_was_written_with_it_are_one(place: Place) -> None:
    async with place.store() as store:
        if not isinstance(store, Transacts) or Ability.TRANSACTIONS not in store.abilities:
            return
        bench = await Bench(store).enroll()
        await bench.put(2)
        one, other = await bench.take()
        blocking = store.transact_now(OWNER)
        blocking.connection.execute("CREATE TABLE beside (id integer)")
        expect(blocking.complete(Settlement(one, COMPLETED)), APPLIED, "a claim that is held is completed")
        expect(await bench.number(State.COMPLETED), 1, "and its job stands so")
        expect(list(await store.settle(OWNER, [Settlement(one, COMPLETED)])), [REPEATED], "which is settled once")
        awaited = await store.transact(OWNER)
        await _done(awaited.connection.execute("INSERT INTO beside VALUES (1)"))
        await awaited.rollback()
        expect([claim.key for claim in await store.held(OWNER)], [other.key], "a rollback leaves the claim as it was")
        awaited = await store.transact(OWNER)
        await _done(awaited.connection.execute("INSERT INTO beside VALUES (2)"))
        expect(await awaited.complete(Settlement(other, Completed(b"7"))), APPLIED, "a loop's is no other")
        expect(_beside(store), [(2,)], "what was written is there with its completion, and no more")
        result = await store.result(other.job.id)
        expect(result and result.value, b"7", "and so is the result")


async def a_completion_that_is_refused_takes_what_was_written_with_it(place: Place) -> None:
    async with place.store() as store:
        if not isinstance(store, Transacts) or Ability.TRANSACTIONS not in store.abilities:
            return
        bench = await Bench(store).enroll()
        await bench.put()
        (claim,) = await bench.take()
        await store.settle(OWNER, [Settlement(claim, Released())])
        made = store.transact_now(OWNER)
        made.connection.execute("CREATE TABLE beside (id integer)")
        answer = made.complete(Settlement(claim, COMPLETED))
        expect(answer == APPLIED, False, "a claim that is not held is not completed")
        again = store.transact_now(OWNER)
        again.connection.execute("CREATE TABLE beside (id integer)")
        again.rollback()
        expect(len(await bench.take()), 1, "and its job is there for others")


async def what_became_of_a_completion_can_be_asked(place: Place) -> None:
    async with place.store() as store:
        if not isinstance(store, Transacts) or Ability.TRANSACTIONS not in store.abilities:
            return
        bench = await Bench(store).enroll()
        await bench.put(3)
        one, other, third = (Settlement(claim, COMPLETED) for claim in await bench.take())
        blocking = store.transact_now(OWNER)
        blocking.complete(one)
        expect(blocking.ended(one), APPLIED, "what was committed is known to be")
        awaited = await store.transact(OWNER)
        await awaited.rollback()
        expect(await awaited.ended(other), None, "a claim that is held as before was not completed")
        await store.settle(OWNER, [Settlement(third.claim, Released())])
        answer = await awaited.ended(third)
        expect(answer and answer.answer, "gone", "nor was one that was given back")


def _beside(store: Transacts) -> list[object]:
    opened = store.transact_now(OWNER)
    try:
        return [tuple(row) for row in opened.connection.execute("SELECT id FROM beside").fetchall()]
    finally:
        opened.rollback()


async def _done(result: object) -> None:
    """Whatever the driver of a loop's connection gives."""
    if isawaitable(result):
        await result


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
