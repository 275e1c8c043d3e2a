"""What unique jobs rely on: one of a kind, whoever enqueues, and nothing that could keep the next one out for ever."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from treadle.core.arguments import Shape
from treadle.core.job import NewJob
from treadle.core.jsontext import dump
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
from treadle.core.uniqueness import Arguments, Unique, Uniqueness
from treadle.stores.contract import Ability, Store
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import FAILURE, LONG, OTHER, SHORT, Bench, Place, expect

RULE = Unique(period=LONG, until="success")
RACERS = 32
CLIENTS = 4

_ARGUMENTS = Arguments(("user_id", "lang"), {"lang": b'"en"'})
_ALIVE: Sequence[Outcome] = (Retried(LONG, FAILURE), Snoozed(LONG), Released(), Released(LONG), SetAside(0))


def _call(store: Store, rule: Unique = RULE, *, name: str = "welcome", queue: str = "default", **given: Any) -> NewJob:
    """The job of a call welcome(user_id, lang="en"); what is no argument of it is the job's."""
    values = {key: given.pop(key) for key in ("user_id", "lang") if key in given} or {"user_id": 1}
    args = dump(list(values.values()) if store.shape is Shape.LIST else values, name)
    unique = Uniqueness(rule, _ARGUMENTS)
    return NewJob(name=name, queue=queue, args=args, max_attempts=5, unique=unique, **given)


async def _conflicts(store: Store, *jobs: NewJob) -> list[bool]:
    return [one.conflict for one in await store.insert(jobs)]


