"""The testing kit: jobs in memory, a clock that stands still, and the worker's own way of running them."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from treadle import Cancel, Inject, Job, Retry, Snooze, Treadle, current_job
from treadle.core.states import State
from treadle.errors import ArgumentError, BlockingCall, ConfigError, JobFailed, JobTimeout, StoreUnavailable

DEAD = "redis://localhost:1/0"


class Shop:
    """An app and what its jobs did, in order."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.app = Treadle(url)
        self.done: list[object] = []
        self.welcome = self.app.job(queue="mail")(self._welcome)
        self.flaky = self.app.job(name="flaky")(self._flaky)
        self.order = self.app.job(name="order")(self._order)
        self.square = self.app.job(record=True)(self._square)

    async def _welcome(self, user_id: int, lang: str = "en") -> None:
        self.done.append((user_id, lang))

    async def _flaky(self, until: int) -> None:
        attempt = current_job().attempt
        self.done.append(attempt)
        if attempt < until:
            raise ValueError(f"attempt {attempt}")

    def _order(self, user_id: int) -> None:
        self.done.append(f"order {user_id}")
        self.welcome.enqueue(user_id)

    def _square(self, number: int) -> int:
        return number * number


def mail(id: int, lang: str = "en") -> None:  # noqa: A002 - the other program's word
    """Never called."""


# The store


def test_jobs_go_to_a_store_in_memory_and_not_to_the_apps_own(tmp_path: Path) -> None:
    shop = Shop(f"sqlite:///{tmp_path / 'jobs.db'}")
    with shop.app.testing() as jobs:
        shop.welcome.enqueue(42)
        assert jobs.enqueued(shop.welcome)
        assert list(tmp_path.iterdir()) == []
    handle = shop.welcome.enqueue(7)
    with shop.app.testing() as jobs:
        assert not jobs.enqueued()
    assert handle.status() is State.AVAILABLE
    shop.app.close()


def test_an_app_whose_store_is_dead_is_tested_all_the_same() -> None:
    shop = Shop(DEAD)
    with shop.app.testing() as jobs:
        shop.welcome.enqueue(42)
        assert jobs.drain() == {"completed": 1}
    with pytest.raises(StoreUnavailable):
        shop.welcome.enqueue(42)
    shop.app.close()


def test_an_app_whose_url_names_no_store_is_tested_all_the_same() -> None:
    shop = Shop("nonsense://")
    with shop.app.testing() as jobs:
        shop.welcome.enqueue(42)
        assert jobs.drain() == {"completed": 1}


def test_an_app_on_redis_gives_jobs_of_other_programs_a_list() -> None:
    shop = Shop(DEAD)
    with shop.app.testing() as jobs:
        shop.app.enqueue("HardWorker", [1, "a"], queue="ruby")
        [job] = jobs.enqueued("HardWorker")
        assert (job.args, job.queue) == ([1, "a"], "ruby")
        with pytest.raises(ArgumentError, match="list"):
            shop.app.enqueue("HardWorker", {"id": 1})


def test_arguments_go_through_the_wire_form() -> None:
    app, got = Treadle("sqlite://"), []

    @app.job
    async def keep(values: list[int]) -> None:
        got.append(values)

    with app.testing() as jobs:
        keep.enqueue((1, 2))  # type: ignore[arg-type]
        with pytest.raises(ArgumentError):
            keep.enqueue({"a set"})  # type: ignore[arg-type]
        jobs.drain()
    assert got == [[1, 2]]


def test_a_close_of_the_app_leaves_the_jobs_of_the_test() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        shop.welcome.enqueue(42)
        shop.app.close()
        assert jobs.enqueued(shop.welcome, user_id=42)
        assert jobs.drain() == {"completed": 1}


def test_one_test_at_a_time_and_everything_as_before_after_an_exception() -> None:
    shop = Shop()
    store, clock = shop.app.store, shop.app.clock
    with pytest.raises(ConfigError, match=r"one app\.testing"), shop.app.testing(), shop.app.testing():
        pass
    with pytest.raises(ZeroDivisionError), shop.app.testing():
        raise ZeroDivisionError
    assert (shop.app.store, shop.app.clock) == (store, clock)
    with shop.app.testing() as jobs:
        assert not jobs.enqueued()
    shop.app.close()


