"""A Redis that loses replies, connections, itself and its data, under a whole worker."""

from collections.abc import Callable

import pytest

from tests.proxy import CutProxy
from tests.reliability.bench import LIMIT, Bench, Running
from tests.reliability.faults import crash, hang_up, lose_replies, repeated_only_near
from tests.servers import RedisServer, wait_until
from treadle import Treadle
from treadle.runtime.plan import Plan
from treadle.stores.redis_scripts import script

pytestmark = pytest.mark.parametrize("url", ["redis"], indirect=True)

# Seconds that `appendfsync everysec` may answer without writing while a sync of the disk is slow, and one to spare:
# redis aof.c, flushAppendOnlyFile.
UNWRITTEN = 3.0

# What a call of a script says → the jobs that make a worker call it; those that come again wait for the stager, up to a
# second.
SCRIPTS = {
    script(name).digest: jobs
    for names, jobs in (
        (("claim", "complete", "finish", "held", "report", "beat", "fence"), ("tick", "remember")),
        (("postpone", "stage", "due"), ("tick", "fail_once", "nap_once")),
    )
    for name in names
}


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.chaos)])
def test_the_reply_of_every_call_of_a_worker_is_lost_and_no_job_runs_twice(
    bench: Bench, redis_proxy: CutProxy, rounds: int
) -> None:
    lose_replies(bench, redis_proxy, redis_proxy.url, SCRIPTS, rounds)


def test_the_reply_of_every_insert_is_lost_and_no_job_doubles(bench: Bench, redis_proxy: CutProxy) -> None:
    app = Treadle(redis_proxy.url)
    for number in range(10):
        redis_proxy.cut_reply(matching=script("insert").digest)
        app.insert([bench.new("tick", number=number)])
    app.close()
    assert redis_proxy.cuts >= 9  # the first insert teaches the server the script, by its text
    node = bench.start()
    bench.done(10)
    assert node.stops() == 0
    bench.accounted(10)


def test_claims_whose_reply_fell_into_a_black_hole_run_within_two_beats_of_its_end(
    bench: Bench, redis_proxy: CutProxy
) -> None:
    lease = 6.0
    node = bench.start(Plan(lease=lease, concurrency=5), TREADLE_URL=redis_proxy.url).works()
    # What the server lends reaches nobody.
    redis_proxy.cut_reply(matching=script("claim").digest)
    bench.fill("tick", range(20), seconds=0.01)
    wait_until(lambda: redis_proxy.cuts, LIMIT, "a claim's reply is lost")
    redis_proxy.black_hole()
    began = bench.book.now
    wait_until(lambda: bench.book.now > began + 3, 5, "three seconds pass")
    redis_proxy.forward()
    healed = bench.book.now
    bench.done(20)
    assert max(line.at for line in bench.book.of("D")) < healed + 2 * lease / 6 + 3.0
    assert node.stops() == 0
    bench.accounted(20)


def test_clients_killed_five_times_a_second_cost_no_job(bench: Bench, redis_server: RedisServer) -> None:
    hang_up(bench, 2000, lambda: redis_server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))


def test_scripts_flushed_under_load_are_loaded_again(bench: Bench, redis_server: RedisServer) -> None:
    node = bench.start(Plan(lease=5.0)).works()
    for start in range(0, 1000, 50):
        redis_server.call("SCRIPT", "FLUSH")
        bench.fill("tick", range(start, start + 50))
        bench.done(start + 25)
    bench.done(1000)
    assert node.stops() == 0
    bench.accounted(1000)


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.chaos)])
def test_a_redis_killed_and_restarted_with_its_log_loses_nothing(
    bench: Bench, start_redis: Callable[..., RedisServer], times: int
) -> None:
    server, jobs = start_redis(appendonly="yes", appendfsync="always"), 600 * (times + 2)
    bench.move(server.url)
    crash(bench, server, times, jobs, lease=5.0, within=5.0)
    bench.accounted(jobs)


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.chaos)])
def test_a_redis_that_syncs_its_log_each_second_repeats_only_what_it_heard_last(
    bench: Bench, start_redis: Callable[..., RedisServer], times: int
) -> None:
    server, jobs = start_redis(appendonly="yes", appendfsync="everysec"), 600 * (times + 2)
    bench.move(server.url)
    crashes = crash(bench, server, times, jobs, lease=5.0, within=5.0)
    repeated_only_near(bench, jobs, crashes, UNWRITTEN)


def test_a_redis_that_comes_back_empty_is_one_warning_and_no_crash(
    bench: Bench, start_redis: Callable[..., RedisServer]
) -> None:
    server, lease = start_redis(), 2.0
    bench.move(server.url_of(0))
    bench.fill("hold", range(3), folder=str(bench.folder))
    node: Running = bench.start(Plan(lease=lease, processes=2)).works(2)
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the jobs run")
    children = node.children
    server.kill()
    server.restart(empty=True)
    reset = bench.appear("StoreReset")[0].at
    # Long enough for a worker to look four times at what the store says it holds.
    wait_until(lambda: bench.book.now > reset + lease * 4 / 6, 5, "the children look again")
    bench.release(*range(3))
    bench.done(3)
    bench.appear("ClaimLost", 3)
    bench.fill("tick", range(3, 10))
    bench.done(10)
    assert sorted(node.children) == sorted(children)
    assert node.stops() == 0
    assert len(bench.book.events("StoreReset")) == 1
    assert bench.book.runs.total() == 10
    assert bench.completed == 7
