"""What a job relies on that must not run again: where nobody knows whether it ran, it ends."""

# ruff: noqa: D103 - the name of a check is its promise

from treadle.core.outcomes import LOST, Discarded, Outcome, Released, Retried, Snoozed
from treadle.core.states import State
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import FAILURE, OTHER, OWNER, SHORT, Bench, Place, expect, ids


async def _put(bench: Bench) -> tuple[str, str]:
    """A job that must not run again, and one behind it that may."""
    once, other = await bench.insert(bench.job(rerun=False), bench.job())
    return once, other


async def a_job_that_must_not_run_again_says_so(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await _put(bench)
        claims = await bench.take()
        expect([claim.job.rerun for claim in claims], [False, True], "a claim says whether its job may run again")
        expect(list(await store.held(OWNER)), claims, "and so does a look at what is held")


async def what_the_dead_may_have_run_is_lost(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        dead, alive = await Bench(store).enroll(SHORT), await Bench(elsewhere, OTHER).enroll()
        once, other = await _put(dead)
        claims = await dead.take()
        await place.elapse(2 * SHORT)
        expect((await elsewhere.rescue(10)).claims, 2, "a rescue counts every claim that it took")
        expect(ids(await alive.take()), [other], "only what may run again does")
        expect(await alive.take(alone=True), [], "it is not set aside either")
        ended = await elsewhere.result(once)
        told = ended is not None and ended.state is State.DISCARDED and LOST.message in (ended.error or "")
        expect(told, True, f"whoever waits for it is told that it was lost, not {ended!r}")
        late = await dead.settle([claim for claim in claims if claim.job.id == once])
        expect([(one.answer, one.state) for one in late], [("gone", State.DISCARDED)], "its owner, back, is told so")
        late = await dead.settle(claims[:1], Discarded(FAILURE))
        expect([one.answer for one in late], ["gone"], "whatever it brings")
        expect(await alive.number(State.DISCARDED), 1, "it is kept")


async def who_leaves_gives_back_what_may_run_again(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        once, other = await _put(bench)
        await bench.take()
        expect(await store.leave(OWNER), 2, "every claim is counted")
        await bench.enroll()
        expect(ids(await bench.take()), [other], "what may have run does not come back")
        ended = await store.result(once)
        expect(ended and ended.state, State.DISCARDED, "it was lost")


async def what_had_not_begun_is_released_before(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await store.insert([bench.job(rerun=False)])
        expect(await bench.end(await bench.take(), Released()), ["applied"], "who knows that it did not run says so")
        await store.leave(OWNER)
        await bench.enroll()
        claim = await bench.take_one()
        expect((claim.job.rerun, claim.job.attempt), (False, 1), "it comes back as it was")


async def it_is_remembered_through_every_step(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await store.insert([bench.job(rerun=False, tags=("a",), meta={"k": [1]})])
        outcomes: list[Outcome] = [Retried(SHORT, FAILURE), Snoozed(SHORT), Released(SHORT), Discarded(FAILURE)]
        for outcome in outcomes:
            claim = await bench.take_one()
            kept = (claim.job.rerun, claim.job.tags, claim.job.meta["k"])
            expect(kept, (False, ("a",), [1]), f"it is known before {outcome}")
            await bench.end([claim], outcome)
            await place.elapse(2 * SHORT)
            await store.stage(10)
        await store.act("retry", JobQuery(state=State.DISCARDED))
        expect((await bench.take_one()).job.rerun, False, "and after it was retried by hand")


async def a_wish_to_cancel_what_is_lost_is_obeyed(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        once, _ = await _put(bench)
        claims = await bench.take()
        await store.act("cancel", bench.one(once))
        await store.leave(OWNER)
        ended = await store.result(once)
        expect(ended and ended.state, State.CANCELLED, "somebody ended it on purpose")
        expect(await bench.end(claims[:1]), ["gone"], "and its late settlement is refused")