# What waits


def test_enqueued_finds_jobs_by_their_arguments_defaults_included() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        shop.app.enqueue_all([shop.welcome.new(1), shop.welcome.new(2, lang="de"), shop.flaky.new(1)])
        assert [job.args for job in jobs.enqueued(shop.welcome)] == [
            {"user_id": 1, "lang": "en"},
            {"user_id": 2, "lang": "de"},
        ]
        assert [job.args["user_id"] for job in jobs.enqueued(shop.welcome, lang="en")] == [1]
        assert [job.id for job in jobs.enqueued("_welcome", user_id=2)] == ["2"]
        assert not jobs.enqueued(shop.welcome, user_id=1, lang="de")
        assert len(jobs.enqueued()) == 3


def test_enqueued_tells_queue_time_tags_and_meta() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        shop.welcome.options(queue="slow", delay=300, tags=["vip"], meta={"by": 7}).enqueue(42)
        [job] = jobs.enqueued(shop.welcome)
        assert (job.queue, job.tags, job.meta["by"]) == ("slow", ("vip",), 7)
        assert job.scheduled_at == jobs.now + timedelta(minutes=5)


def test_a_failing_assert_shows_what_was_enqueued() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        shop.welcome.enqueue(7)
        assert (
            repr(jobs.enqueued(shop.welcome, user_id=42)) == """[] beside _welcome(user_id=7, lang='en') on "mail\""""
        )
        assert repr(jobs.enqueued(shop.welcome, user_id=7)) == """[_welcome(user_id=7, lang='en') on "mail"]"""
        shop.app.enqueue("Other", {"id": 1})
        assert repr(jobs.enqueued("Other")).startswith('[Other(id=1) on "default"] beside ')


def test_an_argument_that_the_job_has_not_is_refused() -> None:
    shop = Shop()
    with shop.app.testing() as jobs, pytest.raises(ArgumentError, match=r'\(user_id, lang\), got "usr_id"'):
        jobs.enqueued(shop.welcome, usr_id=42)


def test_a_job_of_another_program_is_found_by_its_declaration_and_is_not_run() -> None:
    shop = Shop(DEAD)
    mailer = shop.app.external("MyApp.Mailer", queue="elixir")(mail)
    with shop.app.testing() as jobs:
        mailer.enqueue(1)
        shop.welcome.enqueue(42)
        assert jobs.drain() == {"completed": 1}
        [job] = jobs.enqueued(mailer, id=1, lang="en")
        assert (job.state, job.scheduled_at, job.attempt) == (State.AVAILABLE, jobs.now, 0)
        with pytest.raises(ConfigError, match="another program"):
            jobs.run(mailer, 1)


# Drain and advance


def test_a_drain_runs_what_is_due_and_what_that_enqueues() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        handle = shop.order.enqueue(42)
        shop.welcome.options(delay=1).enqueue(7)
        assert jobs.drain() == {"completed": 2}
        assert (shop.done, handle.status()) == (["order 42", (42, "en")], State.COMPLETED)
        assert [job.args["user_id"] for job in jobs.enqueued()] == [7]


def test_a_drain_counts_what_became_of_each_attempt() -> None:
    app = Treadle("sqlite://")

    @app.job(max_attempts=2)
    async def end(how: str) -> None:
        if how == "fail":
            raise ValueError(how)
        if how != "return":
            raise {"snooze": Snooze(9), "cancel": Cancel("no"), "retry": Retry(0)}[how]

    with app.testing() as jobs:
        app.enqueue_all([end.new(how) for how in ("fail", "return", "snooze", "cancel", "retry")])
        assert jobs.drain() == {"completed": 1, "retried": 2, "snoozed": 1, "cancelled": 1, "discarded": 1}
        assert jobs.drain() == {}


