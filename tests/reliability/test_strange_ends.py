"""Jobs and middleware that raise what is no error, fork, hang or cancel: contained, and the slot comes back."""

import signal

import pytest

from tests.reliability.bench import LIMIT, Bench, on_every_store, on_one_store
from tests.servers import wait_until
from treadle.runtime.plan import Plan

KINDS = ("CancelledError", "KeyboardInterrupt", "GeneratorExit", "SystemExit")
MIDDLEWARE = "tests.apps.faulty_middleware:app"


@on_one_store
def test_what_is_no_ordinary_error_is_an_ordinary_failure(bench: Bench) -> None:
    numbers = range(2 * len(KINDS))
    jobs = [bench.new("end_with", number=number, kind=kind) for number, kind in enumerate(KINDS)]
    jobs += [bench.new("end_thread_with", number=number + 4, kind=kind) for number, kind in enumerate(KINDS)]
    bench.enqueue(*jobs)
    node = bench.start(Plan(concurrency=2)).works()
    children = node.children
    bench.done(len(numbers))
    classes = sorted(event.values["failure"]["error_class"] for event in bench.book.events("JobRetried"))
    assert classes == sorted(KINDS * 2)
    bench.fill("hold", range(8, 10), folder=str(bench.folder))
    wait_until(lambda: len(bench.book.of("S", 8, 9)) == 2, 5, "every slot came back")
    bench.release(8, 9)
    bench.done(10)
    assert node.children == children
    assert node.stops() == 0
    bench.accounted(10, faults=8)


@on_every_store
def test_a_job_that_forks_shares_no_connection_with_its_child(bench: Bench) -> None:
    bench.fill("fork", range(5))
    bench.fill("tick", range(5, 30), seconds=0.05)
    node = bench.start().works()
    children = node.children
    wait_until(lambda: bench.book.ended == 35, LIMIT, "the jobs and those of the forks end")
    assert node.children == children
    assert node.stops() == 0
    assert set(bench.book.runs.values()) == {1}
    assert bench.completed == 35


@on_one_store
@pytest.mark.parametrize(
    ("queue", "job", "error"),
    [
        ("raise", "tick", "RuntimeError"),
        ("cancel", "tick", "CancelledError"),
        ("hang", "wait_in_middleware", "JobTimeout"),
    ],
)
def test_middleware_that_misbehaves_fails_the_attempt_and_gives_the_slot_back(
    bench: Bench, queue: str, job: str, error: str
) -> None:
    bench.enqueue(*(bench.new(job, queue=queue, number=number) for number in range(4)))
    node = bench.start(Plan(concurrency=2, queues=(queue, "default")), app=MIDDLEWARE).works()
    children = node.children
    failed = bench.appear("JobRetried", 4)
    assert [event.values["failure"]["error_class"] for event in failed] == [error] * 4
    bench.fill("hold", range(10, 12), folder=str(bench.folder))
    wait_until(lambda: len(bench.book.of("S", 10, 11)) == 2, 5, "every slot came back")
    bench.release(10, 11)
    assert node.children == children
    assert node.stops() == 0


@pytest.mark.parametrize("way", ["exits", "forgets", pytest.param("is interrupted", marks=pytest.mark.chaos)])
def test_a_program_that_ends_with_a_worker_inside_loses_nothing(bench: Bench, way: str) -> None:
    bench.fill("hold", range(3), folder=str(bench.folder))
    program = bench.run("tests.apps.faulty_embedded", "1.0", way)
    wait_until(lambda: len(bench.book.running) == 3, LIMIT, "the jobs run")
    bench.release(0)
    bench.done(1)
    program.send(signal.SIGINT if way == "is interrupted" else signal.SIGTERM)
    assert program.ends(10) != 0 or way == "forgets"
    bench.release(1, 2)
    node = bench.start(Plan(lease=1.0))
    bench.done(3)
    assert node.stops() == 0
    bench.accounted(3, faults=2)
