"""What producers rely on: order, all or nothing, delays."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio
from functools import partial

from treadle.core.states import State
from treadle.errors import ArgumentError
from treadle.stores.contract import Ability
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import LONG, OWNER, QUEUE, SHORT, Bench, Place, expect, ids, refused


async def jobs_come_in_the_order_of_their_insertion(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        inserted = [*await bench.put(3), *await bench.put(1), *await bench.put(20)]
        expect(len(set(inserted)), 24, "every job has an id of its own")
        expect(ids(await bench.take()), inserted, "jobs come in the order of their insertion, in one call and in many")


async def an_insert_of_nothing_does_nothing(place: Place) -> None:
    async with place.store() as store:
        expect(list(await store.insert([])), [], "an insert of no jobs gives nothing")
        expect(list(store.insert_now([])), [], "and neither does the blocking one")


async def a_job_is_lent_as_it_was_inserted(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        new = bench.job("Shop::Welcome", queue="mail")
        await store.insert([new])
        job = (await bench.take(1, "mail"))[0].job
        expect(
            (job.name, job.queue, job.args), (new.name, "mail", new.args), "name, queue and arguments come unchanged"
        )
        expect((job.attempt, job.max_attempts), (1, 5), "the attempt that begins is counted, and the limit kept")


async def tags_and_meta_travel_with_a_job(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        meta = {"trace": "4bf9", "deep": {"list": [1, None, True, "ü"]}, "n": 2**70}
        marked = bench.job("Marked", tags=("mail", "größe"), meta=meta)
        await store.insert([marked, bench.job("Plain")])
        for view in await store.find(JobQuery(state=State.AVAILABLE)):
            wanted = (marked.tags, meta) if view.name == "Marked" else ((), {})
            expect((view.tags, view.meta), wanted, "what a job was marked with is shown")
        jobs = [claim.job for claim in await bench.take()]
        expect([(job.tags, job.meta) for job in jobs], [(marked.tags, meta), ((), {})], "and comes with its claim")
        expect([claim.job for claim in await store.held(OWNER)], jobs, "and with what is held")


async def meta_that_is_no_json_is_refused(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        for meta in ({"nan": float("nan")}, {"set": {1}}, {"text": "\ud800"}):
            await refused(store.insert([bench.job(meta=meta)]), ArgumentError, f"{meta} cannot be kept")
        expect(await bench.take(), [], "and nothing was inserted")


async def priorities_come_before_time(place: Place) -> None:
    async with place.store() as store:
        if Ability.PRIORITY not in store.abilities:
            return
        bench = await Bench(store).enroll()
        new = [bench.job(priority=priority) for priority in (9, 0, 5, 0, 9)]
        inserted = await bench.insert(*new)
        shown = {view.id: view.priority for view in await store.find(JobQuery())}
        expect([shown[job_id] for job_id in inserted], [9, 0, 5, 0, 9], "a priority is shown")
        order = [inserted[index] for index in (1, 3, 2, 0, 4)]
        expect([*ids(await bench.take(2)), *ids(await bench.take())], order, "0 comes first, then the others by time")


async def a_claim_says_how_long_its_job_waited(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put()
        await place.elapse(SHORT)
        (claim,) = await bench.take()
        expect(SHORT <= claim.job.waited < LONG, True, f"it waited {SHORT} s or a little more, not {claim.job.waited}")
        await bench.put()
        (soon,) = await bench.take()
        expect(0 <= soon.job.waited < claim.job.waited, True, f"at once means no wait, not {soon.job.waited}")


async def a_bulk_insert_is_seen_whole_or_not_at_all(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        bench = Bench(store)
        inserting = asyncio.ensure_future(bench.put(500))
        seen = set()
        while not inserting.done():
            seen.add(await Bench(other).number(State.AVAILABLE))
        await inserting
        expect(seen - {0, 500}, set(), "nobody sees a part of a bulk insert")


async def a_thread_inserts_without_a_loop(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        inserted = await asyncio.to_thread(partial(store.insert_now, [bench.job(), bench.job()]))
        expect(ids(await bench.take()), [one.id for one in inserted], "the blocking insert makes jobs like others")


async def a_delayed_job_waits_for_its_time(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await store.insert([bench.job(delay=SHORT)])
        expect(await store.stage(10), 0, "a job is not staged before its time")
        expect(await bench.take(), [], "a delayed job is not claimed")
        expect(await bench.number(State.SCHEDULED), 1, "it is counted as scheduled")
        await place.elapse(2 * SHORT)
        expect(await bench.take(), [], "nothing but staging makes it available")
        expect(await store.stage(10), 1, "a due job is staged")
        expect(len(await bench.take()), 1, "and can then be claimed")


async def a_job_for_an_instant_waits_for_it(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        past, future = bench.job(at=place.now() - 60), bench.job(at=place.now() + 600)
        first, _ = await bench.insert(past, future)
        expect(await store.stage(10), 0, "an instant to come is not due")
        expect(ids(await bench.take()), [first], "an instant that has passed means now")


async def staging_keeps_its_limit_and_the_order_of_time(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        late = await bench.insert(bench.job(delay=SHORT))
        early = await bench.insert(bench.job(delay=SHORT / 2), bench.job(delay=SHORT / 4))
        await place.elapse(2 * SHORT)
        expect([await store.stage(2), await store.stage(2), await store.stage(2)], [2, 1, 0], "staging keeps its limit")
        expect(sorted(ids(await bench.take())), sorted([*late, *early]), "every due job becomes available")


async def other_clients_see_what_was_inserted(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        inserted = await Bench(store).put(2)
        there = await Bench(other).enroll()
        expect(ids(await there.take(10, QUEUE)), inserted, "jobs belong to the place, not to who inserted them")
