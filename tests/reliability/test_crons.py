"""The crontab under faults: a tick comes once, whichever node freezes or dies at it and whatever its clock says."""

import signal
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
import pytest
import redis

from tests.reliability.bench import LIMIT, Bench, Running, on_every_store
from tests.reliability.book import Happened
from tests.servers import faketime_env, stepping_env, wait_until
from treadle.core.cron_entry import CatchUp
from treadle.runtime.plan import Plan
from treadle.stores.url import sqlite_file
from treadle.supervise.clock import SystemClock

PLAN = Plan(lease=2.0)
HOUR = 3_600
POLICIES: tuple[CatchUp, ...] = ("skip", "last", "all")


def chimes(bench: Bench, name: str) -> list[int]:
    """The ticks of an entry whose jobs ran, each once for every job that was inserted for it."""
    jobs = {tuple(line.rest.rsplit(" ", 1)): int(line.what) for line in bench.book.of("C")}
    return sorted(tick for (entry, _), tick in jobs.items() if entry == name)


def fired(bench: Bench, number: int, node: Running) -> list[Happened]:
    """Wait until this node has fired so many ticks."""
    pid = node.process.pid

    def of_it() -> list[Happened]:
        return [event for event in bench.book.events("CronFired") if event.pid == pid]

    wait_until(lambda: len(of_it()) >= number, LIMIT, f"process {pid} fires {number} ticks")
    return of_it()


def fires(bench: Bench) -> Happened:
    """Wait until any node fires a tick, and give it."""
    known = len(bench.book.events("CronFired"))
    return bench.appear("CronFired", known + 1)[-1]


def whole(ticks: Sequence[int]) -> bool:
    """Whether every second from the first to the last is there, and each once."""
    return list(ticks) == list(range(ticks[0], ticks[-1] + 1))


def seconds_of(tick: str) -> int:
    return int(datetime.fromisoformat(tick).timestamp())


@pytest.mark.parametrize("faults", [1, pytest.param(8, marks=[pytest.mark.chaos, pytest.mark.timeout(300)])])
def test_a_tick_comes_once_whichever_node_freezes_or_dies_at_it(bench: Bench, faults: int) -> None:
    bench.app.crons.add("* * * * * *", bench.new("chime"), name="chime")
    nodes = [bench.start(PLAN) for _ in range(2)]
    for _ in range(faults):
        fires(bench)
        nodes = freeze_and_kill(bench, nodes)
    last = fires(bench).values["tick"]
    bench.app.crons.pause("chime")
    wait_until(lambda: chimes(bench, "chime")[-1] >= seconds_of(last), LIMIT, "the last tick's job runs")
    wait_until(lambda: whole(chimes(bench, "chime")), LIMIT, "the jobs of every tick run")
    assert [node.works().stops() for node in nodes] == [0] * len(nodes)
    assert whole(chimes(bench, "chime"))


def freeze_and_kill(bench: Bench, nodes: list[Running]) -> list[Running]:
    """Freeze the node that ticked last until the other has gone on, and kill it as it wakes; those that work then."""
    pid = bench.book.events("CronFired")[-1].pid
    [leader] = [node for node in nodes if node.process.pid == pid]
    [other] = [node for node in nodes if node is not leader]
    leader.send(signal.SIGSTOP)
    fired(bench, len(fired(bench, 0, other)) + 2, other)
    leader.send(signal.SIGCONT)
    fires(bench)
    leader.close()
    return [other, bench.start(PLAN)]


