"""Who works on an SQLite file and how its queues do, by a clock that is moved."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.stores.places import SqliteFile, beside
from treadle.stores.contract import Store
from treadle.stores.sqlite_activity import COUNTED
from treadle.stores.views import QueueView
from treadle.testing.checks.bench import OTHER, OWNER, Bench

Story = Callable[[SqliteFile, Store], Awaitable[None]]


@pytest.fixture
def place(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path)


def on(place: SqliteFile, story: Story) -> None:
    async def tell() -> None:
        async with place.store() as store:
            await story(place, store)

    asyncio.run(tell())


def test_a_rate_is_that_of_the_last_minute(place: SqliteFile) -> None:
    async def story(place: SqliteFile, store: Store) -> None:
        await Bench(store).report("mail", done={"mail": 30})
        place.clock.advance(30)
        await Bench(store).report("mail", done={"mail": 30})
        assert (await store.queues())["mail"].rate == 1.0
        place.clock.advance(35)
        assert (await store.queues())["mail"].rate == 60 / 65
        place.clock.advance(5)
        assert (await store.queues())["mail"].rate == 0.5
        place.clock.advance(60)
        assert await store.queues() == {}
        await Bench(store).report("mail")
        assert beside(place, "SELECT count(*) FROM treadle_done") == [(0,)]

    on(place, story)


def test_a_clock_that_was_set_back_leaves_no_rate_behind(place: SqliteFile) -> None:
    async def story(place: SqliteFile, store: Store) -> None:
        await Bench(store).report("mail", done={"mail": 30})
        place.clock.step(-3_600)
        assert await store.queues() == {}
        await Bench(store).report("mail", done={"mail": 6})
        assert (await store.queues())["mail"].rate == 0.1

    on(place, story)


def test_the_oldest_of_all_priorities_tells_the_age(place: SqliteFile) -> None:
    async def story(place: SqliteFile, store: Store) -> None:
        bench = Bench(store)
        await store.insert([bench.job(priority=9)])
        place.clock.advance(10)
        await store.insert([bench.job(priority=0), bench.job(priority=0)])
        place.clock.advance(5)
        assert await store.queues() == {"default": QueueView(available=3, age=15.0)}
        # What stood before the clock was set back is not older than nothing.
        place.clock.step(-3_600)
        assert (await store.queues())["default"].age == 0.0

    on(place, story)


def test_a_job_waited_from_when_it_was_due_in_any_form_of_an_instant(place: SqliteFile) -> None:
    async def story(place: SqliteFile, store: Store) -> None:
        bench = await Bench(store).enroll()
        await bench.put(5)
        forms = ["2026-11-22T12:00:00Z", "2026-11-22 12:00:00", "2026-11-22T12:00:00.000Z", "2026-11-22T13:00:00+01:00"]
        for number, text in enumerate([*forms, "some day"], 1):
            beside(place, "UPDATE oban_jobs SET scheduled_at = ? WHERE id = ?", (text, number))
        place.clock.advance(90)
        claims = await bench.take()
        assert {claim.job.id: claim.job.waited for claim in claims} == {"1": 90, "2": 90, "3": 90, "4": 90, "5": 0}
        held = {claim.job.id: claim for claim in await store.held(OWNER)}
        assert held == {claim.job.id: claim for claim in claims}

    on(place, story)


def test_no_more_is_counted_than_costs_a_moment(place: SqliteFile) -> None:
    async def story(place: SqliteFile, store: Store) -> None:
        bench = Bench(store)
        await store.insert([bench.job(priority=number % 2) for number in range(COUNTED + 10)])
        assert (await store.queues())["default"].available == COUNTED

    on(place, story)


def test_what_an_owner_serves_goes_with_it(place: SqliteFile) -> None:
    async def story(place: SqliteFile, store: Store) -> None:
        await Bench(store).enroll()
        await Bench(store, OTHER).enroll()
        for owner in (OWNER, OTHER, "never:1:enrolled"):
            await Bench(store, owner).report("mail")
        await store.leave(OWNER)
        assert beside(place, "SELECT owner FROM treadle_serving") == [(OTHER,)]
        beside(place, "DELETE FROM treadle_owners")
        await store.prune({}, 10)
        assert beside(place, "SELECT count(*) FROM treadle_serving") == [(0,)]

    on(place, story)


def test_marks_stand_in_the_columns_that_oban_reads(place: SqliteFile) -> None:
    async def story(place: SqliteFile, store: Store) -> None:
        bench = Bench(store)
        marked = bench.job(tags=("red",), meta={"team": "shop"}, priority=3, rerun=False)
        await store.insert([marked, bench.job()])
        rows = beside(place, "SELECT tags, meta, priority FROM oban_jobs ORDER BY id")
        assert rows == [('["red"]', '{"team":"shop","treadle_rerun":false}', 3), ("[]", "{}", 0)]

    on(place, story)
