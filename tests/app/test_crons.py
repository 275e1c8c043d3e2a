"""`@app.cron` and `app.crons`: what code declares, what people change, and what workers make of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from treadle import Job, Jobs, Treadle, current_job
from treadle.core.states import State
from treadle.errors import BlockingCall, ConfigError, UnknownCron
from treadle.services.crontab import EVERY


@pytest.fixture(params=["sqlite", "redis", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    given: str = request.getfixturevalue(f"{request.param}_url")
    return given


class Shop:
    """An app with one job of two entries, and what it was given for which tick."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.app = Treadle(url)
        self.done: list[tuple[str, Job]] = []
        self.heard = asyncio.Event()
        app = self.app

        @app.cron("0 */6 * * *", args={"table": "users"})
        @app.job(queue="slow", max_attempts=3, tags=["nightly"])
        @app.cron("30 2 * * *", name="orders", args=["orders"], tz="Europe/Paris", catch_up="last")
        async def export(table: str) -> None:
            self.done.append((table, current_job()))
            self.heard.set()

        self.export = export


# What code declares


def test_a_decorator_stands_above_or_below_the_one_that_makes_the_job() -> None:
    shop = Shop()
    found = {entry.name: (entry.expr, entry.tz, entry.job.args, entry.catch_up) for entry in shop.app.crons.declared()}
    assert found == {
        "export": ("0 */6 * * *", "UTC", b'{"table":"users"}', "skip"),
        "orders": ("30 2 * * *", "Europe/Paris", b'{"table":"orders"}', "last"),
    }
    assert {(entry.job.queue, entry.job.max_attempts, entry.job.tags) for entry in shop.app.crons.declared()} == {
        ("slow", 3, ("nightly",))
    }


def test_an_app_takes_the_entries_of_a_collection_before_and_after() -> None:
    jobs, app = Jobs(), Treadle("sqlite://")

    @jobs.cron("@daily")
    @jobs.job
    def before() -> None: ...

    app.include(jobs)

    @jobs.cron("@hourly")
    @jobs.job
    def after() -> None: ...

    @app.cron("@weekly", name="by the app")
    @jobs.job
    def both() -> None: ...

    assert [entry.name for entry in app.crons.declared()] == ["before", "after", "by the app"]


def test_a_job_of_another_program_has_entries_too() -> None:
    app = Treadle("sqlite://")

    @app.cron("@daily", args=[42])
    @app.external("MyApp.Mailer", queue="elixir")
    def mailer(user_id: int) -> None: ...

    [entry] = app.crons.declared()
    assert (entry.name, entry.job.queue, entry.job.args) == ("MyApp.Mailer", "elixir", b'{"user_id":42}')


# In tests


def test_a_test_moves_through_the_ticks_of_its_own_clock() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        began = jobs.now
        counts = jobs.advance(86_400)
        assert counts == {"completed": 5}
        assert jobs.enqueued() == []
    ticks = [job.tick for table, job in shop.done if table == "users"]
    assert all(tick is not None and began < tick <= began + timedelta(days=1) and tick.hour % 6 == 0 for tick in ticks)
    [night] = [job for table, job in shop.done if table == "orders"]
    assert night.meta["cron_name"] == "orders"
    assert night.meta["cron_tz"] == "Europe/Paris"


def test_nothing_ticks_while_the_clock_of_a_test_stands_and_each_test_begins_anew() -> None:
    shop = Shop()
    for _ in range(2):
        with shop.app.testing() as jobs:
            assert jobs.drain() == {}
            shop.app.crons.pause("export")
            assert jobs.advance(86_400) == {"completed": 1}


# At run time


def test_entries_are_added_changed_run_and_removed(url: str) -> None:
    shop = Shop(url)
    crons = shop.app.crons
    crons.add("0 4 * * SUN", shop.export.new("logs"), name="logs", tz="Asia/Tokyo", days="both")
    crons.add("0 5 * * *", shop.export.options(queue="fast").new("all"))
    shown = {view.name: (view.expr, view.source, view.queue, view.state) for view in crons.list()}
    assert shown == {
        "export": ("0 5 * * *", "changed", "fast", "active"),
        "logs": ("0 4 * * SUN", "added", "slow", "active"),
        "orders": ("30 2 * * *", "code", "slow", "idle"),
    }
    [first, second] = crons.next("logs", 2)
    assert (first.hour, first.isoweekday(), str(first.tzinfo), second - first) == (
        4,
        7,
        "Asia/Tokyo",
        timedelta(days=7),
    )
    handle = crons.run("logs")
    assert handle.status() is State.AVAILABLE
    crons.remove("logs")
    assert [view.name for view in crons.list()] == ["export", "orders"]
    shop.app.close()


