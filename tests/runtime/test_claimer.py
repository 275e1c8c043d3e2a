"""Jobs are claimed up to the limit and never beyond it, whatever gets lost on the way."""

import asyncio
from collections import Counter

import pytest

from tests.runtime.desk import LEASE, OWNER, Desk, play
from tests.runtime.doors import Door
from tests.servers import until
from treadle.core.states import State
from treadle.errors import StoreError
from treadle.hooks.current import current_job
from treadle.hooks.events import JobCompleted, StoreFound, StoreLost, WorkerFenced
from treadle.runtime.slots import Group
from treadle.stores.claim import Demand

LONG = 20.0


class Gauge:
    """Jobs that count themselves by queue; the most of each that ran at a time, and how often each job ran."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.ran: Counter[str] = Counter()

    async def work(self) -> None:
        job = current_job()
        self.ran[job.id] += 1
        self.running[job.queue] += 1
        self.most[job.queue] = max(self.most[job.queue], self.running[job.queue])
        for _ in range(5):
            await asyncio.sleep(0)
        self.running[job.queue] -= 1


def register(desk: Desk, gauge: Gauge) -> str:
    async def work() -> None:
        await gauge.work()

    return desk.job(work)


def test_never_more_is_held_than_the_limit() -> None:
    async def story(desk: Desk) -> None:
        gauge, door = Gauge(), Door(desk.store)
        await desk.put(register(desk, gauge), 50)
        async with desk.working([Group(("default",), 3)], store=door):
            await desk.until(JobCompleted, 50)
        assert gauge.most == {"default": 3}
        assert set(gauge.ran.values()) == {1}
        assert max(demand.limit for demands in door.demands for demand in demands) == 3

    play(story)


def test_every_group_of_queues_has_slots_of_its_own() -> None:
    async def story(desk: Desk) -> None:
        gauge = Gauge()
        name = register(desk, gauge)
        for queue in ("a", "b", "slow"):
            await desk.put(name, 20, queue=queue)
        async with desk.working([Group(("a", "b"), 4), Group(("slow",), 2)]):
            await desk.until(JobCompleted, 60)
        assert gauge.most["slow"] == 2
        assert gauge.most["a"] + gauge.most["b"] >= 4
        assert max(gauge.most["a"], gauge.most["b"]) <= 4

    play(story)


def test_a_full_group_does_not_keep_another_from_its_jobs() -> None:
    async def story(desk: Desk) -> None:
        held = asyncio.Event()

        async def hold() -> None:
            await held.wait()

        async def work() -> None: ...

        await desk.put(desk.job(hold), 2, queue="slow")
        async with desk.working([Group(("default",), 2), Group(("slow",), 2)]):
            await desk.put(desk.job(work), 30)
            await desk.until(JobCompleted, 30)
            held.set()
            await desk.until(JobCompleted, 32)

    play(story)


def test_a_job_that_comes_while_the_worker_is_idle_is_claimed_at_once() -> None:
    async def story(desk: Desk) -> None:
        gauge, door = Gauge(), Door(desk.store)
        name = register(desk, gauge)
        async with desk.working(store=door):
            await asyncio.wait_for(door.knocked.wait(), LONG)
            # Less than the back-stop of a second: only the watch can have told.
            async with asyncio.timeout(0.9):
                await desk.put(name)
                await desk.until(JobCompleted)

    play(story)


# What is lost


@pytest.mark.parametrize("lost", [{"claim": 1}, {"claim": 1, "held": 1}, {"claim": 2, "held": 2}])
def test_what_a_claim_brought_whose_reply_was_lost_is_taken_over_and_runs_once(lost: dict[str, int]) -> None:
    async def story(desk: Desk) -> None:
        gauge, door = Gauge(), Door(desk.store)
        door.lost.update(lost)
        await desk.put(register(desk, gauge), 30)
        async with desk.working([Group(("default",), 5)], store=door):
            await desk.until(JobCompleted, 30)
        assert gauge.most == {"default": 5}
        assert set(gauge.ran.values()) == {1}
        assert len(desk.of(StoreLost)) == len(desk.of(StoreFound)) >= 1

    play(story)


def test_while_it_is_unknown_what_a_lost_claim_brought_no_other_is_made() -> None:
    async def story(desk: Desk) -> None:
        gauge, door = Gauge(), Door(desk.store)
        door.lost.update({"claim": 1, "held": 3})
        await desk.put(register(desk, gauge), 30)
        async with desk.working([Group(("default",), 5)], store=door):
            await desk.until(JobCompleted, 1)
            assert len(await desk.store.held(OWNER)) <= 5
            await desk.until(JobCompleted, 30)

    play(story)


def test_an_error_that_no_store_should_raise_does_not_end_the_claimer() -> None:
    async def story(desk: Desk) -> None:
        door = Door(desk.store)
        door.claim_faults.append(KeyError("a fault of ours"))
        await desk.put(register(desk, Gauge()))
        async with desk.working(store=door):
            await desk.until(JobCompleted)
        assert "a fault of ours" in desk.of(StoreLost)[0].error

    play(story)


def test_a_worker_that_is_declared_dead_stops_its_jobs_settles_nothing_and_ends() -> None:
    async def story(desk: Desk) -> None:
        begun, stopped = asyncio.Event(), []

        async def work() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                stopped.append(True)
                raise

        (job_id,) = await desk.put(desk.job(work))
        async with desk.working() as worker:
            await begun.wait()
            desk.clock.advance(LEASE + 1)
            assert (await desk.store.rescue(100)).owners == (OWNER,)
            await asyncio.wait_for(worker.ended.wait(), LONG)
            assert worker.fenced
            await until(lambda: not worker.running)
            assert len(desk.of(WorkerFenced)) == 1
        assert stopped == [True]
        view = await desk.view(job_id)
        assert (view.state, view.attempt) == (State.AVAILABLE, 0)

    play(story)


def test_a_store_that_forgot_its_owner_is_asked_again_until_it_is_enrolled() -> None:
    async def story(desk: Desk) -> None:
        gauge, door = Gauge(), Door(desk.store)
        await desk.store.leave(OWNER)
        await desk.put(register(desk, gauge))
        async with desk.working(store=door):
            await asyncio.wait_for(door.knocked.wait(), LONG)
            await desk.store.enroll(OWNER, LEASE)
            await desk.until(JobCompleted)
        assert desk.of(StoreLost) == []

    play(story)


def test_a_worker_without_a_fresh_beat_claims_nothing() -> None:
    async def story(desk: Desk) -> None:
        gauge, door = Gauge(), Door(desk.store)
        await desk.put(register(desk, gauge))
        async with desk.working(store=door) as worker:
            worker.beat_limit = 0.0
            for _ in range(10):
                await asyncio.sleep(0)
            assert door.demands == []
            worker.beat_limit = None
            await desk.until(JobCompleted)

    play(story)


def test_a_quiet_worker_claims_no_more_and_what_it_holds_goes_on() -> None:
    async def story(desk: Desk) -> None:
        begun, released = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            await released.wait()

        name = desk.job(work)
        await desk.put(name)
        async with desk.working() as worker:
            await begun.wait()
            await worker.quiet()
            (later,) = await desk.put(name)
            released.set()
            await desk.until(JobCompleted)
            assert (await desk.view(later)).state is State.AVAILABLE

    play(story)


# The audit


def test_a_claim_of_which_the_worker_knows_nothing_goes_back_at_the_second_look() -> None:
    async def story(desk: Desk) -> None:
        async def work() -> None: ...

        name = desk.job(work)
        async with desk.working() as worker:
            (job_id,) = await desk.put(name, queue="other")
            await desk.store.claim(OWNER, [Demand(("other",), 1)])
            await worker.audit()
            assert (await desk.view(job_id)).state is State.EXECUTING
            await worker.audit()
            view = await desk.view(job_id)
            assert (view.state, view.attempt) == (State.AVAILABLE, 0)

    play(story)


def test_the_audit_leaves_alone_what_the_worker_holds() -> None:
    async def story(desk: Desk) -> None:
        begun, released = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            await released.wait()

        (job_id,) = await desk.put(desk.job(work))
        async with desk.working() as worker:
            await begun.wait()
            for _ in range(3):
                await worker.audit()
            assert (await desk.view(job_id)).state is State.EXECUTING
            released.set()
            await desk.until(JobCompleted)

    play(story)


def test_a_store_that_is_away_fails_the_audit_and_harms_nobody() -> None:
    async def story(desk: Desk) -> None:
        begun, released = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            await released.wait()

        door = Door(desk.store)
        await desk.put(desk.job(work))
        async with desk.working(store=door) as worker:
            await begun.wait()
            door.away = True
            with pytest.raises(StoreError):
                await worker.audit()
            door.away = False
            released.set()
            await desk.until(JobCompleted)

    play(story)
