"""A treadle node and a Sidekiq process on one queue at once: each job once, each leaves the other's jobs alone."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis import Redis

from tests.interop.entries import (
    STARTED,
    attempts,
    find,
    make_due,
    ran,
    release,
    text,
    wait_for,
    wait_until_ran,
    wait_until_started,
)
from tests.interop.node import TreadleProcess, external
from tests.interop.peers import SidekiqClient, SidekiqProcess
from tests.interop.program import PeerError
from tests.servers import wait_until
from treadle import Treadle

pytestmark = pytest.mark.interop

FIVE_YEARS = 157_680_000  # seconds: sidekiq launcher.rb, STATS_TTL


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


def counter(redis: Redis, name: str) -> int:
    return int(redis.get(f"stat:{name}") or 0)


def test_each_of_500_jobs_runs_exactly_once(redis: Redis, client: SidekiqClient, app: Treadle, redis_url: str) -> None:
    with ExitStack() as stack:
        stack.enter_context(SidekiqProcess(redis_url, concurrency=5))
        # A node with a short lease rescues five times a second.
        stack.enter_context(TreadleProcess(redis_url, processes=2, lease=1.0, share=["default"]))
        echo = external(app, "Echo")
        jids: list[str] = []
        for first in range(0, 500, 100):
            jids += client.perform_bulk("Echo", [[number] for number in range(first, first + 50)])
            jids += [
                handle.id for handle in app.enqueue_all([echo.new(number) for number in range(first + 50, first + 100)])
            ]
        wait_until_ran(redis, jids)
    runs = ran(redis)
    assert sorted(run.args[0] for run in runs) == list(range(500))
    assert Counter(text(jid) for jid in redis.lrange(STARTED, 0, -1)) == Counter(jids)
    assert {run.program for run in runs} == {"sidekiq", "treadle"}
    assert not redis.llen("queue:default")
    assert not redis.exists("retry", "dead")


def test_no_program_rescues_what_the_other_runs(redis: Redis, client: SidekiqClient, redis_url: str) -> None:
    with (
        SidekiqProcess(redis_url, queues=["ruby"]) as sidekiq,
        TreadleProcess(redis_url, queues=["python"], lease=0.6) as treadle,
        # It serves both queues, and would run what anybody gave back.
        TreadleProcess(redis_url, queues=["ruby", "python"], lease=0.6, share=["ruby"]) as other,
    ):
        alive = {sidekiq.identity, treadle.identity, other.identity}
        jids = client.perform_bulk("Held", [[60]] * 4, options={"queue": "ruby"})
        jids += client.perform_bulk("Held", [[60]] * 4, options={"queue": "python"})
        for jid in jids:
            wait_until_started(redis, jid)
        # Twelve reports are two leases, in which the rescuer looked twelve times.
        other.wait_for_beats(12)
        assert {text(name) for name in redis.smembers("processes")} == alive
        assert [attempts(redis, jid) for jid in jids] == [1] * 8
        for jid in jids:
            release(redis, jid)
        wait_until_ran(redis, jids)
        other.wait_for_beats(2)
    assert Counter(run.jid for run in ran(redis)) == Counter(jids)


def test_a_queue_that_sidekiq_serves_is_refused_and_named(redis: Redis, redis_url: str) -> None:
    with SidekiqProcess(redis_url, queues=["ruby", "default"]) as sidekiq:
        with pytest.raises(PeerError) as refused, TreadleProcess(redis_url):
            pass
        assert (
            f'expected queue "default" to be served by treadle alone, got the live sidekiq process {sidekiq.identity}'
            in str(refused.value)
        )
        assert "--share NAME" in str(refused.value)
        assert {text(name) for name in redis.smembers("processes")} == {sidekiq.identity}
        with TreadleProcess(redis_url, queues=["python"]) as treadle:
            assert treadle.stop() == 0
        assert sidekiq.stop() == 0
    # One that ended as it should is gone at once.
    with TreadleProcess(redis_url, queues=["ruby"]) as treadle:
        assert treadle.stop() == 0


def test_what_a_killed_sidekiq_ran_is_lost_as_always_and_a_killed_treadles_is_not(
    redis: Redis, client: SidekiqClient, redis_url: str
) -> None:
    with SidekiqProcess(redis_url, queues=["ruby"]) as sidekiq, TreadleProcess(redis_url, queues=["python"]) as treadle:
        lost, kept = (client.perform_async("Held", options={"queue": queue}) for queue in ("ruby", "python"))
        for jid in (lost, kept):
            wait_until_started(redis, jid)
        sidekiq.kill()
        treadle.kill()
    with TreadleProcess(redis_url, queues=["nothing"], lease=0.6) as rescuer:
        wait_until(lambda: find(redis, "queue:python", kept))
        rescuer.wait_for_beats(6)
        assert treadle.identity not in {text(name) for name in redis.smembers("processes")}
    assert find(redis, "queue:ruby", lost) is None
    with SidekiqProcess(redis_url, queues=["python"]):
        release(redis, kept)
        [run] = wait_until_ran(redis, [kept])
    assert run.program == "sidekiq"


def test_what_one_gives_back_when_it_stops_the_other_runs_as_it_was(
    redis: Redis, client: SidekiqClient, redis_url: str
) -> None:
    with SidekiqProcess(redis_url, concurrency=1, shutdown=1) as sidekiq:
        of_sidekiq = client.perform_async("Held", 60, options={"bid": "b1"})
        wait_until_started(redis, of_sidekiq)
        assert sidekiq.stop() == 0
    before = wait_for(redis, "queue:default", of_sidekiq).payload
    with TreadleProcess(redis_url, grace=0.1) as treadle:
        wait_until_started(redis, of_sidekiq, times=2)
        assert treadle.stop() == 0
    assert wait_for(redis, "queue:default", of_sidekiq).payload == before
    # Whoever ran it before has ended, and takes no release away.
    with SidekiqProcess(redis_url):
        wait_until_started(redis, of_sidekiq, times=3)
        release(redis, of_sidekiq)
        [run] = wait_until_ran(redis, [of_sidekiq])
    assert run.program == "sidekiq"


def test_both_count_into_the_same_counters(redis: Redis, client: SidekiqClient, redis_url: str) -> None:
    with (
        SidekiqProcess(redis_url, queues=["ruby"], beat=0.2),
        TreadleProcess(redis_url, queues=["python"]),
    ):
        jids: list[str] = []
        for queue in ("ruby", "python"):
            on = {"queue": queue}
            jids += client.perform_bulk("Echo", [[number] for number in range(7)], options=on)
            failing = client.perform_async("FailsTimes", 1, options=on)
            jids.append(failing)
            make_due(redis, "retry", failing)
            client.perform_async("AlwaysFails", options={"retry": 0, **on})
            client.perform_async("AlwaysFails", options={"retry": False, **on})
        wait_until_ran(redis, jids)
        # Each ran 7 that succeed, one twice, and 2 that fail for good; processed includes failed.
        wait_until(lambda: counter(redis, "processed") == 2 * 11, what="both have counted all their runs")
        wait_until(lambda: counter(redis, "failed") == 2 * 3)
        stats = client.stats()
    assert (stats["processed"], stats["failed"]) == (22, 6)
    # Two, where midnight came between.
    days = [text(key).removeprefix("stat:processed:") for key in redis.keys("stat:processed:*")]
    for name, total in (("processed", 22), ("failed", 6)):
        assert sum(counter(redis, f"{name}:{day}") for day in days) == total
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days)
        assert all(redis.ttl(f"stat:{name}:{day}") == pytest.approx(FIVE_YEARS, abs=120) for day in days)