def test_advance_runs_every_retry_when_it_is_due() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        handle = shop.flaky.enqueue(4)
        began = jobs.now
        assert jobs.advance(16.9) == {"retried": 1}
        assert jobs.advance(0.1) == {"retried": 1}  # 15 + 2 ** 1 seconds after the first
        assert jobs.advance(86_400) == {"retried": 1, "completed": 1}
        assert (shop.done, handle.status()) == ([1, 2, 3, 4], State.COMPLETED)
        assert jobs.now == began + timedelta(seconds=86_417)


def test_advance_keeps_the_order_in_which_jobs_are_due() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        shop.welcome.options(delay=30).enqueue(1)
        shop.flaky.enqueue(2)
        jobs.advance(60)
        assert shop.done == [1, 2, (1, "en")]


@pytest.mark.parametrize("seconds", [-1, float("nan"), "5"])
def test_advance_takes_seconds(seconds: float) -> None:
    with Treadle("sqlite://").testing() as jobs, pytest.raises(ConfigError, match="seconds to advance"):
        jobs.advance(seconds)


def test_a_result_can_be_waited_for_after_a_drain() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        handle = shop.square.enqueue(4)
        jobs.drain()
        assert handle.result(timeout=1) == 16


def test_a_process_job_runs_in_the_process_of_the_test() -> None:
    app, pids = Treadle("sqlite://"), []

    @app.job(executor="process")
    def one() -> None:
        pids.append(os.getpid())

    @app.job(executor="process")
    async def other() -> None:
        pids.append(os.getpid())

    with app.testing() as jobs:
        one.enqueue()
        other.enqueue()
        assert jobs.drain() == {"completed": 2}
    assert pids == [os.getpid()] * 2


# One job


def test_run_gives_the_value_and_sets_the_attempt() -> None:
    app = Treadle("sqlite://")

    @app.job(queue="mail", tags=["a"])
    async def show(user_id: int) -> tuple[int, int, str, tuple[str, ...]]:
        job = current_job()
        return user_id, job.attempt, job.queue, job.tags

    with app.testing() as jobs:
        assert jobs.run(show, 42, attempt=3) == (42, 3, "mail", ("a",))
        assert jobs.run(show.options(queue="slow", tags=["b"]), user_id=7) == (7, 1, "slow", ("b",))
        assert not jobs.enqueued()


@pytest.mark.parametrize("error", [ValueError("no"), Snooze(60), Cancel("no"), Retry(5)], ids=repr)
@pytest.mark.parametrize("executor", ["loop", "thread"])
def test_run_raises_what_the_job_raises(error: Exception, executor: str) -> None:
    app = Treadle("sqlite://")

    async def fail() -> None:
        raise error

    def fail_in_thread() -> None:
        raise error

    job = app.job(fail if executor == "loop" else fail_in_thread)
    with app.testing() as jobs, pytest.raises(type(error)) as raised:
        jobs.run(job)
    assert raised.value is error


def test_run_times_out_in_real_time() -> None:
    app = Treadle("sqlite://")

    @app.job(timeout=0.05)
    async def wait() -> None:
        await asyncio.Event().wait()

    with app.testing() as jobs, pytest.raises(JobTimeout, match=r"0\.05 s"):
        jobs.run(wait)


def test_run_raises_where_a_recorded_value_cannot_be_kept() -> None:
    app = Treadle("sqlite://")

    @app.job(record=True)
    async def give() -> object:
        return object()

    with app.testing() as jobs, pytest.raises(JobFailed, match="returned value"):
        jobs.run(give)


