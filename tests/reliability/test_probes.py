"""What a node shows of itself while things go wrong: /livez, /readyz, /metrics, and what systemd is told."""

import os
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.proxy import CutProxy
from tests.reliability.bench import LIMIT, Bench, Running, on_one_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan

ANYWHERE = ("127.0.0.1", 0)
QUICK = Plan(lease=3.0, listen=ANYWHERE, answer_within=2.5, fetch_within=3.0, start_within=3.0)


class Shown(NamedTuple):
    status: int
    text: str


def show(node: Running, page: str) -> Shown:
    """A page of the node."""
    port = wait_until(lambda: re.findall(r"listening on 127\.0\.0\.1 port (\d+)", node.log), LIMIT, "it listens")[0]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as answer:
            return Shown(answer.status, answer.read().decode())
    except urllib.error.HTTPError as refused:
        return Shown(refused.code, refused.read().decode())


def turns(node: Running, page: str, status: int, timeout: float = LIMIT) -> str:
    """Wait until a page has this status; its text."""
    wait_until(lambda: show(node, page).status == status, timeout, f"/{page} turns to {status}")
    return show(node, page).text


def metrics(node: Running) -> dict[str, float]:
    """Every sample of a node, by its name and its labels without those that name a queue."""
    found = {}
    for family in text_string_to_metric_families(show(node, "metrics").text):
        for sample in family.samples:
            labels = [value for label, value in sample.labels.items() if label != "queue"]
            found[" ".join([sample.name.removeprefix("treadle_"), *labels])] = sample.value
    return found


# Progress


@pytest.mark.parametrize("url", ["redis"], indirect=True)
@pytest.mark.parametrize(
    ("plan", "turned"),
    [
        (QUICK, 10.0),
        pytest.param(Plan(listen=ANYWHERE), 45.0, marks=[pytest.mark.chaos, pytest.mark.timeout(300)]),
    ],
)
def test_a_node_whose_fetches_are_swallowed_does_not_live_until_they_are_answered(
    bench: Bench, redis_proxy: CutProxy, plan: Plan, turned: float
) -> None:
    node = bench.start(plan, TREADLE_URL=redis_proxy.url).works()
    assert turns(node, "livez", 200) == turns(node, "readyz", 200) == "ok\n"
    redis_proxy.black_hole()
    text = turns(node, "livez", 503, turned)
    assert re.fullmatch(r"worker process \d+ has not looked at its queues for \d+ s\n", text)
    assert re.fullmatch(r"the store has not answered for \d+ s\n", turns(node, "readyz", 503))
    assert show(node, "metrics").status == 200
    redis_proxy.forward()
    turns(node, "livez", 200)
    turns(node, "readyz", 200)
    bench.fill("tick", range(5))
    bench.done(5)
    assert node.stops() == 0


@on_one_store
def test_a_node_with_a_frozen_process_does_not_live_until_it_goes_on(bench: Bench) -> None:
    node = bench.start(msgspec.structs.replace(QUICK, processes=2)).works(2)
    turns(node, "livez", 200)
    frozen = node.ready[0]
    os.kill(frozen, signal.SIGSTOP)
    stalled = turns(node, "livez", 503)
    assert f"the loop of worker process {frozen} has not answered for " in stalled
    # The parent beats on for it: it is neither killed nor fenced.
    bench.fill("tick", range(20))
    os.kill(frozen, signal.SIGCONT)
    turns(node, "livez", 200)
    bench.done(20)
    assert frozen in node.ready
    assert node.stops() == 0
    bench.accounted(20)


@on_one_store
def test_a_node_that_is_full_or_quiet_lives(bench: Bench) -> None:
    node = bench.start(QUICK).works()
    bench.fill("hold", range(10), folder=str(bench.folder))
    wait_until(lambda: len(bench.book.running) == 10, LIMIT, "all slots are taken")
    pass_(bench, QUICK.fetch_within + 1.0)
    turns(node, "livez", 200)
    os.kill(node.ready[0], signal.SIGTSTP)
    bench.release(*range(10))
    bench.done(10)
    pass_(bench, QUICK.fetch_within + 1.0)
    turns(node, "livez", 200)
    assert node.stops() == 0


@on_one_store
def test_a_node_whose_processes_cannot_start_again_does_not_live(bench: Bench) -> None:
    node = bench.start(QUICK, app="tests.apps.faulty_start:app").works()
    (bench.folder / "broken").touch()
    os.kill(node.ready[0], signal.SIGKILL)
    assert "no worker process became ready in place 0 for " in turns(node, "livez", 503)
    assert turns(node, "readyz", 503) == "no worker process is ready\n"
    (bench.folder / "broken").unlink()
    turns(node, "livez", 200)
    assert node.stops() == 0


