"""Parents whose children cannot be replaced, whose store is away or that run out of files: they wait, and they end."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable

import psutil
import pytest

from tests.proxy import CutProxy
from tests.reliability.bench import LIMIT, Bench, on_one_store
from tests.servers import RedisServer, wait_until
from treadle.runtime.plan import Plan


@on_one_store
def test_a_parent_whose_children_die_at_once_waits_longer_each_time_and_ends_at_once(bench: Bench) -> None:
    node = bench.start(app="tests.apps.faulty_start:app").works()
    (bench.folder / "broken").touch()
    os.kill(node.ready[0], signal.SIGKILL)
    wait_until(lambda: node.log.count("SystemExit: the app") == 5, LIMIT, "five children could not start")
    wait_until(lambda: not node.children, 5, "the parent waits")
    assert bench.book.now - bench.book.events("ChildDied")[0].at > 0.25 + 0.5 + 1.0
    node.send(signal.SIGTERM)
    assert node.ends(1.0) == 0


@on_one_store
def test_a_parent_whose_app_is_mended_works_again(bench: Bench) -> None:
    node = bench.start(app="tests.apps.faulty_start:app").works()
    (bench.folder / "broken").touch()
    os.kill(node.ready[0], signal.SIGKILL)
    wait_until(lambda: "the app is broken" in node.log, LIMIT, "a child could not start")
    (bench.folder / "broken").unlink()
    bench.fill("tick", range(3))
    bench.done(3)
    assert node.stops() == 0
    bench.accounted(3)


@on_one_store
def test_a_parent_without_files_to_open_waits_and_recovers(bench: Bench) -> None:
    node = bench.start().works()
    bench.fill("tick", range(1))
    bench.done(1)
    parent = psutil.Process(node.process.pid)
    limits = resource.prlimit(parent.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(parent.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    os.kill(node.ready[0], signal.SIGKILL)
    spent, began = parent.cpu_times().user, bench.book.now
    wait_until(lambda: bench.book.now > began + 2.0 or not node.alive, 5, "two seconds pass")
    assert node.alive, node.log
    assert parent.cpu_times().user - spent < 0.4
    resource.prlimit(parent.pid, resource.RLIMIT_NOFILE, limits)
    bench.fill("tick", range(1, 4))
    bench.done(4)
    assert node.stops() == 0
    bench.accounted(4)


@pytest.mark.parametrize("url", ["redis"], indirect=True)
def test_a_second_signal_ends_a_node_whose_store_is_away(bench: Bench, start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    bench.move(server.url_of(0))
    bench.fill("hold", range(3), folder=str(bench.folder))
    node = bench.run("treadle.cli", "work", "tests.apps.faulty_jobs:app", "--lease", "2")
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the jobs run")
    server.kill()
    node.send(signal.SIGTERM)
    wait_until(lambda: "draining" in node.log, 5, "it drains")
    node.send(signal.SIGTERM)
    assert node.ends(5.0) == 0


@on_one_store
def test_a_process_with_the_name_of_a_dead_one_is_another_owner(bench: Bench) -> None:
    within = ("unshare", "--pid", "--fork", "--kill-child")
    if subprocess.run([*within, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a namespace of process ids (unshare --pid, as root)")
    bench.fill("hold", range(3), folder=str(bench.folder))
    owners = []
    for turn in (1, 2):
        node = bench.start(Plan(lease=1.0), prefix=within)
        wait_until(lambda turn=turn: len(bench.book.of("S")) == 3 * turn, LIMIT, "the jobs run")  # type: ignore[misc]
        owners.append(bench.book.events("WorkerReady")[-1].values["owner"])
        if turn == 1:
            node.close()
    first, second = (owner.rsplit(":", 1) for owner in owners)
    assert first[0] == second[0]
    assert first[1] != second[1]
    bench.release(*range(3))
    bench.done(3)
    bench.accounted(3, faults=3)


@pytest.mark.parametrize("url", ["redis"], indirect=True)
def test_a_process_that_cannot_reach_the_store_when_it_may_begin_is_replaced(
    bench: Bench, redis_proxy: CutProxy
) -> None:
    node = bench.start(Plan(lease=5.0), TREADLE_URL=redis_proxy.url).works()
    cuts = redis_proxy.cuts
    redis_proxy.cut_request(matching=b"PING")
    os.kill(node.ready[0], signal.SIGKILL)
    wait_until(lambda: redis_proxy.cuts > cuts, LIMIT, "the next process is cut off")
    wait_until(lambda: node.ready, LIMIT, "another takes its place")
    bench.fill("tick", range(3))
    bench.done(3)
    assert node.stops() == 0
    bench.accounted(3)


@on_one_store
def test_a_quiet_node_stays_quiet_when_a_process_of_it_is_replaced(bench: Bench) -> None:
    bench.fill("hold", range(1), folder=str(bench.folder))
    node = bench.start(Plan(lease=1.0))
    wait_until(lambda: bench.book.running, LIMIT, "the job runs")
    node.send(signal.SIGTSTP)
    bench.release(0)
    bench.done(1)
    os.kill(node.ready[0], signal.SIGKILL)
    bench.appear("WorkerReady", 2)
    bench.fill("tick", range(1, 3))
    assert node.stops() == 0
    assert bench.book.ended == 1
    bench.start(Plan(lease=1.0))
    bench.done(3)
    bench.accounted(3)