def test_an_entry_that_no_worker_has_seen_never_ticked(url: str) -> None:
    app = Treadle(url)

    @app.cron("* * * * * *")
    @app.job
    def pulse() -> None: ...

    [view] = app.crons.list()
    assert (view.name, view.state, view.last, view.next) == ("pulse", "idle", None, None)
    app.close()


def test_a_name_that_no_entry_has_is_refused(url: str) -> None:
    shop = Shop(url)
    for call in (shop.app.crons.pause, shop.app.crons.resume, shop.app.crons.run, shop.app.crons.next):
        with pytest.raises(UnknownCron, match=r'\(export, orders\), got "oders"; did you mean "orders"\?$'):
            call("oders")
    with pytest.raises(UnknownCron, match=r'^expected the name of a cron entry \(there is none\), got "export"$'):
        shop.app.crons.remove("export")
    shop.app.close()


def test_blocking_calls_name_their_twins_in_a_loop() -> None:
    shop = Shop()

    async def story() -> None:
        with pytest.raises(BlockingCall, match=r"await app\.crons\.apause\(\)"):
            shop.app.crons.pause("export")
        await shop.app.crons.apause("export")
        assert [view.state for view in await shop.app.crons.alist()] == ["paused", "idle"]
        await shop.app.crons.aresume("export")
        await shop.app.crons.aadd("@hourly", shop.export.new("x"), name="x")
        assert len(await shop.app.crons.anext("x", 3)) == 3
        assert (await shop.app.crons.arun("x")).id
        await shop.app.crons.aremove("x")

    asyncio.run(story())


# With workers


def test_a_worker_ticks_and_the_job_knows_its_tick(url: str) -> None:
    shop = Shop(url)

    async def story() -> None:
        await shop.app.crons.aadd("* * * * * *", shop.export.new("now"), name="now")
        async with shop.app.worker():
            await shop.heard.wait()
        [view] = [view for view in await shop.app.crons.alist() if view.name == "now"]
        table, job = shop.done[0]
        assert table == "now"
        assert job.tick is not None
        assert view.last is not None
        assert view.last >= job.tick
        assert datetime.now(UTC) - job.tick < timedelta(minutes=1)  # noqa: TID251 - the store's clock is this machine's
        assert [view.state for view in await shop.app.crons.alist()] == ["active"] * 3
        await shop.app.aclose()

    asyncio.run(story())
    shop.app.close()


def test_a_worker_hears_at_once_of_an_entry_that_is_added(url: str) -> None:
    shop = Shop(url)

    async def story() -> None:
        async with shop.app.worker():
            while "idle" in {view.state for view in await shop.app.crons.alist()}:
                await asyncio.wait([asyncio.create_task(shop.heard.wait())], timeout=0.02)
            await shop.app.crons.aadd("* * * * * *", shop.export.new("now"), name="now")
            await asyncio.wait_for(shop.heard.wait(), EVERY / 2)
        await shop.app.aclose()

    asyncio.run(story())
    assert shop.done[0][0] == "now"
    shop.app.close()


def test_what_a_person_did_outlasts_the_workers(url: str) -> None:
    async def work(shop: Shop) -> None:
        async with shop.app.worker():
            while "idle" in {view.state for view in await shop.app.crons.alist()}:
                await asyncio.wait([asyncio.create_task(shop.heard.wait())], timeout=0.02)
        await shop.app.aclose()

    first, second = Shop(url), Shop(url)
    first.app.crons.pause("export")
    first.app.crons.add("0 7 * * *", first.export.new("other"), name="orders")
    asyncio.run(work(first))
    asyncio.run(work(second))
    shown = {view.name: (view.state, view.expr, view.source) for view in second.app.crons.list()}
    assert shown == {"export": ("paused", "0 */6 * * *", "code"), "orders": ("active", "0 7 * * *", "changed")}
    first.app.close()
    second.app.close()


def test_a_wrong_declaration_ends_a_worker_before_it_works() -> None:
    app = Treadle("sqlite://")

    @app.cron("@daily", tz="Europe/Pariss")
    @app.job
    def report() -> None: ...

    with pytest.raises(ConfigError, match='did you mean "Europe/Paris"'), app.worker():
        pass