@on_one_store
def test_a_node_is_ready_until_it_drains_and_lives_while_it_does(bench: Bench) -> None:
    bench.fill("hold", range(1), folder=str(bench.folder))
    node = bench.start(QUICK)
    wait_until(lambda: bench.book.running, LIMIT, "the job runs")
    turns(node, "readyz", 200)
    node.send(signal.SIGTERM)
    assert turns(node, "readyz", 503) == "the node is draining\n"
    pass_(bench, QUICK.fetch_within + 1.0)
    turns(node, "livez", 200)
    bench.release(0)
    assert node.ends() == 0


# Metrics


def test_what_a_process_ran_is_counted_when_it_is_dead(bench: Bench) -> None:
    bench.fill("tick", range(40))
    bench.fill("fail_once", range(40, 45))
    bench.enqueue(bench.new("Foreign"), bench.new("Other"))
    node = bench.start(Plan(lease=3.0, listen=ANYWHERE)).works()
    wait_until(lambda: metrics(node).get("jobs_total fail_once completed") == 5, LIMIT, "all is counted")
    os.kill(node.ready[0], signal.SIGKILL)
    wait_until(lambda: metrics(node)["worker_deaths_total"] == 1, LIMIT, "the death is counted")
    node.works()
    bench.fill("tick", range(45, 55))
    wait_until(lambda: metrics(node)["jobs_total tick completed"] == 50, LIMIT, "more is counted")
    found = metrics(node)
    assert found["jobs_total fail_once retried"] == 5
    assert found["jobs_total unknown unknown"] == 2
    assert found["job_run_seconds_count tick"] == found["job_queue_seconds_count tick"] == 50
    assert (found["workers"], found["slots"], found["jobs_running"]) == (1, 10, 0)
    assert (found["worker_restarts_total"], found["workers_fenced_total"], found["jobs_rescued_total"]) == (1, 0, 0)
    assert node.stops() == 0


@on_one_store
def test_the_depth_and_the_age_of_queues_are_shown(bench: Bench) -> None:
    bench.fill("tick", range(7))
    bench.enqueue(bench.new("Foreign", queue="elsewhere"))
    node = bench.start(Plan(lease=3.0, listen=ANYWHERE)).works()
    wait_until(lambda: "treadle_queue_depth" in show(node, "metrics").text, LIMIT, "the node is there")
    page = wait_until(lambda: _with_queues(node), LIMIT, "the queues are shown")
    assert 'treadle_queue_depth{queue="elsewhere"} 1\n' in page
    assert re.search(r'treadle_queue_oldest_seconds{queue="elsewhere"} \d', page)
    assert node.stops() == 0


def _with_queues(node: Running) -> str:
    page = show(node, "metrics").text
    return page if "treadle_queue_depth{" in page else ""


@on_one_store
def test_a_fenced_process_is_counted(bench: Bench) -> None:
    node = bench.start(Plan(lease=1.0, listen=ANYWHERE)).works()
    other = bench.start(Plan(lease=1.0, listen=ANYWHERE)).works()
    node.tree(signal.SIGSTOP)
    bench.appear("OwnersRescued")
    node.tree(signal.SIGCONT)
    wait_until(lambda: metrics(node)["workers_fenced_total"] == 1, LIMIT, "it is counted")
    assert (node.stops(), other.stops()) == (0, 0)


# Systemd


class Told:
    """The socket that NOTIFY_SOCKET names, and what came there so far."""

    def __init__(self, line: socket.socket, path: Path) -> None:
        self._line = line
        self._messages: list[str] = []
        self.address = str(path)
        line.bind(self.address)
        line.setblocking(False)

    @property
    def messages(self) -> list[str]:
        with suppress(BlockingIOError):
            while True:
                self._messages.append(self._line.recv(4096).decode())
        return self._messages


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Told]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        yield Told(line, tmp_path / "notify")


@on_one_store
def test_systemd_hears_of_a_node_while_it_makes_progress(bench: Bench, systemd: Told) -> None:
    node = bench.start(QUICK, NOTIFY_SOCKET=systemd.address, WATCHDOG_USEC="1000000").works()
    wait_until(lambda: f"READY=1\nMAINPID={node.process.pid}" in systemd.messages, LIMIT, "the node is ready")
    wait_until(lambda: systemd.messages.count("WATCHDOG=1") >= 4, LIMIT, "it is told again and again")
    [child] = node.ready
    os.kill(child, signal.SIGSTOP)
    turns(node, "livez", 503)
    told = len(systemd.messages)
    pass_(bench, 2.0)
    assert len(systemd.messages) == told
    os.kill(child, signal.SIGCONT)
    wait_until(lambda: len(systemd.messages) > told, LIMIT, "it is told again")
    assert node.stops() == 0
    assert systemd.messages.count("STOPPING=1") == 1
    assert set(systemd.messages[-2:]) <= {"STOPPING=1", "WATCHDOG=1"}


# Helpers


def pass_(bench: Bench, seconds: float) -> None:
    """Let time pass: here it is what is tested."""
    end = bench.book.now + seconds
    wait_until(lambda: bench.book.now > end, seconds + 5, f"{seconds:g} s pass")
