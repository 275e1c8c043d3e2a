"""What queues can be told while workers serve them."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio

from treadle.core.controls import EVERY_QUEUE, CancelRequest, QueueAction, QueueControl
from treadle.core.outcomes import Released, SetAside
from treadle.core.states import State
from treadle.stores.claim import Demand
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.views import QueueView
from treadle.testing.checks.bench import OTHER, OWNER, QUEUE, SHORT, Bench, Place, expect, ids


async def _tell(store: Store, action: QueueAction, *queues: str) -> None:
    wanted = queues or (QUEUE,)
    await store.control(QueueControl(action=action, queue=wanted[0]), wanted)


async def _paused(store: Store) -> set[str]:
    return {name for name, view in (await store.queues()).items() if view.paused}


async def nothing_of_a_paused_queue_is_claimed_by_anybody(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench, other = await Bench(store).enroll(), await Bench(elsewhere, OTHER).enroll()
        first = await bench.put(2)
        mail = await bench.put(queue="mail")
        await _tell(store, "pause")
        later = await other.put()
        expect([await bench.take(), await other.take()], [[], []], "what waits and what comes is not claimed")
        expect(ids(await other.take(10, QUEUE, "mail")), mail, "another queue of the same demand is served")
        expect(await bench.number(State.AVAILABLE), 3, "the jobs wait")
        await _tell(elsewhere, "resume")
        expect(ids(await bench.take()), [*first, *later], "and are claimed in their order when it is resumed")


async def a_pause_lasts_until_it_is_resumed(place: Place) -> None:
    async with place.store() as store:
        for _ in range(2):
            await _tell(store, "pause")
        async with place.store() as elsewhere:
            other = await Bench(elsewhere, OTHER).enroll()
            await other.put()
            await elsewhere.leave(OTHER)
            await other.enroll()
            expect(await other.take(), [], "whoever comes later respects it")
        for _ in range(2):
            await _tell(store, "resume")
        expect(len(await (await Bench(store).enroll()).take()), 1, "resumed twice as if once")


async def a_paused_queue_is_shown_as_such(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        await bench.put()
        await _tell(store, "pause", QUEUE, "empty")
        expect(await _paused(elsewhere), {QUEUE, "empty"}, "with jobs or without")
        expect((await elsewhere.queues())[QUEUE].available, 1, "its jobs still count")
        await _tell(elsewhere, "resume", "empty")
        expect(await _paused(store), {QUEUE}, "and is not when it was resumed")
        expect((await store.queues()).get("empty", QueueView()), QueueView(), "without jobs nothing is told of it")


async def every_queue_is_told_by_one_call(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        for queue in ("a", "b", "c"):
            await bench.put(queue=queue)
        await store.control(QueueControl(action="pause", queue=EVERY_QUEUE), ("a", "b"))
        expect([claim.job.queue for claim in await bench.take(10, "a", "b", "c")], ["c"], "those that were named")
        await store.control(QueueControl(action="resume", queue=EVERY_QUEUE), ("a", "b"))
        expect(len(await bench.take(10, "a", "b", "c")), 2, "and so to resume")
        await store.control(QueueControl(action="pause", queue=EVERY_QUEUE), ())
        expect(await _paused(store), set(), "where none is known none is paused")


async def what_runs_when_its_queue_is_paused_goes_on(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(3)
        ended, released, handed = await bench.take()
        await _tell(store, "pause")
        expect(await bench.end([ended]), ["applied"], "it ends as ever")
        expect(await bench.end([released], Released()), ["applied"], "it can be put back")
        expect(await store.leave(bench.owner), 1, "and goes back with its owner")
        await bench.enroll()
        expect(await bench.take(), [], "then it waits like the others")
        await _tell(store, "resume")
        expect(sorted(ids(await bench.take())), sorted([released.job.id, handed.job.id]), "until it is resumed")


async def a_suspect_of_a_paused_queue_does_not_run_either(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end(await bench.take(), SetAside(0))
        await _tell(store, "pause")
        expect(await store.set_aside([QUEUE, "other"]), 0, "nobody is told to run it")
        expect(await bench.take(alone=True), [], "and it is not lent")
        await _tell(store, "resume")
        expect([await store.set_aside([QUEUE]), len(await bench.take(alone=True))], [1, 1], "until it is resumed")


async def a_drain_has_nothing_to_wait_for_in_a_paused_queue(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(2)
        await bench.put(queue="mail")
        await _tell(store, "pause")
        expect((await store.work([bench.owner], [QUEUE, "mail"])).available, 1, "its jobs are not left for the drain")
        await _tell(store, "resume")
        expect((await store.work([bench.owner], [QUEUE, "mail"])).available, 3, "until it is resumed")


async def people_may_do_to_jobs_of_a_paused_queue_what_they_do_to_others(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        kept, cancelled = await bench.put(2)
        (due,) = await store.insert([bench.job(delay=SHORT)])
        await _tell(store, "pause")
        expect(await store.act("cancel", JobQuery(ids=(cancelled,))), 1, "cancelled")
        await place.elapse(2 * SHORT)
        expect(await store.stage(10), 1, "what is due is made available")
        await _tell(store, "resume")
        expect(ids(await bench.take()), [kept, due.id], "and runs later")


async def who_waits_for_work_is_woken_when_a_queue_is_resumed(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        await bench.put()
        await _tell(store, "pause")
        watch = store.watch()
        expect(await store.claim(bench.owner, [Demand((QUEUE,), 10)]), [], "a paused queue lends nothing")
        waiting = asyncio.create_task(watch.wait(10.0))
        await _tell(elsewhere, "resume")
        done, _ = await asyncio.wait([waiting], timeout=5.0)
        expect(len(done), 1, "the watch returns soon")
        expect(len(await bench.take()), 1, "and the claim after it finds the job")


async def workers_hear_what_they_are_told_from_when_they_listen(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        await _tell(elsewhere, "pause")
        since = (await store.orders(None, wait=0.0)).position
        expect((await store.orders(since, wait=0.0)).orders, (), "what was told before is nothing to them")
        listening = asyncio.create_task(store.orders(since, wait=30.0))
        await _tell(elsewhere, "resume")
        await _tell(elsewhere, "pause", "mail")
        told = await asyncio.wait_for(listening, 10.0)
        later = await store.orders(told.position, wait=0.0)
        resume, pause = QueueControl(action="resume", queue=QUEUE), QueueControl(action="pause", queue="mail")
        expect([*told.orders, *later.orders], [resume, pause], "each order comes once, in its order, soon")
        expect((await store.orders(since, wait=0.0)).orders, (resume, pause), "also to who lost the answer")
        expect((await elsewhere.orders(since, wait=0.0)).orders, (resume, pause), "and to every worker")


async def an_owner_is_told_that_a_running_job_shall_be_cancelled(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        await bench.put(3)
        claims = await bench.take(2)
        since = (await store.orders(None, wait=0.0)).position
        await elsewhere.act("cancel", JobQuery(state=State.AVAILABLE))
        expect((await store.orders(since, wait=0.0)).orders, (), "of a job that waits nobody has to be told")
        await elsewhere.act("cancel", JobQuery(ids=tuple(ids(claims))))
        told = await store.orders(since, wait=10.0)
        expect(set(told.orders), {CancelRequest(owner=bench.owner)}, "whoever runs it is told")
        expect([claim.cancelled for claim in await store.held(bench.owner)], [True, True], "and then sees which")


async def what_one_node_is_told_is_kept_nowhere_and_heard_by_all(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        await bench.put()
        since = (await store.orders(None, wait=0.0)).position
        told = [
            QueueControl(action="pause", queue=QUEUE, node="host:1"),
            QueueControl(action="scale", queue=QUEUE, limit=7),
            QueueControl(action="start", queue="mail", node="host:1", limit=2),
            QueueControl(action="stop", queue=QUEUE),
        ]
        for control in told:
            await elsewhere.control(control, ())
        expect((await store.orders(since, wait=0.0)).orders, tuple(told), "nodes hear it as it was said")
        expect([await _paused(store), len(await bench.take())], [set(), 1], "and claims go on")


async def a_node_shows_what_its_queues_were_told(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        await bench.report("mail", "slow", node="host:1", limits={"slow": 2}, paused=("mail",))
        [shown] = await elsewhere.workers()
        got = shown.name, shown.queues, shown.node, dict(shown.limits), shown.paused
        expect(got, (OWNER, ("mail", "slow"), "host:1", {"slow": 2}, ("mail",)), "to whoever asks")
