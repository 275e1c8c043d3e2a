"""What the crontab relies on: entries that stay as people want them, and one step in which a tick happens once."""

# ruff: noqa: D103 - the name of a check is its promise

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from treadle.core.controls import CrontabChange
from treadle.core.cron_entry import CronEntry
from treadle.core.states import State
from treadle.core.uniqueness import Arguments, Unique, Uniqueness
from treadle.errors import ArgumentError
from treadle.stores.contract import Store
from treadle.stores.ticks import CronRow, Firing
from treadle.testing.checks.bench import LONG, Bench, Place, expect, refused

_NAME = "nightly report"
_RACERS = 8


def _entry(store: Store, expr: str = "0 3 * * *", **given: Any) -> CronEntry:
    job = given.pop("job", None) or Bench(store).job("report")
    return CronEntry(name=given.pop("name", _NAME), expr=expr, job=job, **given)


async def _row(store: Store, name: str = _NAME) -> CronRow:
    rows = (await store.crontab()).rows
    expect(name in rows, True, f"there is an entry {name!r}")
    return rows[name]


async def _due(store: Store, count: int = 1, **given: Any) -> Firing:
    """A firing of an entry that was just put, for an earlier tick: which one comes next is the caller's business."""
    entry = _entry(store, **given)
    await store.put_cron(entry)
    last = (await _row(store)).last_tick
    return Firing(_NAME, last, last - 60, (entry.job_at(last - 60),) * count)


