"""What people and services rely on: counts, queries, actions, what a drain waits for, pruning."""

# ruff: noqa: D103 - the name of a check is its promise

from treadle.core.outcomes import Discarded, SetAside
from treadle.core.states import State
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import FAILURE, LONG, OTHER, OWNER, SHORT, Bench, Place, expect, ids


async def jobs_are_counted_by_queue_and_state(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(3, queue="a")
        await store.insert([bench.job(queue="b", delay=LONG)])
        await bench.take(1, "a")
        wanted = {("a", State.AVAILABLE): 2, ("a", State.EXECUTING): 1, ("b", State.SCHEDULED): 1}
        got = {
            (queue, state): n for queue, states in (await store.counts()).items() for state, n in states.items() if n
        }
        expect(got, wanted, "jobs are counted by queue and state")


async def jobs_are_found_by_what_they_are(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await store.insert([bench.job("Mail", queue="a"), bench.job("Report", queue="a")])
        (wanted,) = await bench.insert(bench.job("Mail", queue="b", delay=LONG))
        for query in (bench.one(wanted), JobQuery(queue="b"), JobQuery(state=State.SCHEDULED, name="Mail")):
            found = await store.find(query)
            expect([view.id for view in found], [wanted], f"{query} finds that job and no other")
            expect((found[0].name, found[0].queue, found[0].state), ("Mail", "b", State.SCHEDULED), "and shows it")
        expect(len(await store.find(JobQuery(name="Mail", state=State.AVAILABLE))), 1, "conditions are joined by and")
        expect(len(await store.find(JobQuery(queue="a", limit=1))), 1, "at most so many are shown")
        expect(list(await store.find(bench.one("424242"))), [], "a job that never was is not found")


async def a_waiting_job_is_cancelled_at_once(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        (waiting,) = await bench.put()
        (later,) = await bench.insert(bench.job(delay=SHORT))
        expect(await store.act("cancel", JobQuery(ids=(waiting, later))), 2, "jobs that wait are cancelled")
        await place.elapse(2 * SHORT)
        expect([await store.stage(10), await bench.take()], [0, []], "and never run")


async def a_discarded_job_is_retried_on_demand(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        (job_id,) = await bench.put()
        await bench.end([await bench.take_one()], Discarded(FAILURE))
        expect(await store.act("retry", JobQuery(state=State.DISCARDED)), 1, "a discarded job can be retried")
        claim = await bench.take_one()
        expect(claim.job.id, job_id, "at once")
        expect(claim.job.attempt <= claim.job.max_attempts, True, "with an attempt left for it")


async def a_running_job_is_not_deleted(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(2)
        running = await bench.take_one()
        expect(await store.act("delete", JobQuery(queue="default")), 1, "only what does not run is deleted")
        expect(ids(await store.held(OWNER)), [running.job.id], "what runs goes on")
        expect([await bench.end([running]), await bench.take()], [["applied"], []], "and nothing else is left")


async def a_drain_knows_what_it_waits_for(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        here, there = await Bench(store).enroll(LONG), await Bench(elsewhere, OTHER).enroll(SHORT)
        await here.put(5)
        await here.put(1, queue="not-ours")
        await here.take(1)
        await there.take(2)
        work = await store.work([OWNER], ["default"])
        expect((work.available, work.ours, set(work.others)), (2, True, {OTHER}), "what is available, ours, another's")
        await place.elapse(SHORT / 4)
        await elsewhere.beat({OTHER: SHORT})
        beaten = await store.work([OWNER], ["default"])
        expect(beaten.others[OTHER] > work.others[OTHER], True, "a beat shows that another lives")
        await here.end(await store.held(OWNER))
        expect((await store.work([OWNER], ["default"])).ours, False, "what is settled is not held")


async def a_job_set_aside_is_not_available(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await bench.end([await bench.take_one()], SetAside())
        work = await store.work([OWNER], ["default"])
        expect((work.available, work.ours), (0, False), "a suspect is no available job")


async def what_ended_long_ago_is_pruned(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(4)
        await bench.end(await bench.take(3), Discarded(FAILURE))
        await place.elapse(SHORT)
        expect(await store.prune({State.DISCARDED: LONG}, 10), 0, "what ended lately stays")
        ages = {State.COMPLETED: SHORT / 2, State.DISCARDED: SHORT / 2}
        expect(
            [await store.prune(ages, 2), await store.prune(ages, 2)], [2, 1], "what ended long ago goes, page by page"
        )
        expect(await bench.number(State.AVAILABLE), 1, "what waits is never pruned")


async def a_report_is_taken(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        expect(list(await bench.report(running=await bench.take())), [], "nobody sent a signal")


async def the_doctor_finds_something_to_say(place: Place) -> None:
    async with place.store() as store:
        findings = await store.diagnose()
        expect(bool(findings), True, "a diagnosis says what was looked at")
        expect(
            [finding.text for finding in findings if finding.level == "error"],
            [],
            "and finds no error in a sound store",
        )
