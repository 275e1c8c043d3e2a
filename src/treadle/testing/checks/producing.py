"""What producers rely on: order, all or nothing, delays."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio
from functools import partial

from treadle.core.states import State
from treadle.testing.checks.bench import QUEUE, SHORT, Bench, Place, expect, ids


async def jobs_come_in_the_order_of_their_insertion(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        inserted = [*await bench.put(3), *await bench.put(1), *await bench.put(20)]
        expect(len(set(inserted)), 24, "every job has an id of its own")
        expect(ids(await bench.take()), inserted, "jobs come in the order of their insertion, in one call and in many")


async def an_insert_of_nothing_does_nothing(place: Place) -> None:
    async with place.store() as store:
        expect(list(await store.insert([])), [], "an insert of no jobs gives no ids")
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
        expect(ids(await bench.take()), list(inserted), "jobs of the blocking insert are jobs like others")


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
        first, _ = await store.insert([past, future])
        expect(await store.stage(10), 0, "an instant to come is not due")
        expect(ids(await bench.take()), [first], "an instant that has passed means now")


async def staging_keeps_its_limit_and_the_order_of_time(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        late = await store.insert([bench.job(delay=SHORT)])
        early = await store.insert([bench.job(delay=SHORT / 2), bench.job(delay=SHORT / 4)])
        await place.elapse(2 * SHORT)
        expect([await store.stage(2), await store.stage(2), await store.stage(2)], [2, 1, 0], "staging keeps its limit")
        expect(sorted(ids(await bench.take())), sorted([*late, *early]), "every due job becomes available")


async def other_clients_see_what_was_inserted(place: Place) -> None:
    async with place.store() as store, place.store() as other:
        inserted = await Bench(store).put(2)
        there = await Bench(other).enroll()
        expect(ids(await there.take(10, QUEUE)), inserted, "jobs belong to the place, not to who inserted them")
