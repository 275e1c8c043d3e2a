"""What the process that runs jobs relies on when it gives one back: applied once, while held, and as it was told."""

# ruff: noqa: D103 - the name of a check is its promise

from treadle.core.outcomes import (
    COMPLETED,
    Cancelled,
    Completed,
    Discarded,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.core.states import State
from treadle.stores.claim import Settlement
from treadle.testing.checks.bench import FAILURE, OWNER, SHORT, Bench, Place, expect, ids


async def a_completed_job_is_held_no_more(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(10)
        expect(await bench.end(await bench.take()), ["applied"] * 10, "a batch of completions is applied")
        expect(list(await store.held(OWNER)), [], "nothing is held after it")
        expect(await bench.take(), [], "and nothing is left to run")


async def a_settlement_that_is_sent_again_is_known(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        outcomes: list[Outcome] = [Completed(), Retried(SHORT, FAILURE), Snoozed(SHORT), Discarded(FAILURE)]
        for outcome in [*outcomes, Cancelled("why"), Released(), Released(SHORT), SetAside(1), Completed(b"7")]:
            await bench.put()
            batch = [await bench.take_one()]
            expect(await bench.end(batch, outcome), ["applied"], f"{outcome} is applied")
            expect(await bench.end(batch, outcome), ["repeated"], f"{outcome}, sent again, is known")
            await bench.end(await bench.take())


async def a_batch_that_is_sent_again_with_more_is_answered_one_by_one(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(4)
        claims = await bench.take()
        await bench.end(claims[:2])
        answers = ["repeated", "repeated", "applied", "applied"]
        expect(await bench.end(claims), answers, "a batch is answered one by one, in order")


async def the_first_of_two_claims_settles_nothing_any_more(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        first = await bench.take_one()
        await bench.end([first], Snoozed(SHORT))
        await place.elapse(2 * SHORT)
        await store.stage(10)
        second = await bench.take_one()
        expect(second.job.id, first.job.id, "the snoozed job is claimed again, by the same owner")
        again = await bench.end([first], Snoozed(SHORT))
        expect("applied" in again, False, "the first claim's settlement is not applied to the second claim")
        expect("applied" in await bench.end([first]), False, "and neither is another outcome under the first claim")
        expect(ids(await store.held(OWNER)), [second.job.id], "the second claim stands")
        expect(await bench.end([second]), ["applied"], "and settles")


async def a_miss_concerns_that_claim_alone(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(3)
        lost, *kept = await bench.take()
        await bench.end([lost], Released())
        await bench.take(1)
        expect(await bench.end([lost, *kept]), ["repeated", "applied", "applied"], "its neighbours are settled")


async def two_claims_of_one_job_in_a_batch_are_answered_each_for_itself(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        for outcome in (COMPLETED, Completed(b"7"), Discarded(FAILURE)):
            await bench.put()
            first = await bench.take_one()
            await bench.end([first], Released())
            second = await bench.take_one()
            expect(await bench.end([first, second], outcome), ["repeated", "applied"], "only the second claim is held")


async def who_gave_up_a_claim_settles_nothing(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        claims = await bench.take()
        await store.leave(OWNER)
        expect(await bench.end(claims), ["gone"], "a claim that was given back cannot be settled")
        expect(await bench.number(State.AVAILABLE), 1, "the job waits")


async def a_failed_attempt_is_followed_by_the_next(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end([await bench.take_one()], Retried(SHORT, FAILURE))
        expect(await bench.number(State.RETRYABLE), 1, "a failed job waits for its next attempt")
        expect(await store.stage(10), 0, "not before its time")
        await place.elapse(2 * SHORT)
        expect(await store.stage(10), 1, "then it is staged")
        expect((await bench.take_one()).job.attempt, 2, "and the attempt was consumed")


async def a_discarded_job_tells_why(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        (job_id,) = await bench.put()
        await bench.end([await bench.take_one()], Discarded(FAILURE))
        expect(await bench.number(State.DISCARDED), 1, "a discarded job is kept")
        ended = await store.result(job_id)
        told = ended is not None and ended.state is State.DISCARDED and FAILURE.message in (ended.error or "")
        expect(told, True, f"its end is told with the failure's text, not as {ended!r}")


async def a_snooze_consumes_no_attempt(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        for _ in range(2):
            claim = await bench.take_one()
            expect(claim.job.attempt, 1, "a snooze consumes no attempt")
            await bench.end([claim], Snoozed(SHORT))
            expect(await bench.take(), [], "a snoozed job is away")
            await place.elapse(2 * SHORT)
            expect(await store.stage(10), 1, "and comes back after its time")


async def a_released_job_goes_back_to_the_head(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        inserted = await bench.put(4)
        await bench.end(await bench.take(2), Released())
        claims = await bench.take()
        expect(ids(claims), inserted, "released jobs are the next to be claimed, in their old order")
        expect([claim.job.attempt for claim in claims], [1] * 4, "a release consumes no attempt")


async def a_job_released_for_later_is_away_until_then(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end([await bench.take_one()], Released(SHORT))
        expect([await bench.take(), await store.stage(10)], [[], 0], "it is away")
        await place.elapse(2 * SHORT)
        expect(await store.stage(10), 1, "until its time has come")
        expect((await bench.take_one()).job.attempt, 1, "and no attempt was consumed")


async def a_cancelled_job_never_comes_back(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end([await bench.take_one()], Cancelled("no longer wanted"))
        expect([await bench.take(), await store.stage(10)], [[], 0], "a cancelled job is over")


async def a_recorded_value_is_kept(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        bench = await Bench(store).enroll()
        (job_id,) = await bench.put()
        claim = await bench.take_one()
        expect(await other.result(job_id), None, "a job that runs has no result")
        await store.settle(OWNER, [Settlement(claim, Completed(b'{"a":[1]}'))])
        ended = await other.result(job_id)
        expect(ended and (ended.state, ended.value), (State.COMPLETED, b'{"a":[1]}'), "the value is kept byte for byte")
        expect(await other.result("424242"), None, "a job that never was has no result")