def test_run_binds_injects_and_runs_within_the_middleware() -> None:
    app, told = Treadle("sqlite://"), []

    def database() -> str:
        return "real"

    @app.job
    async def ask(user_id: int, *, db: str = Inject(database), job: Job = Inject()) -> str:
        return f"{db} {user_id} {job.attempt}"

    @app.around_perform
    async def tell(job: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        told.append(job.name)
        return await call_next()

    with app.testing() as jobs:
        assert jobs.run(ask, 42) == "real 42 1"
        with app.override(database, "fake"):
            assert jobs.run(ask, 42) == "fake 42 1"
        with pytest.raises(ArgumentError, match="user_id"):
            jobs.run(ask)
    assert told == ["ask", "ask"]


def test_run_of_the_last_attempt_tells_on_discard() -> None:
    app, told = Treadle("sqlite://"), []

    @app.job(max_attempts=3)
    async def fail() -> None:
        raise ZeroDivisionError

    @fail.on_discard
    async def tell(job: Job, error: BaseException) -> None:
        told.append((job.attempt, type(error)))

    with app.testing() as jobs:
        for attempt in (2, 3):
            with pytest.raises(ZeroDivisionError):
                jobs.run(fail, attempt=attempt)
        with pytest.raises(ConfigError, match="from 1 to 3"):
            jobs.run(fail, attempt=4)
    assert told == [(3, ZeroDivisionError)]


# Inline


def test_inline_a_job_runs_as_it_is_enqueued_also_one_for_later() -> None:
    shop = Shop()
    with shop.app.testing(inline=True) as jobs:
        shop.welcome.options(delay=300).enqueue(1)
        assert shop.done == [(1, "en")]
        shop.order.enqueue(2)
        assert shop.done[1:] == ["order 2", (2, "en")]
        assert shop.square.enqueue(4).result() == 16
        assert not jobs.enqueued()


def test_inline_a_failure_comes_out_of_the_enqueue() -> None:
    shop = Shop()
    with shop.app.testing(inline=True) as jobs:
        with pytest.raises(ValueError, match="attempt 1"):
            shop.flaky.enqueue(2)
        assert jobs.enqueued(shop.flaky)
        with pytest.raises(ValueError, match="attempt 1"):
            shop.app.enqueue_all([shop.flaky.new(2), shop.welcome.new(1)])
        assert shop.done == [1, 1]


def test_inline_a_snooze_and_a_cancel_are_no_failures() -> None:
    app = Treadle("sqlite://")

    @app.job
    async def end(error: str) -> None:
        raise Snooze(9) if error == "snooze" else Cancel("no")

    with app.testing(inline=True):
        assert end.enqueue("snooze").status() is State.SCHEDULED
        assert end.enqueue("cancel").status() is State.CANCELLED


def test_after_inline_jobs_only_wait_again() -> None:
    shop = Shop()
    with shop.app.testing(inline=True):
        shop.welcome.enqueue(1)
    with shop.app.testing() as jobs:
        shop.welcome.enqueue(2)
        assert jobs.enqueued(shop.welcome)
    assert shop.done == [(1, "en")]


# In a loop


def test_every_call_that_runs_jobs_has_an_async_twin() -> None:
    shop = Shop()

    async def story() -> None:
        async with shop.app.testing() as jobs:
            await shop.square.aenqueue(3)
            await shop.flaky.aenqueue(3)
            assert jobs.enqueued(shop.square, number=3)
            assert await jobs.adrain() == {"completed": 1, "retried": 1}
            assert await jobs.aadvance(3600) == {"retried": 1, "completed": 1}
            assert await jobs.arun(shop.square, 4) == 16
            for call in (jobs.drain, lambda: jobs.advance(1), lambda: jobs.run(shop.square, 4)):
                with pytest.raises(BlockingCall, match=r"await jobs\.a(drain|advance|run)\(\)"):
                    call()
        async with shop.app.testing(inline=True):
            assert await (await shop.square.aenqueue(5)) == 25

    asyncio.run(story())


def test_async_jobs_run_on_the_loop_of_an_async_test() -> None:
    app = Treadle("sqlite://")

    @app.job
    async def where() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def story() -> None:
        async with app.testing() as jobs:
            assert await jobs.arun(where) is asyncio.get_running_loop()

    asyncio.run(story())


# The lifespan


def test_the_lifespan_is_around_what_runs_and_around_inline_jobs_of_jobs_once() -> None:
    shop = Shop()

    @shop.app.lifespan
    async def lifespan() -> AsyncIterator[None]:
        shop.done.append("open")
        yield
        shop.done.append("close")

    with shop.app.testing() as jobs:
        shop.welcome.enqueue(1)
        assert shop.done == []
        jobs.drain()
        assert shop.done == ["open", (1, "en"), "close"]
    with shop.app.testing(inline=True):
        shop.order.enqueue(2)
    assert shop.done[3:] == ["open", "order 2", (2, "en"), "close"]
