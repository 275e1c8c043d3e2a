"""What keeps jobs alive when processes die: leases, fences, rescue, suspects, wishes to cancel."""

# ruff: noqa: D103 - the name of a check is its promise

from treadle.core.outcomes import Cancelled, Completed, Discarded, Outcome, Released, Retried, SetAside, Snoozed
from treadle.core.states import State
from treadle.errors import Fenced, NotEnrolled
from treadle.stores.claim import Settlement
from treadle.stores.contract import Ability
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import FAILURE, LONG, OTHER, OWNER, SHORT, Bench, Place, expect, ids, refused


async def a_beat_says_who_lives(place: Place) -> None:
    async with place.store() as store:
        await Bench(store).enroll(SHORT)
        answers = dict(await store.beat({OWNER: LONG, OTHER: LONG}))
        expect(answers, {OWNER: "alive", OTHER: "unknown"}, "a beat says who is alive, and does not enrol anybody")
        await place.elapse(2 * SHORT)
        expect((await store.rescue(10)).owners, (), "a beat sets the lease: this one is long")
        await refused(Bench(store, OTHER).take(), NotEnrolled, "a beat alone does not enrol")


async def who_leaves_gives_everything_back(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        other = await Bench(store, OTHER).enroll()
        inserted = await bench.put(5)
        await bench.take(3)
        await other.take(1)
        expect(await store.leave(OWNER), 3, "the claims that came back are counted")
        await refused(bench.take(), NotEnrolled, "an owner that left is forgotten")
        claims = await other.take()
        expect(ids(claims), [*inserted[:3], inserted[4]], "its jobs are the next to be claimed, in their old order")
        expect({claim.job.attempt for claim in claims}, {1}, "no attempt was consumed")
        expect(await store.leave(OWNER), 0, "leaving again is harmless")


async def the_dead_are_fenced_and_their_jobs_come_back(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        dead, alive = await Bench(store).enroll(SHORT), await Bench(elsewhere, OTHER).enroll()
        inserted = await dead.put(6)
        lost, kept = await dead.take(3), await alive.take(1)
        expect((await elsewhere.rescue(10)).owners, (), "nobody is fenced within its lease")
        await place.elapse(2 * SHORT)
        rescued = await elsewhere.rescue(10)
        expect((rescued.owners, rescued.claims), ((OWNER,), 3), "who is silent for longer than its lease is fenced")
        expect(await dead.end(lost), ["gone"] * 3, "its late settlements are refused")
        await refused(dead.take(), Fenced, "it claims nothing any more")
        await refused(dead.enroll(), Fenced, "and cannot enrol again")
        expect(dict(await store.beat({OWNER: LONG})), {OWNER: "fenced"}, "its beat says so")
        expect(ids(await elsewhere.held(OTHER)), ids(kept), "the living keep their claims")
        again = await alive.take()
        expect(ids(again), [*inserted[:3], *inserted[4:]], "oldest first, and before what waited behind them")
        expect({claim.job.attempt for claim in again}, {1}, "no attempt was consumed")
        expect((await elsewhere.rescue(10)).claims, 0, "a second rescuer finds nothing left")


async def a_rescue_goes_on_page_by_page(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        dead = await Bench(store).enroll(SHORT)
        inserted = await dead.put(5)
        await dead.take()
        await place.elapse(2 * SHORT)
        counts = [(await rescuer.rescue(2)).claims for rescuer in (store, elsewhere, store, elsewhere)]
        expect(counts, [2, 2, 1, 0], "what one rescuer began another goes on with")
        expect(sorted(ids(await (await Bench(store, OTHER).enroll()).take())), sorted(inserted), "nothing is lost")


async def a_running_job_is_asked_to_end(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        await bench.put(2)
        wanted, other = await bench.take()
        expect(await elsewhere.act("cancel", bench.one(wanted.job.id)), 1, "a running job can be asked to end")
        flags = {claim.job.id: claim.cancelled for claim in await store.held(OWNER)}
        expect(flags, {wanted.job.id: True, other.job.id: False}, "its owner is told, of that job alone")
        expect(await bench.end([wanted], Cancelled()), ["applied"], "the owner ends it")
        expect(await bench.end([other]), ["applied"], "and its neighbour went on")


async def a_claim_that_was_taken_is_known(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        await bench.put(3)
        kept, ended, released = (claim.key for claim in await bench.take())
        nobody = str(2**60), kept[1]
        expect(list(await store.taken([kept, ended, released])), [], "what is held is not taken")
        claims = await elsewhere.held(OWNER)
        settlements = [Settlement(claims[1], Completed()), Settlement(claims[2], Released())]
        expect([one.answer for one in await elsewhere.settle(OWNER, settlements)], ["applied"] * 2, "two are settled")
        again = await bench.take()
        known = [ended, released] if Ability.HISTORY in store.abilities else []
        expect(sorted(await store.taken([kept, ended, released, nobody])), sorted(known), "an ended, a released one")
        expect(list(await store.taken([again[0].key])), [], "nor is the same job when it was lent anew")


async def a_wish_to_cancel_outlives_its_owner(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        other = await Bench(elsewhere, OTHER).enroll()
        for leaves in (True, False):
            bench = await Bench(store).enroll(SHORT)
            await bench.put(3)
            wanted = (await bench.take())[1]
            await elsewhere.act("cancel", bench.one(wanted.job.id))
            if leaves:
                expect(await elsewhere.leave(OWNER), 3, "every claim of an owner that leaves is given back")
            else:
                await place.elapse(2 * SHORT)
                expect((await elsewhere.rescue(10)).claims, 3, "and every claim of a dead one")
            again = await other.take()
            expect(len(again), 2, "a job that somebody wants cancelled does not run again")
            expect(wanted.job.id in ids(again), False, "the others do")
            ended = await elsewhere.result(wanted.job.id)
            expect(ended and ended.state, State.CANCELLED, "it is cancelled")
            expect(await bench.end([wanted]), ["gone"], "and its late settlement is refused")
            await other.end(again)


async def a_job_that_was_to_come_again_is_cancelled_on_a_wish(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        outcomes: list[Outcome] = [Retried(SHORT, FAILURE), Snoozed(SHORT), Released(), Released(SHORT)]
        for outcome in [*outcomes, SetAside(), SetAside(1)]:
            (job_id,) = await bench.put()
            claim = await bench.take_one()
            await store.act("cancel", bench.one(job_id))
            expect(await bench.end([claim], outcome), ["applied"], f"{outcome} is applied")
            ended = await store.result(job_id)
            expect(ended and ended.state, State.CANCELLED, f"{outcome} of a job that somebody wants cancelled ends it")
        await place.elapse(2 * SHORT)
        expect([await store.stage(10), await bench.take(), await bench.take(alone=True)], [0, [], []], "for good")


async def a_body_that_returns_first_is_completed(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        (job_id,) = await bench.put()
        claim = await bench.take_one()
        await store.act("cancel", bench.one(job_id))
        expect(await bench.end([claim]), ["applied"], "a wish to cancel does not undo what was done")
        expect(await bench.number(State.CANCELLED), 0, "the job is completed, not cancelled")


async def a_suspect_runs_alone(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        suspect, other = await bench.put(2)
        await bench.end(await bench.take(1), SetAside())
        expect(ids(await bench.take()), [other], "a job that was set aside is not claimed with others")
        expect(await store.set_aside(["default"]), 1, "it is counted apart")
        expect(await bench.take(10, "elsewhere", alone=True), [], "it stays in its queue")
        (claim,) = await bench.take(10, alone=True)
        expect(
            (claim.job.id, claim.job.attempt, claim.job.deaths), (suspect, 1, 0), "it is claimed on demand, untouched"
        )
        expect(await store.set_aside(["default"]), 0, "and then it is lent")
        await bench.end([claim], SetAside(1))
        claim = await bench.take_one(alone=True)
        expect(claim.job.deaths, 1, "its deaths are kept")
        found = {claim.job.id: claim.job.deaths for claim in await store.held(OWNER)}
        expect(found, {suspect: 1, other: 0}, "and found with the claim")
        await bench.end([claim], Discarded(FAILURE))
        expect(await store.set_aside(["default"]), 0, "once it has ended it is no suspect")


async def who_asks_for_suspects_gets_no_others(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(3)
        expect(await bench.take(10, alone=True), [], "jobs that were never set aside are not claimed alone")


async def a_suspect_that_comes_back_stays_one(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end([await bench.take_one()], SetAside(1))
        await bench.end([await bench.take_one(alone=True)], Released())
        expect(await bench.take(), [], "a suspect that is released is set aside again")
        await bench.take_one(alone=True)
        await store.leave(OWNER)
        await bench.enroll()
        expect(await bench.take(), [], "and so is one whose owner left")
        expect((await bench.take_one(alone=True)).job.deaths, 1, "with its deaths")


async def a_suspect_that_is_released_for_later_stays_one(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end([await bench.take_one()], SetAside(1))
        for _ in range(2):
            await bench.end([await bench.take_one(alone=True)], Released(SHORT))
            await place.elapse(2 * SHORT)
            expect(await store.stage(10), 1, "it comes back after its time")
            expect(await bench.take(), [], "set aside as before")
            expect(await store.set_aside(["default"]), 1, "and counted so")
        claim = await bench.take_one(alone=True)
        expect((claim.job.deaths, claim.job.attempt), (1, 1), "with its deaths, and with no attempt consumed")


async def a_suspect_that_fails_in_the_open_is_cleared(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end([await bench.take_one()], SetAside(1))
        await bench.end([await bench.take_one(alone=True)], Retried(SHORT, FAILURE))
        await place.elapse(2 * SHORT)
        await store.stage(10)
        claim = await bench.take_one()
        expect(
            (claim.job.deaths, claim.job.attempt),
            (0, 2),
            "who failed without killing its worker runs with others again",
        )


async def what_living_owners_run_is_stamped_anew(place: Place) -> None:
    async with place.store() as store:
        alive, dead = await Bench(store).enroll(), await Bench(store, OTHER).enroll(SHORT)
        await alive.put(2)
        [mine], [theirs] = await alive.take(1), await dead.take(1)
        expect(await store.restamp(LONG), 0, "what began lately is left alone")
        await place.elapse(2 * SHORT)
        running = JobQuery(ids=tuple(ids([mine, theirs])))
        begun = {job.id: job.attempted_at for job in await store.find(running)}
        stamped = await store.restamp(SHORT)
        moved = [job.id for job in await store.find(running) if job.attempted_at != begun[job.id]]
        expect(moved, ids([mine])[:stamped], "what a living owner runs is stamped anew, where the store has stamps")
        expect(await alive.end([mine]), ["applied"], "its claim is the one of before")
