"""A Sidekiq whose keys have a name before them (Debian's ruby-redis-namespace) and a treadle with `?namespace=`."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.interop.entries import make_due, text, wait_for
from tests.interop.node import TreadleProcess, external
from tests.interop.peers import SidekiqClient, SidekiqProcess
from tests.servers import ProgramMissingError, wait_until
from treadle import Treadle

pytestmark = pytest.mark.interop

NAME = "shop"


@pytest.fixture(autouse=True)
def gem() -> None:
    found = subprocess.run(["ruby", "-e", 'require "redis/namespace"'], check=False, capture_output=True)
    if found.returncode:
        raise ProgramMissingError("expected Ruby's redis-namespace, got none; `make setup` installs it")


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def app(redis_url: str) -> Iterator[Treadle]:
    app = Treadle(f"{redis_url}?namespace={NAME}")
    yield app
    app.close()


def reports(redis: Redis) -> dict[str, tuple[str, list[object]]]:
    """Which program ran which job with which arguments."""
    found = map(json.loads, redis.lrange(f"{NAME}:interop:ran", 0, -1))
    return {report["jid"]: (report["program"], report["args"]) for report in found}


def test_jobs_go_both_ways_below_one_name(redis: Redis, redis_url: str, app: Treadle) -> None:
    url = f"{redis_url}?namespace={NAME}"
    with (
        SidekiqClient(redis_url, namespace=NAME) as client,
        SidekiqProcess(redis_url, queues=["ruby"], namespace=NAME) as sidekiq,
        TreadleProcess(url, queues=["python"]) as treadle,
    ):
        to_treadle = client.perform_async("Echo", 1, options={"queue": "python"})
        to_sidekiq = app.enqueue("Echo", [2], queue="ruby").id
        later = external(app, "FailsTimes", max_attempts=3).options(delay=3600, queue="ruby").enqueue(1, "ü").id
        make_due(redis, f"{NAME}:schedule", later)
        assert make_due(redis, f"{NAME}:retry", later).job["retry_count"] == 0
        dead = client.perform_async("AlwaysFails", options={"retry": 0, "queue": "python"})
        wait_for(redis, f"{NAME}:dead", dead)
        wait_until(lambda: reports(redis).keys() >= {to_treadle, to_sidekiq, later}, what="the three jobs ran")
        assert {process["identity"] for process in client.processes()} == {sidekiq.identity, treadle.identity}
        wait_until(lambda: client.stats()["processed"] == 5)
    assert reports(redis) == {
        to_treadle: ("treadle", [1]),
        to_sidekiq: ("sidekiq", [2]),
        later: ("sidekiq", [1, "ü"]),
    }
    names = [text(key) for key in redis.keys("*")]
    assert [name for name in names if not name.startswith(f"{NAME}:")] == []


def test_without_the_name_nothing_is_seen(redis: Redis, redis_url: str, app: Treadle) -> None:
    jid = app.enqueue("Echo", [1]).id
    with TreadleProcess(redis_url) as treadle:
        treadle.wait_for_beats(2)
    assert wait_for(redis, f"{NAME}:queue:default", jid).job["args"] == [1]
