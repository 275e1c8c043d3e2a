"""Sidekiq and treadle take turns on one job, and both move what is due at once."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

import pytest
from redis import Redis

from tests.interop.entries import (
    STARTED,
    Entry,
    attempts,
    entries,
    find,
    make_due,
    ran,
    text,
    wait_for,
    wait_until_ran,
    wait_until_started,
)
from tests.interop.node import TreadleProcess
from tests.interop.peers import SidekiqClient, SidekiqProcess
from tests.servers import wait_until
from treadle import Treadle
from treadle.core.job import NewJob

pytestmark = pytest.mark.interop

Program = Callable[[str], AbstractContextManager[object]]

# One that was killed is shown for a minute more, and would keep the other off its queue.
PROGRAMS: dict[str, Program] = {"sidekiq": SidekiqProcess, "treadle": partial(TreadleProcess, share=["default"])}
ERRORS = {"sidekiq": "ArgumentError", "treadle": "ValueError"}
EXTRA: dict[str, Any] = {
    "bid": "bWh9cA5QyN3nUw",
    "cattr": {"tenant": 7, "deep": [1.0, {"x": None}]},
    "tags": ["red"],
    "ünbekannt": "zwei €",
    "trd_not": 12345678901234567890,
}


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def client(redis_url: str) -> Iterator[SidekiqClient]:
    with SidekiqClient(redis_url) as program:
        yield program


@pytest.fixture
def app(redis_url: str) -> Iterator[Treadle]:
    app = Treadle(redis_url)
    yield app
    app.close()


def take_turns(redis: Redis, url: str, jid: str, order: Sequence[str]) -> list[Entry]:
    """Have each program make one attempt that fails, alone; how the job lies in `retry` after each."""
    lying: list[Entry] = []
    for number, name in enumerate(order, 1):
        with PROGRAMS[name](url):
            wait_until_started(redis, jid, times=number)
            lying.append(wait_for(redis, "retry", jid))
        if number < len(order):
            make_due(redis, "retry", jid)
    return lying


def check_history(history: Sequence[Entry], order: Sequence[str]) -> None:
    """Counts go up by one, the first failure's time stays, later ones grow, each by its own program's error."""
    jobs = [entry.job for entry in history]
    assert [job["retry_count"] for job in jobs] == list(range(len(order)))
    assert [job["error_class"] for job in jobs] == [ERRORS[name] for name in order]
    assert len({job["failed_at"] for job in jobs}) == 1
    assert "retried_at" not in jobs[0]
    times = [jobs[0]["failed_at"], *(job["retried_at"] for job in jobs[1:])]
    assert times == sorted(set(times))
    assert all(type(time) is float for time in times)
    assert len({job["created_at"] for job in jobs}) == 1
    pushes = [job["enqueued_at"] for job in jobs]
    assert pushes == sorted(set(pushes))
    assert {job["queue"] for job in jobs} == {"default"}


@pytest.mark.parametrize("order", [("sidekiq", "treadle", "sidekiq"), ("treadle", "sidekiq", "treadle")], ids=str)
def test_a_job_of_sidekiq_keeps_its_history_through_both(
    redis: Redis, client: SidekiqClient, redis_url: str, order: Sequence[str]
) -> None:
    jid = client.push({"class": "FailsTimes", "args": [3, 1e100, "ü"], "retry": 5, **EXTRA})
    history = take_turns(redis, redis_url, jid, order)
    check_history(history, order)
    for entry in history:
        assert {name: entry.job[name] for name in EXTRA} == EXTRA
        assert entry.score is not None
        began = entry.job.get("retried_at", entry.job["failed_at"])
        count = entry.job["retry_count"]
        # Both keep Sidekiq's formula for a job of Sidekiq's.
        assert 0 <= entry.score - began - count**4 - 15 < 10 * (count + 1)
    make_due(redis, "retry", jid)
    last = "treadle" if order[-1] == "sidekiq" else "sidekiq"
    with PROGRAMS[last](redis_url):
        [run] = wait_until_ran(redis, [jid])
    assert (run.program, run.args) == (last, [3, 1e100, "ü"])
    assert attempts(redis, jid) == 4
    assert entries(redis, "retry") == entries(redis, "dead") == []


@pytest.mark.parametrize("order", [("sidekiq", "treadle"), ("treadle", "sidekiq")], ids=str)
def test_a_job_of_treadle_keeps_its_history_through_both_and_dies_in_time(
    redis: Redis, app: Treadle, redis_url: str, order: Sequence[str]
) -> None:
    new = NewJob(name="AlwaysFails", queue="default", args=b'[1.0,"\xc3\xbc"]', max_attempts=3)
    jid = app.insert([new])[0].id
    history = take_turns(redis, redis_url, jid, order)
    check_history(history, order)
    make_due(redis, "retry", jid)
    with PROGRAMS[order[0]](redis_url):
        dead = wait_for(redis, "dead", jid).job
    assert dead["retry_count"] == 2
    assert dead["failed_at"] == history[0].job["failed_at"] < history[1].job["retried_at"] < dead["retried_at"]
    assert (dead["args"], dead["trd"]) == ([1.0, "ü"], {})
    assert attempts(redis, jid) == 3
    assert find(redis, "retry", jid) is None


def test_what_both_move_at_once_runs_once(redis: Redis, client: SidekiqClient, app: Treadle, redis_url: str) -> None:
    """Two pollers and two stagers look at 400 jobs that become due while they look."""

    @app.job(name="Echo")
    def echo(*args: Any) -> None:
        raise NotImplementedError

    seconds, _ = redis.time()
    with ExitStack() as stack:
        stack.enter_context(SidekiqProcess(redis_url, poll=0.05))
        for _ in range(2):
            stack.enter_context(TreadleProcess(redis_url, share=["default"]))
        calls = [echo.options(at=seconds + 2 + number / 100).new(number) for number in range(200)]
        jids = [handle.id for handle in app.enqueue_all(calls)]
        at = [seconds + 2 + number / 100 for number in range(200)]
        jids += [client.perform_in("Echo", when, number) for number, when in enumerate(at, 200)]
        runs = wait_until_ran(redis, jids)
        assert redis.zcard("schedule") == 0
        wait_until(lambda: redis.llen("queue:default") == 0)
    assert sorted(run.args[0] for run in ran(redis)) == list(range(400))
    assert Counter(text(jid) for jid in redis.lrange(STARTED, 0, -1)) == Counter(jids)
    assert {run.program for run in runs} == {"sidekiq", "treadle"}


def test_retries_of_both_move_at_once_and_none_is_lost(
    redis: Redis, client: SidekiqClient, app: Treadle, redis_url: str
) -> None:
    with SidekiqProcess(redis_url, poll=0.05), TreadleProcess(redis_url, share=["default"]):
        new = NewJob(name="FailsTimes", queue="default", args=b"[1]", max_attempts=5)
        ours = [one.id for one in app.insert([new] * 100)]
        jids = [*ours, *client.perform_bulk("FailsTimes", [[1]] * 100)]
        for jid in jids:
            make_due(redis, "retry", jid)
        runs = wait_until_ran(redis, jids)
    assert Counter(run.jid for run in runs) == Counter(jids)
    assert Counter(text(jid) for jid in redis.lrange(STARTED, 0, -1)) == Counter([*jids, *jids])


def test_treadle_moves_what_no_sidekiq_moves(redis: Redis, client: SidekiqClient, redis_url: str) -> None:
    """Sidekiq without a poller runs the jobs that treadle's stager made available."""
    with SidekiqProcess(redis_url, poll=None, queues=["ruby"]), TreadleProcess(redis_url, queues=["python"]):
        jid = client.perform_in("FailsTimes", 3600, 1, options={"queue": "ruby"})
        before = make_due(redis, "schedule", jid).job
        after = make_due(redis, "retry", jid).job
        [run] = wait_until_ran(redis, [jid])
    assert run.program == "sidekiq"
    assert (after["retry_count"], after["created_at"]) == (0, before["created_at"])
    assert json.dumps(after["args"]) == json.dumps(before["args"])