async def the_second_of_two_jobs_that_are_the_same_gives_the_first(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        bench = await Bench(store).enroll()
        (first,) = await store.insert([_call(store)])
        expect(first.conflict, False, "the first is inserted")
        for second in (await other.insert([_call(store)]), await asyncio.to_thread(store.insert_now, [_call(store)])):
            expect((second[0].id, second[0].conflict), (first.id, True), "the second is a conflict with the first")
        expect([claim.job.id for claim in await bench.take()], [first.id], "one job stands in the store")


async def jobs_of_one_bulk_are_compared_too(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        plain = bench.job()
        jobs = [_call(store), plain, _call(store), _call(store, user_id=2), plain, _call(store, delay=LONG)]
        one = await store.insert(jobs)
        expect(
            [item.conflict for item in one], [False, False, True, False, False, True], "of one kind the first is kept"
        )
        expect((one[2].id, one[5].id), (one[0].id, one[0].id), "and the others give it")
        taken = sorted(claim.job.id for claim in await bench.take())
        expect(taken, sorted(one[index].id for index in (0, 1, 3, 4)), "all others are inserted")


async def of_many_that_enqueue_at_once_one_inserts(place: Place) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(place.store()) for _ in range(CLIENTS)]
        calls = [
            asyncio.to_thread(store.insert_now, [_call(store)]) if number % 2 else store.insert([_call(store)])
            for number, store in enumerate(stores * (RACERS // CLIENTS))
        ]
        answers = [answer[0] for answer in await asyncio.gather(*calls)]
        expect([one.conflict for one in answers].count(False), 1, "exactly one of them inserts")
        expect(len({one.id for one in answers}), 1, "and all others are told of its job")
        found = (await stores[0].find(JobQuery())).jobs
        expect(len(found), 1, "one job stands in the store")


async def arguments_are_compared_by_what_they_mean(place: Place) -> None:
    async with place.store() as store:
        await store.insert([_call(store, user_id=1, lang="en")])
        same = [_call(store, user_id=1), _call(store, user_id=1.0)]
        expect(await _conflicts(store, *same), [True, True], "a default may be left out, and 1.0 is 1")
        others = [_call(store, user_id="1"), _call(store, user_id=1, lang="de"), _call(store, user_id=True)]
        expect(await _conflicts(store, *others), [False] * 3, "other values make another job")


async def the_fields_of_a_rule_say_what_is_compared(place: Place) -> None:
    async with place.store() as store:
        await store.insert([_call(store)])
        changed = [_call(store, queue="slow"), _call(store, name="goodbye"), _call(store, meta={"a": 1})]
        expect(await _conflicts(store, *changed), [False, False, True], "args, queue and name are, meta is not")
        rule = Unique(period=LONG, until="success", fields=["meta", "worker"], keys=["tenant"])
        marked = [
            _call(store, rule, meta={"tenant": number, "trace": trace}) for number, trace in ((1, 1), (2, 1), (1, 2))
        ]
        expect(await _conflicts(store, *marked), [False, False, True], "of meta its keys are")
        some = Unique(period=LONG, until="success", keys=["user_id"])
        calls = [_call(store, some, user_id=7, lang=lang) for lang in ("en", "de")]
        expect(await _conflicts(store, *calls), [False, True], "and so of args")


async def a_job_that_comes_again_still_stands_in_the_way(place: Place) -> None:
    for outcome in _ALIVE:
        async with place.store() as store:
            bench = await Bench(store).enroll()
            queue = f"again {type(outcome).__name__} {getattr(outcome, 'after', 0)}"
            (first,) = await store.insert([_call(store, queue=queue)])
            claims = await bench.take(1, queue)
            expect(await _conflicts(store, _call(store, queue=queue)), [True], "a running job stands in the way")
            expect(await bench.end(claims, outcome), ["applied"], f"{outcome} is not hindered by it")
            (again,) = await store.insert([_call(store, queue=queue)])
            expect((again.id, again.conflict), (first.id, True), f"after {outcome} it does so still")


async def a_job_that_ended_makes_room(place: Place) -> None:
    ends: Sequence[Outcome] = (COMPLETED, Completed(b"1"), Discarded(FAILURE), Cancelled("why"))
    async with place.store() as store:
        bench = await Bench(store).enroll()
        for number, outcome in enumerate(ends):
            await store.insert([_call(store, user_id=number)])
            expect(await bench.end(await bench.take(), outcome), ["applied"], f"{outcome} is applied")
            expect(await _conflicts(store, _call(store, user_id=number)), [False], f"after {outcome} the next may come")
            await bench.end(await bench.take())


async def many_that_complete_together_make_room_each(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await store.insert([*(_call(store, user_id=number) for number in range(10)), bench.job(), bench.job()])
        expect(await bench.end(await bench.take()), ["applied"] * 12, "unique jobs and others complete together")
        again = await _conflicts(store, *(_call(store, user_id=number) for number in range(10)))
        expect(again, [False] * 10, "and all make room")


async def a_completed_job_may_count_until_its_period_ends(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        rule = Unique(period=LONG)
        completed: Sequence[Outcome] = (COMPLETED, Completed(b"1"))
        for number, outcome in enumerate(completed):
            await store.insert([_call(store, rule, user_id=number)])
            await bench.end(await bench.take(), outcome)
            expect(await _conflicts(store, _call(store, rule, user_id=number)), [True], "by default it counts")
        others: Sequence[Outcome] = (Discarded(FAILURE), Cancelled("why"))
        for number, outcome in enumerate(others, 2):
            await store.insert([_call(store, rule, user_id=number)])
            await bench.end(await bench.take(), outcome)
            expect(await _conflicts(store, _call(store, rule, user_id=number)), [False], f"after {outcome} it does not")
        brief = Unique(period=SHORT)
        await store.insert([_call(store, brief, user_id=9)])
        await bench.end(await bench.take())
        await place.elapse(2 * SHORT)
        expect(await _conflicts(store, _call(store, brief, user_id=9)), [False], "after its period neither")


async def a_job_counts_until_its_period_ends_even_while_it_waits(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        rule, brief = Unique(period=LONG, until="expiry"), Unique(period=SHORT, until="expiry")
        await store.insert([_call(store, rule)])
        expect(await _conflicts(store, _call(store, rule)), [True], "within the period it counts")
        await bench.end(await bench.take(), Discarded(FAILURE))
        expect(await _conflicts(store, _call(store, rule)), [True], "however it ended")
        await store.insert([_call(store, brief, user_id=3)])
        await place.elapse(2 * SHORT)
        expect(await _conflicts(store, _call(store, brief, user_id=3)), [False], "and then no more")
        later = Unique(period=SHORT, until="expiry", timestamp="scheduled_at")
        await store.insert([_call(store, later, user_id=2, delay=LONG)])
        await place.elapse(2 * SHORT)
        expect(
            await _conflicts(store, _call(store, later, user_id=2)), [True], "the period may count from when it is due"
        )


async def a_job_may_count_until_it_starts(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        rule = Unique(period=LONG, until="start")
        (first,) = await store.insert([_call(store, rule)])
        expect(await _conflicts(store, _call(store, rule)), [True], "it counts while it waits")
        claims = await bench.take()
        (second,) = await store.insert([_call(store, rule)])
        expect(second.conflict, False, "and no more when it has begun")
        expect(await bench.end(claims, Released()), ["applied"], "it goes back all the same")
        (third,) = await store.insert([_call(store, rule)])
        expect((third.id, third.conflict), (second.id, True), "the one that has not begun is the one that counts")
        taken = await bench.take()
        expect(sorted(claim.job.id for claim in taken), sorted([first.id, second.id]), "and both run")
        expect(await bench.end(taken), ["applied"] * 2, "to their end")
        expect(await _conflicts(store, _call(store, rule)), [False], "then there is room")


async def a_dead_worker_keeps_nobody_out(place: Place) -> None:
    async with place.store() as store:
        bench, doomed = await Bench(store).enroll(), await Bench(store, OTHER).enroll(SHORT)
        await store.insert([_call(store), _call(store, user_id=2, rerun=False)])
        await doomed.take()
        await place.elapse(2 * SHORT)
        await store.beat({bench.owner: LONG})
        await store.rescue(10)
        answers = await _conflicts(store, _call(store), _call(store, user_id=2))
        expect(answers, [True, False], "what comes back counts on, what was lost makes room")
        await bench.end(await bench.take())
        expect(await _conflicts(store, _call(store)), [False], "and what came back makes room when it has ended")


async def a_settlement_of_one_job_leaves_the_next_alone(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        rule = Unique(period=4 * SHORT, until="success")
        await store.insert([_call(store, rule)])
        old = await bench.take()
        await place.elapse(5 * SHORT)
        (new,) = await store.insert([_call(store, rule)])
        expect(new.conflict, False, "the period of the first is over")
        await bench.end(old)
        (third,) = await store.insert([_call(store, rule)])
        expect((third.id, third.conflict), (new.id, True), "the end of the first takes nothing from the second")


async def a_job_that_somebody_ends_makes_room(place: Place) -> None:
    async with place.store() as store:
        for number, action in enumerate(("cancel", "delete")):
            for delay in (None, LONG):
                (one,) = await store.insert([_call(store, user_id=number, delay=delay)])
                acted = partial(store.act, query=JobQuery(ids=(one.id,)))
                expect(await acted("cancel" if action == "cancel" else "delete"), 1, f"a waiting job: {action}")
                (next_one,) = await store.insert([_call(store, user_id=number)])
                expect(next_one.conflict, False, f"after a {action} the next may come")
                await store.act("delete", JobQuery(ids=(next_one.id,)))


async def a_running_job_that_is_cancelled_makes_room(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        (one,) = await store.insert([_call(store)])
        claims = await bench.take()
        await store.act("cancel", JobQuery(ids=(one.id,)))
        expect(await bench.end(claims, Retried(LONG, FAILURE)), ["applied"], "it obeys at its next settlement")
        expect(await _conflicts(store, _call(store)), [False], "and makes room")


async def what_waits_may_take_over_from_the_next(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        rule = Unique(
            period=LONG, until="start", keys=["user_id"], replace={"scheduled": ["scheduled_at", "args", "tags"]}
        )
        (first,) = await store.insert([_call(store, rule, user_id=1, lang="en", delay=LONG, tags=("old",))])
        (second,) = await store.insert([_call(store, rule, user_id=1, lang="de", delay=SHORT, tags=("new",))])
        expect((second.id, second.conflict), (first.id, True), "the conflict changes what waits")
        await place.elapse(2 * SHORT)
        expect(await store.stage(10), 1, "when it is due")
        (claim,) = await bench.take()
        expect(
            (claim.job.id, b'"de"' in claim.job.args, claim.job.tags), (first.id, True, ("new",)), "and what it carries"
        )
        expect(claim.job.max_attempts, 5, "and nothing else")


async def a_rule_may_hold_for_as_long_as_its_states(place: Place) -> None:
    async with place.store() as store:
        if Ability.HISTORY not in store.abilities:
            return
        bench = await Bench(store).enroll()
        rule = Unique(period=None, states=["completed", "cancelled"])
        expect(
            await _conflicts(store, _call(store, rule), _call(store, rule)), [False, False], "waiting does not count"
        )
        first, second = await bench.take()
        await bench.end([first])
        (third,) = await store.insert([_call(store, rule)])
        expect((third.id, third.conflict), (first.job.id, True), "a completed job does")
        await place.elapse(SHORT)
        await bench.end([second], Discarded(FAILURE))
        await store.prune({State.COMPLETED: 0.0}, 10)
        expect(await _conflicts(store, _call(store, rule)), [False], "until it is pruned")
