"""Row 92: two versions of a program work on one store, and what one of them does not know waits for the other."""

import pytest

from tests.reliability.bench import LIMIT, Bench, Running
from tests.servers import wait_until
from treadle.core.outcomes import UNKNOWN_JOB_DELAY
from treadle.core.states import State
from treadle.runtime.plan import Plan
from treadle.stores.job_query import JobQuery

EACH = 60


def start(bench: Bench, version: str) -> Running:
    return bench.start(Plan(lease=5.0), app=f"tests.apps.rolled:{version}").works()


def put_back(bench: Bench, job_id: str, times: int) -> None:
    """Wait until the job came so often to a worker that does not know it, and was put back each time."""
    bench.appear("JobUnknown", times)
    wait_until(lambda: bench.find(job_id)[0].state is State.SCHEDULED, LIMIT, "the job is put back")
    [view] = bench.find(job_id)
    assert (view.attempt, view.errors) == (0, ())
    assert view.scheduled_at is not None


def retry(bench: Bench, query: JobQuery) -> None:
    """What `treadle jobs retry` does: a deploy's last step for those who will not wait for 30 seconds."""
    bench.app.blocking("act", bench.app.store.act("retry", query))


def warnings(node: Running) -> list[str]:
    return [line for line in node.log.splitlines() if "is not registered in this app" in line]


def test_a_new_job_is_put_back_by_old_workers_with_one_warning_and_runs_when_a_new_one_comes(bench: Bench) -> None:
    old = start(bench, "v1")
    [job_id] = bench.fill("fresh", range(1))
    for times in (1, 2, 3):
        put_back(bench, job_id, times)
        retry(bench, JobQuery(ids=(job_id,))) if times < 3 else None
    [warning] = warnings(old)
    assert "WARNING" in warning
    assert warning.endswith(f"fresh {job_id} is not registered in this app; put back for 30 s")
    new = start(bench, "v2")
    assert old.stops() == 0
    retry(bench, JobQuery(ids=(job_id,)))
    bench.done(1)
    assert [line.rest for line in bench.book.of("S")] == ["1"]
    assert new.stops() == 0
    bench.accounted(1)


@pytest.mark.chaos
@pytest.mark.timeout(180)
def test_it_comes_by_itself_after_30_seconds(bench: Bench) -> None:
    old = start(bench, "v1")
    [job_id] = bench.fill("fresh", range(1))
    put_back(bench, job_id, 1)
    begun = bench.book.events("JobUnknown")[0].at
    new = start(bench, "v2")
    assert old.stops() == 0
    wait_until(lambda: bench.book.ended == 1, UNKNOWN_JOB_DELAY + LIMIT, "the job runs")
    [run] = bench.book.of("S")
    assert run.rest == "1"
    assert UNKNOWN_JOB_DELAY - 0.5 < run.at - begun < UNKNOWN_JOB_DELAY + 5.0
    assert new.stops() == 0
    bench.accounted(1)


def test_an_argument_that_old_workers_do_not_know_fails_an_attempt_and_says_which(bench: Bench) -> None:
    old = start(bench, "v1")
    [job_id] = bench.enqueue(bench.new("grown", number=0, colour="blue", size="large"))
    [failed] = bench.appear("JobRetried")
    assert failed.values["failure"]["error_class"] == "ArgumentError"
    assert failed.values["failure"]["message"] == (
        'job "grown": expected at most 2 arguments, got 3'
        if bench.is_redis
        else 'job "grown": unknown argument "size": expected "number", "colour"'
    )
    new = start(bench, "v2")
    assert old.stops() == 0
    retry(bench, JobQuery(ids=(job_id,)))
    bench.done(1)
    # As Sidekiq's own retry does, ours gives the attempt back on Redis.
    assert [line.rest for line in bench.book.of("S")] == ["1" if bench.is_redis else "2"]
    assert new.stops() == 0
    bench.accounted(1, faults=1)


def test_old_and_new_workers_side_by_side_run_every_job_once_whoever_enqueued_it(bench: Bench) -> None:
    nodes = [start(bench, "v1"), start(bench, "v2")]
    for name, numbers in (
        ("kept", range(2 * EACH)),
        ("gone", range(2 * EACH, 3 * EACH)),
        ("fresh", range(3 * EACH, 4 * EACH)),
    ):
        bench.fill(name, numbers)

    def all_ran() -> bool:
        retry(bench, JobQuery(state=State.SCHEDULED))
        return bench.book.ended == 4 * EACH

    wait_until(all_ran, LIMIT, "all of them run")
    assert {line.rest for line in bench.book.of("S")} == {"1"}
    assert bench.book.events("JobRetried") == []
    assert [len(warnings(node)) for node in nodes] == [1, 1]
    assert [node.stops() for node in nodes] == [0, 0]
    bench.accounted(4 * EACH)
