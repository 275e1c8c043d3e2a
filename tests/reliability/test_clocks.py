"""Workers whose clock is wrong: on Redis and PostgreSQL the server's clock decides, and nothing comes early or late."""

import psycopg
import pytest
import redis

from tests.reliability.bench import Bench
from tests.servers import faketime_env
from tests.stores.places import make_older, move_time
from treadle.runtime.plan import Plan

DELAY = 2.0
STAGED = 1.0  # seconds that a due job may wait to be staged
# A busy machine comes later than an idle one; a wrong clock is off by an hour.
SLACK = 5.0
CONCURRENCY = 4


@pytest.mark.parametrize("url", ["redis", pytest.param("postgresql", marks=pytest.mark.chaos)], indirect=True)
@pytest.mark.parametrize("offset", ["-2h", "+1h"])
def test_retries_and_delays_come_at_the_right_time_on_a_worker_whose_clock_is_wrong(bench: Bench, offset: str) -> None:
    wrong = {name: value for name, value in faketime_env(offset).items() if "FAKE" in name or name == "LD_PRELOAD"}
    node = bench.start(Plan(lease=1.0), **wrong).works()
    began = bench.book.now
    bench.enqueue(*(bench.new("tick", delay=DELAY, number=number) for number in range(5)))
    bench.fill("fail_and_wait", range(5, 10))
    bench.appear("JobRetried", 5)
    right = bench.start(Plan(lease=1.0)).works()
    assert node.log.split(":")[0] != right.log.split(":")[0]  # date and hour of the first line
    bench.done(10)
    for number in range(10):
        *first, last = [line.at for line in bench.book.of("S", number)]
        due = (first[0] if first else began) + DELAY
        assert due - 0.1 < last < due + STAGED + SLACK
    assert bench.book.events("OwnersRescued") == []
    assert (node.stops(), right.stops()) == (0, 0)
    bench.accounted(10, faults=5)


@pytest.mark.chaos
@pytest.mark.parametrize("url", ["redis", "postgresql"], indirect=True)
@pytest.mark.parametrize("seconds", [3_600.0, -7_200.0])
def test_a_jump_of_the_stores_clock_costs_one_rescue_at_the_most(bench: Bench, seconds: float) -> None:
    jobs = 400
    bench.fill("tick", range(jobs), seconds=0.02)
    node = bench.start(Plan(lease=5.0, concurrency=CONCURRENCY)).works()
    bench.done(100)
    jump(bench, seconds)
    bench.done(jobs)
    assert node.stops() == 0
    assert len(bench.book.events("OwnersRescued")) <= (seconds > 0)
    bench.accounted(jobs, faults=CONCURRENCY)


def jump(bench: Bench, seconds: float) -> None:
    """Set the clock of the store's server, as its stores see it."""
    if bench.is_redis:
        with redis.Redis.from_url(bench.url) as client:
            move_time(client, seconds)
    else:
        with psycopg.connect(bench.url, autocommit=True) as connection:
            make_older(connection, seconds)
