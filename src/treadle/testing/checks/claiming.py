"""What the process that runs jobs relies on when it asks for some."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio

from treadle.core.arguments import Shape
from treadle.core.outcomes import Released
from treadle.errors import NotEnrolled
from treadle.stores.claim import Demand
from treadle.stores.contract import Store
from treadle.testing.checks.bench import OTHER, OWNER, Bench, BrokenPromise, Place, expect, ids, refused

_SOON = 5.0


def _large(store: Store) -> bytes:
    """Arguments of 200 kB, in the store's own shape."""
    return (b'["%b"]' if store.shape is Shape.LIST else b'{"text":"%b"}') % (b"x" * 200_000)


async def an_owner_that_never_enrolled_is_refused(place: Place) -> None:
    async with place.store() as store:
        bench = Bench(store)
        await bench.put()
        await refused(bench.take(), NotEnrolled, "who is not enrolled claims nothing")
        await bench.enroll()
        expect(len(await bench.take()), 1, "nothing was taken by the refused claim")


async def enrolling_again_changes_nothing(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        claims = await bench.take()
        await bench.enroll()
        expect(ids(await store.held(OWNER)), ids(claims), "an owner that enrols again keeps its claims")


async def a_claim_keeps_its_limits(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(5, queue="a")
        await bench.put(5, queue="b")
        expect(len(await bench.take(3, "a", "b")), 3, "the limit of a demand is for its queues together")
        demands = [Demand(("a",), 1), Demand(("b",), 2)]
        expect(len(await store.claim(OWNER, demands)), 3, "several demands are served in one call")
        expect(len(await bench.take(100, "a", "b")), 4, "the rest is still there")
        expect(await bench.take(100, "a", "b", "never-used"), [], "an empty queue gives nothing")


async def a_full_queue_starves_no_other(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(50, queue="full")
        wanted = {(await bench.put(1, queue=queue))[0] for queue in ("b", "c")}
        seen = {job_id for _ in range(12) for job_id in ids(await bench.take(1, "full", "b", "c"))}
        expect(wanted - seen, set(), "each queue of a demand is served within a few claims")


async def no_job_is_lent_twice(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        here, there = await Bench(store).enroll(), await Bench(other, OTHER).enroll()
        inserted = await here.put(60)
        rounds = [await asyncio.gather(here.take(7), there.take(7)) for _ in range(6)]
        lent = [job_id for pair in rounds for claims in pair for job_id in ids(claims)]
        expect(sorted(lent), sorted(inserted), "every job is lent once, to whoever asks")


async def a_claim_whose_reply_was_lost_is_found(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(3)
        claims = await bench.take(2)
        expect(list(await store.held(OWNER)), claims, "what is held is what was lent, oldest first")
        await bench.end(claims[:1])
        expect(list(await store.held(OWNER)), claims[1:], "what was settled is held no more")
        expect(list(await store.held(OTHER)), [], "others hold nothing of it")


async def a_large_job_is_found_whole_by_whoever_looks(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        bench = await Bench(store).enroll()
        await bench.insert(bench.job(args=_large(store)))
        for _ in range(2):
            claims = await bench.take()
            expect(list(await store.held(OWNER)), claims, "who claimed it finds it")
            expect([claim.job.args for claim in await other.held(OWNER)], [claims[0].job.args], "and so do others")
            await bench.end(claims, Released())
        expect(list(await store.held(OWNER)), [], "what was given back is held no more")


async def a_watch_is_woken_by_an_insert_elsewhere(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        bench = await Bench(store).enroll()
        watch = store.watch()
        expect(await bench.take(), [], "nothing is there yet")
        waiting = asyncio.ensure_future(watch.wait(_SOON * 10))
        await Bench(other).put()
        await _soon(waiting, "an insert by anybody wakes who waits")
        expect(len(await bench.take()), 1, "and what woke it is there")


async def a_change_before_the_wait_is_not_missed(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        bench = await Bench(store).enroll()
        watch = store.watch()
        expect(await bench.take(), [], "nothing is there yet")
        await Bench(other).put()
        await _soon(
            asyncio.ensure_future(watch.wait(_SOON * 10)), "a change between the look and the wait ends the wait"
        )


async def a_watch_ends_after_its_time(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.take()
        await _soon(asyncio.ensure_future(store.watch().wait(0.05)), "a wait ends after its time")


async def _soon(waiting: "asyncio.Future[None]", promise: str) -> None:
    done, _ = await asyncio.wait((waiting,), timeout=_SOON)
    if not done:
        waiting.cancel()
        raise BrokenPromise(f"{promise}: still waiting after {_SOON:g} s")
    await waiting