@on_every_store
def test_after_an_hour_without_workers_each_entry_catches_up_as_it_says(bench: Bench) -> None:
    now = int(SystemClock().now())
    # The latest tick of each minute was 20 seconds ago, that of the hour half an hour.
    seconds, minute = (now - 20) % 60, (now - HOUR // 2) // 60 % 60
    for policy in POLICIES:
        bench.app.crons.add(f"{seconds} * * * * *", bench.new("chime"), name=f"{policy} minutes", catch_up=policy)
        bench.app.crons.add(f"{minute} * * * *", bench.new("chime"), name=f"{policy} hour", catch_up=policy)
    set_back(bench, HOUR)
    node = bench.start(PLAN).works()
    # Three of the minute that is late only, and what two policies say of the hour.
    wait_until(lambda: len(bench.book.of("C")) >= 1 + 1 + 60 + 0 + 1 + 1, LIMIT, "what is due runs")
    assert node.stops() == 0
    found = {
        f"{policy} {kind}": len(chimes(bench, f"{policy} {kind}"))
        for policy in POLICIES
        for kind in ("minutes", "hour")
    }
    assert found == {
        "skip minutes": 1,
        "last minutes": 1,
        "all minutes": 60,
        "skip hour": 0,
        "last hour": 1,
        "all hour": 1,
    }
    missed = {event.values["entry"]: event.values["count"] for event in bench.book.events("CronMissed")}
    assert missed == {"skip minutes": 59, "last minutes": 59, "skip hour": 1}


@pytest.mark.parametrize("url", ["redis", pytest.param("postgresql", marks=pytest.mark.chaos)], indirect=True)
@pytest.mark.parametrize("offset", ["-2h", pytest.param("+1h", marks=pytest.mark.chaos)])
def test_nodes_whose_clocks_are_wrong_tick_by_the_clock_of_the_store(bench: Bench, offset: str) -> None:
    wrong = {name: value for name, value in faketime_env(offset).items() if "FAKE" in name or name == "LD_PRELOAD"}
    bench.app.crons.add("* * * * * *", bench.new("chime"), name="chime")
    node = bench.start(PLAN, **wrong)
    fired(bench, 2, node)
    right = bench.start(PLAN).works()
    assert node.log.split(":")[0] != right.log.split(":")[0]  # date and hour of the first line
    fired(bench, 1, right)
    last = fires(bench)
    bench.app.crons.pause("chime")
    assert abs(SystemClock().now() - seconds_of(last.values["tick"])) < LIMIT
    wait_until(lambda: chimes(bench, "chime")[-1] >= seconds_of(last.values["tick"]), LIMIT, "the last tick's job runs")
    assert (node.stops(), right.stops()) == (0, 0)
    assert whole(chimes(bench, "chime"))


@pytest.mark.chaos
@on_every_store
def test_a_clock_that_steps_back_across_a_minute_brings_no_tick_twice(bench: Bench) -> None:
    file = bench.folder / "clock"
    file.write_text("+0")
    clock = {name: value for name, value in stepping_env(file).items() if "FAKE" in name or name == "LD_PRELOAD"}
    minute = (int(SystemClock().now()) + 8) % 60
    bench.app.crons.add(f"{minute} * * * * *", bench.new("chime"), name="minute")
    bench.app.crons.add("* * * * * *", bench.new("chime"), name="second")
    nodes = [bench.start(PLAN, **clock) for _ in range(2)]
    wait_until(lambda: chimes(bench, "minute"), LIMIT, "the minute comes")
    [tick] = chimes(bench, "minute")
    file.write_text("-5")
    # By the clock that was set back the minute comes once more, and every second of those before it.
    wait_until(lambda: chimes(bench, "second")[-1] > tick + 7, LIMIT, "it is later than ever by every clock")
    bench.app.crons.pause("second")
    assert [node.works().stops() for node in nodes] == [0, 0]
    assert chimes(bench, "minute") == [tick]
    assert whole(chimes(bench, "second"))


def set_back(bench: Bench, seconds: int) -> None:
    """Let the crontab have stood still for so long."""
    file = sqlite_file(bench.url)
    if file is not None:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("UPDATE treadle_crons SET last_tick = last_tick - ?", (seconds,))
        connection.close()
    elif bench.is_redis:
        with redis.Redis.from_url(bench.url) as client:
            names: Any = client.hkeys("treadle:crons:ticks")
            for name in names:
                client.hincrby("treadle:crons:ticks", name, -seconds)
    else:
        with psycopg.connect(bench.url) as server:
            server.execute("UPDATE treadle_crons SET last_tick = last_tick - make_interval(secs => %s)", (seconds,))