async def an_entry_comes_back_as_it_was_put(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        job = Bench(store).job("report", queue="slow", priority=0, tags=("a", "ü"), meta={"by": ["ops"]}, rerun=False)
        args = b'[1, "\xc3\xa9"]' if job.args == b"[]" else b'{"a": 1, "\xc3\xa9": null}'
        entry = _entry(store, job=msgspec.structs.replace(job, args=args, delay=5.0), tz="Europe/Paris", days="both")
        await store.put_cron(entry)
        board = await elsewhere.crontab()
        row = board.rows[_NAME]
        expect(row.entry, entry, "what an entry says")
        expect((row.paused, row.changed, row.declared), (False, False, False), "one that a person added")
        expect(0 <= board.now - row.last_tick < 2, True, "it begins now, by the store's clock")  # noqa: PLR2004
        expect(abs(board.now - place.now()) < 2, True, "which the crontab tells")  # noqa: PLR2004


async def arguments_of_another_shape_are_refused(place: Place) -> None:
    async with place.store() as store:
        job = Bench(store).job()
        wrong = msgspec.structs.replace(job, args=b"{}" if job.args == b"[]" else b"[]")
        await refused(store.put_cron(_entry(store, job=wrong)), ArgumentError, "as at an insert")
        await refused(store.declare_crons([_entry(store, job=wrong)], fresh=True), ArgumentError, "in code too")
        expect(dict((await store.crontab()).rows), {}, "and nothing is kept")


async def a_tick_and_its_jobs_are_one_step(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        bench = await Bench(store).enroll()
        firing = await _due(store, 3)
        fired = await store.fire_cron(firing)
        claims = await bench.take()
        expect([one.id for one in fired or ()], [claim.job.id for claim in claims], "every job of a tick waits")
        told = {key: claims[0].job.meta.get(key) for key in ("cron", "cron_name", "cron_expr", "cron_tz")}
        wanted = {"cron": True, "cron_name": _NAME, "cron_expr": "0 3 * * *", "cron_tz": "UTC"}
        expect(told, wanted, "and knows where it comes from")
        expect(claims[0].job.tick and claims[0].job.tick.timestamp(), firing.tick, "and for which tick")
        expect((await _row(elsewhere)).last_tick, firing.tick, "the tick is the last one now")
        expect(await elsewhere.fire_cron(firing), None, "and comes once, also where its answer was lost")
        expect(await bench.number(State.AVAILABLE), 0, "so nothing is inserted again")


async def of_many_who_fire_one_tick_one_does(place: Place) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(place.store()) for _ in range(_RACERS)]
        firing = await _due(stores[0])
        answers = await asyncio.gather(*(store.fire_cron(firing) for store in stores))
        expect(sum(answer is not None for answer in answers), 1, "who fired")
        expect(await Bench(stores[0]).number(State.AVAILABLE), 1, "and what came of it")


async def what_is_not_due_does_not_fire(place: Place) -> None:
    async with place.store() as store:
        firing = await _due(store)
        early = msgspec.structs.replace(firing, tick=firing.last_tick + 3600)
        expect(await store.fire_cron(early), None, "a tick of the store's future")
        expect(await store.fire_cron(msgspec.structs.replace(firing, tick=firing.last_tick)), None, "the last tick")
        expect(await store.fire_cron(msgspec.structs.replace(firing, name="other")), None, "an entry that is not there")
        await store.pause_cron(_NAME, paused=True)
        expect(await store.fire_cron(firing), None, "one that is paused")
        expect(await Bench(store).number(State.AVAILABLE), 0, "nothing came of all these")
        expect((await _row(store)).last_tick, firing.last_tick, "and nothing went on")


async def a_tick_without_jobs_is_passed_over(place: Place) -> None:
    async with place.store() as store:
        firing = await _due(store, 0)
        expect(list(await store.fire_cron(firing) or ()), [], "no job comes of it")
        expect((await _row(store)).last_tick, firing.tick, "but it is the last one")


async def a_unique_job_of_a_tick_stays_away_while_its_like_waits(place: Place) -> None:
    async with place.store() as store:
        unique = Uniqueness(Unique(period=LONG, until="success"), Arguments((), {}))
        job = msgspec.structs.replace(Bench(store).job("report"), unique=unique)
        firing = await _due(store, job=job)
        [first] = await store.fire_cron(firing) or ()
        expect(first.conflict, False, "the job of the first tick is inserted")
        again = msgspec.structs.replace(firing, last_tick=firing.tick, tick=firing.tick + 1)
        [second] = await store.fire_cron(again) or ()
        expect((second.id, second.conflict), (first.id, True), "that of the second is one too many")
        expect((await _row(store)).last_tick, again.tick, "but its tick has passed")
        expect(await Bench(store).number(State.AVAILABLE), 1, "one waits")


async def a_job_that_is_delayed_waits_from_its_tick_on(place: Place) -> None:
    async with place.store() as store:
        firing = await _due(store, job=Bench(store).job(delay=LONG))
        await store.fire_cron(firing)
        counts = [await Bench(store).number(state) for state in (State.AVAILABLE, State.SCHEDULED)]
        expect(counts, [0, 1], "it is scheduled")


async def an_entry_goes_on_from_where_it_resumes(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        firing = await _due(store)
        await store.fire_cron(firing)
        expect(await store.pause_cron(_NAME, paused=True), True, "it can be paused")
        expect((await _row(elsewhere)).paused, True, "for everybody")
        expect((await _row(store)).last_tick, firing.tick, "what it passed stays known")
        expect(await elsewhere.pause_cron(_NAME, paused=False), True, "and resumed by anybody")
        row = await _row(store)
        expect((row.paused, row.last_tick >= firing.last_tick), (False, True), "it begins anew then")
        expect(
            await store.fire_cron(msgspec.structs.replace(firing, last_tick=row.last_tick)) is None, False, "and fires"
        )
        last = (await _row(store)).last_tick
        await store.pause_cron(_NAME, paused=False)
        expect((await _row(store)).last_tick, last, "who resumes what is not paused changes nothing")
        expect(await store.pause_cron("other", paused=True), False, "one that is not there cannot be paused")


async def a_new_schedule_begins_now_and_the_same_one_goes_on(place: Place) -> None:
    async with place.store() as store:
        firing = await _due(store)
        await store.fire_cron(firing)
        await store.put_cron(_entry(store, catch_up="all"))
        row = await _row(store)
        expect((row.last_tick, row.entry.catch_up), (firing.tick, "all"), "the schedule is the same")
        await store.put_cron(_entry(store, tz="Asia/Tokyo"))
        expect((await _row(store)).last_tick >= firing.last_tick, True, "the schedule is new")


async def what_code_declares_is_what_a_worker_said_that_started_last(place: Place) -> None:
    async with place.store() as store:
        await store.declare_crons([_entry(store), _entry(store, name="other")], fresh=True)
        row = await _row(store)
        expect((row.declared, row.changed, len((await store.crontab()).rows)), (True, False, 2), "both are declared")
        await store.declare_crons([_entry(store, "0 4 * * *")], fresh=False)
        expect((await _row(store)).entry.expr, "0 3 * * *", "who only says that it is still there changes nothing")
        await store.declare_crons([_entry(store, "0 4 * * *")], fresh=True)
        expect((await _row(store)).entry.expr, "0 4 * * *", "who starts does")
        expect("other" in (await store.crontab()).rows, True, "and what it does not have stays for a while")


async def what_a_person_did_to_an_entry_stays(place: Place) -> None:
    async with place.store() as store:
        declared = _entry(store)
        await store.declare_crons([declared], fresh=True)
        await store.pause_cron(_NAME, paused=True)
        await store.put_cron(_entry(store, "0 5 * * *"))
        await store.declare_crons([declared], fresh=True)
        row = await _row(store)
        expect((row.entry.expr, row.paused, row.changed, row.declared), ("0 5 * * *", True, True, True), "both stay")
        await store.put_cron(_entry(store, name="mine"))
        await store.declare_crons([_entry(store, "0 6 * * *", name="mine")], fresh=True)
        mine = await _row(store, "mine")
        expect((mine.entry.expr, mine.changed), ("0 3 * * *", True), "also where it came before the code")


async def a_removed_entry_is_gone_with_all_that_was_done_to_it(place: Place) -> None:
    async with place.store() as store:
        await store.declare_crons([_entry(store)], fresh=True)
        await store.put_cron(_entry(store, "0 5 * * *"))
        await store.pause_cron(_NAME, paused=True)
        expect(await store.remove_cron(_NAME), True, "it was there")
        expect(await store.remove_cron(_NAME), False, "and is not any more")
        await store.declare_crons([_entry(store)], fresh=False)
        row = await _row(store)
        expect((row.entry.expr, row.paused, row.changed), ("0 3 * * *", False, False), "a worker declares it anew")


async def who_ticks_is_told_that_a_person_changed_the_crontab(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        since = (await store.orders(None, wait=0.0)).position
        await elsewhere.put_cron(_entry(store))
        told = await store.orders(since, wait=10.0)
        expect(told.orders, (CrontabChange(),), "of one that is added or changed")
        for change in (
            elsewhere.pause_cron(_NAME, paused=True),
            elsewhere.pause_cron(_NAME, paused=False),
            elsewhere.remove_cron(_NAME),
        ):
            await change
        await elsewhere.remove_cron(_NAME)
        await elsewhere.declare_crons([_entry(store)], fresh=True)
        later = await store.orders(told.position, wait=0.0)
        expect(later.orders, (CrontabChange(),) * 3, "of each pause, resumption and deletion, and of nothing else")
