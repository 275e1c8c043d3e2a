"""What is done to a store under a whole worker, and what the worker owes for all that."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tests.reliability.bench import Bench
from tests.servers import Server, wait_until
from treadle.runtime.plan import Plan


class Proxy(Protocol):
    """Stands before a server; `cuts` counts the replies that it has lost."""

    cuts: int

    def cut_reply(self, nth: int = 1, *, matching: bytes = b"") -> None: ...


def lose_replies(bench: Bench, proxy: Proxy, url: str, calls: Mapping[bytes, Sequence[str]], rounds: int) -> None:
    """Lose a reply to each call once a round: nothing is lost, and nothing runs twice but what failed by it.

    `url` is the store's by way of the proxy; `calls` maps what stands in a request to jobs that make a worker send it.
    """
    node = bench.start(Plan(lease=3.0, concurrency=4), TREADLE_URL=url).works()
    children, number = node.children, 0
    for request in [*calls] * rounds:
        before = proxy.cuts
        proxy.cut_reply(matching=request)
        began = bench.book.now
        while proxy.cuts == before:
            assert bench.book.now < began + 10, f"{request!r} is sent"
            bench.enqueue(*(bench.new(job, number=number + place) for place, job in enumerate(calls[request])))
            number += len(calls[request])
            bench.done(number)
    assert node.children == children
    for event in ("ChildDied", "ChildKilled", "OwnersRescued", "StoreReset", "WorkerFenced", "ClaimLost"):
        assert bench.book.events(event) == []
    assert node.stops() == 0
    failed = [line.what for line in bench.book.of("X")]
    assert len(failed) == len(set(failed))
    bench.accounted(number, faults=len(failed))


def hang_up(bench: Bench, jobs: int, end_connections: Callable[[], object]) -> None:
    """End every connection five times a second under two workers: no job is lost, and none runs twice."""
    node = bench.start(Plan(lease=5.0, processes=2)).works(2)
    for start in range(0, jobs, 100):
        bench.fill("tick", range(start, start + 100), seconds=0.02)
        end_connections()
        began = bench.book.now
        wait_until(lambda began=began: bench.book.now > began + 0.2, 2, "a fifth of a second passes")  # type: ignore[misc]
    bench.done(jobs)
    assert node.stops() == 0
    assert bench.book.events("WorkerFenced") == bench.book.events("ChildDied") == []
    bench.accounted(jobs)


def crash(bench: Bench, server: Server, times: int, jobs: int, *, lease: float, within: float) -> list[float]:
    """Kill the server under a node that works on so many jobs, start it again, come to the end; when it was killed.

    `within` so many seconds of each start jobs run again.
    """
    bench.fill("tick", range(jobs), seconds=0.01)
    node = bench.start(Plan(lease=lease)).works()
    crashes = []
    for turn in range(1, times + 1):
        bench.done(jobs // (times + 2) * turn)
        crashes.append(bench.book.now)
        server.kill()
        server.start()
        up = bench.book.now
        wait_until(lambda up=up: bench.book.of("S")[-1].at > up, within, "jobs run again")  # type: ignore[misc]
    bench.done(jobs)
    assert node.stops() == 0
    return crashes


def repeated_only_near(bench: Bench, jobs: int, crashes: Sequence[float], unwritten: float) -> None:
    """Nothing is lost, and only what was heard within so many seconds before a crash, or one after it, ran again."""
    late = {
        int(line.what)
        for line in (*bench.book.of("S"), *bench.book.of("D"))
        if any(crash - unwritten <= line.at <= crash + 1 for crash in crashes)
    }
    assert {job for job, runs in bench.book.runs.items() if runs > 1} <= late
    bench.accounted(jobs, faults=len(late))
