"""Jobs that treadle enqueued are run by a real Sidekiq, by its own rules."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from tests.interop.entries import (
    EXACT,
    Ran,
    attempts,
    entries,
    find,
    make_due,
    ran,
    wait_for,
    wait_until_ran,
    wait_until_started,
)
from tests.interop.node import external
from treadle import Treadle
from treadle.app.registry import Registered

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sidekiq")]

FAR = 4102444800  # 2100-01-01


@pytest.fixture(scope="module")
def app(module_url: str) -> Iterator[Treadle]:
    app = Treadle(module_url)
    yield app
    app.close()


@pytest.fixture(scope="module")
def echo(app: Treadle) -> Registered:
    return external(app, "Echo")


@pytest.fixture(scope="module")
def fails_times(app: Treadle) -> Registered:
    return external(app, "FailsTimes", max_attempts=5)


@pytest.mark.parametrize("args", EXACT.values(), ids=EXACT.keys())
def test_arguments_arrive_exactly(redis: Redis, app: Treadle, args: list[Any]) -> None:
    jid = app.enqueue("Echo", args).id
    assert wait_until_ran(redis, [jid]) == [Ran(jid, "Echo", args)]
    assert json.dumps(ran(redis)[-1].args) == json.dumps(args)


@pytest.mark.parametrize("name", ["Billing::Invoice", "Elsewhere"])
def test_a_job_is_enqueued_by_the_ruby_name_on_any_queue(redis: Redis, app: Treadle, name: str) -> None:
    jid = app.enqueue(name, [1], queue="elsewhere").id
    assert wait_until_ran(redis, [jid]) == [Ran(jid, name, [1])]


def test_a_job_is_enqueued_from_a_coroutine(redis: Redis, module_url: str) -> None:
    async def main() -> str:
        app = Treadle(module_url)
        handle = await app.aenqueue("Echo", ["async"])
        await app.aclose()
        return handle.id

    jid = asyncio.run(main())
    assert wait_until_ran(redis, [jid]) == [Ran(jid, "Echo", ["async"])]


def test_a_delayed_job_is_moved_by_sidekiqs_poller_when_it_is_due(redis: Redis, echo: Registered) -> None:
    jid = echo.options(delay=3600).enqueue("later").id
    entry = make_due(redis, "schedule", jid)
    assert entry.score == pytest.approx(entry.job["created_at"] + 3600, abs=1e-3)
    assert "enqueued_at" not in entry.job
    assert wait_until_ran(redis, [jid]) == [Ran(jid, "Echo", ["later"])]


def test_a_job_for_an_instant_lies_at_that_instant(redis: Redis, echo: Registered) -> None:
    by_seconds = echo.options(at=FAR).enqueue().id
    by_datetime = echo.options(at=datetime.fromtimestamp(FAR + 0.5, UTC)).enqueue().id
    assert wait_for(redis, "schedule", by_seconds).score == FAR
    assert wait_for(redis, "schedule", by_datetime).score == FAR + 0.5
    past = echo.options(at=1.0).enqueue("past").id
    assert wait_until_ran(redis, [past]) == [Ran(past, "Echo", ["past"])]


def test_a_bulk_lies_in_order_and_runs_once_each(redis: Redis, app: Treadle, echo: Registered) -> None:
    parked = app.enqueue_all([echo.options(queue="bulk").new(number) for number in range(5)])
    lying = [entry.job["jid"] for entry in reversed(entries(redis, "queue:bulk"))]
    assert lying == [handle.id for handle in parked]
    handles = app.enqueue_all([echo.new(number) for number in range(300)])
    runs = wait_until_ran(redis, [handle.id for handle in handles])
    assert sorted(run.args[0] for run in runs) == list(range(300))


def test_a_failing_job_is_retried_by_sidekiq(redis: Redis, fails_times: Registered) -> None:
    jid = fails_times.enqueue(2, "rest").id
    first = make_due(redis, "retry", jid)
    wait_until_started(redis, jid, times=2)
    second = make_due(redis, "retry", jid)
    assert wait_until_ran(redis, [jid]) == [Ran(jid, "FailsTimes", [2, "rest"])]
    assert [entry.job["retry_count"] for entry in (first, second)] == [0, 1]
    assert second.job["failed_at"] == first.job["failed_at"] < second.job["retried_at"]
    assert first.job["trd"] == second.job["trd"] == {}
    assert first.job["created_at"] == second.job["created_at"] < second.job["enqueued_at"]
    assert first.score is not None
    assert 15 <= first.score - first.job["failed_at"] < 25


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_max_attempts_are_the_runs_that_sidekiq_makes(redis: Redis, app: Treadle, max_attempts: int) -> None:
    job = external(app, "AlwaysFails" if max_attempts == 3 else "RetryZero", max_attempts=max_attempts)
    jid = job.enqueue("x").id
    for done in range(1, max_attempts):
        make_due(redis, "retry", jid)
        wait_until_started(redis, jid, times=done + 1)
    dead = wait_for(redis, "dead", jid).job
    assert dead["retry_count"] == max_attempts - 1
    assert attempts(redis, jid) == max_attempts
    assert find(redis, "retry", jid) is None


def test_a_job_of_no_ruby_class_is_retried_there_as_any_failure(redis: Redis, app: Treadle) -> None:
    jid = app.enqueue("NoSuchClass", []).id
    job = wait_for(redis, "retry", jid).job
    assert (job["retry_count"], job["error_class"]) == (0, "NameError")


def test_the_handle_follows_a_job_through_sidekiq(redis: Redis, fails_times: Registered) -> None:
    handle = fails_times.options(delay=3600).enqueue(9)
    assert handle.status() == "scheduled"
    make_due(redis, "schedule", handle.id)
    wait_for(redis, "retry", handle.id)
    assert handle.status() == "retryable"
    assert handle.cancel()
    assert find(redis, "retry", handle.id) is None
    assert handle.status() == "cancelled"
