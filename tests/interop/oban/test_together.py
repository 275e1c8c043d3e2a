"""A live oban-py and a live treadle on one table: each runs what the other enqueued, and both read what is left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
import pytest

from tests.interop.oban.programs import Database, ObanPeer, TreadleNode
from tests.servers import wait_until
from treadle import Treadle
from treadle.app.handle import Handle
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("node")]

T = TypeVar("T")

ARGS = {"text": "grüße ☃", "numbers": [1, 2**53 + 1]}


def test_treadle_runs_what_oban_enqueues(database: Database, oban: ObanPeer) -> None:
    job_id = oban.enqueue("Echo", "treadle", ARGS, tags=["a", "b"], meta={"for": "tests"})
    row = database.wait_for(job_id, "completed")
    assert database.runs(job_id) == ["treadle"]
    assert database.rows("SELECT args FROM interop_runs WHERE job_id = %s", job_id) == [{"args": ARGS}]
    assert (row["attempt"], row["tags"], row["meta"]) == (1, ["a", "b"], {"for": "tests"})
    assert len(row["attempted_by"]) == 3


def test_oban_runs_what_treadle_enqueues(database: Database, oban: ObanPeer, app: Treadle) -> None:
    handle = app.enqueue("peer.Echo", args=ARGS, queue="oban")
    database.wait_for(handle.id, "completed")
    assert database.runs(handle.id) == ["oban-py"]
    assert handle.status() == "completed"
    assert oban.ask("job", job_id=int(handle.id))["state"] == "completed"


def test_what_is_scheduled_waits_for_its_time_on_both_sides(database: Database, oban: ObanPeer, app: Treadle) -> None:
    early: list[int | str] = [
        oban.enqueue("Echo", "treadle", scheduled_in=1),
        put(app, "peer.Echo", "oban", delay=1).id,
    ]
    for job_id in early:
        database.wait_for(job_id, "completed")
    ran = database.rows(
        "SELECT extract(epoch FROM timezone('UTC', r.at) - j.inserted_at) AS waited FROM interop_runs r "
        "JOIN oban_jobs j ON j.id = r.job_id WHERE j.id = ANY (%s)",
        list(map(int, early)),
    )
    assert min(row["waited"] for row in ran) >= 1


def test_oban_keeps_the_priorities_of_treadle(database: Database, oban: ObanPeer, app: Treadle) -> None:
    oban.ask("pause", queue="slim")
    wait_until(lambda: oban.ask("queue", queue="slim")["paused"], what="oban-py has paused the queue")
    jobs = {number: int(put(app, "peer.Echo", "slim", priority=number).id) for number in (5, 0, 9, 3)}
    oban.ask("resume", queue="slim")
    for job_id in jobs.values():
        database.wait_for(job_id, "completed")
    order = database.rows("SELECT job_id FROM interop_runs WHERE job_id = ANY (%s) ORDER BY number", [*jobs.values()])
    assert [row["job_id"] for row in order] == [jobs[number] for number in (0, 3, 5, 9)]


def test_treadle_keeps_the_priorities_of_oban(database: Database, oban: ObanPeer) -> None:
    database.rows("INSERT INTO treadle_queues (queue, paused_at) VALUES ('narrow', now())")
    jobs = [oban.enqueue("Ordered", "narrow", {"text": str(number)}, priority=number) for number in (5, 0, 9, 3)]
    database.rows("DELETE FROM treadle_queues")
    for job_id in jobs:
        database.wait_for(job_id, "completed")
    order = database.rows(
        "SELECT args->>'text' AS text FROM interop_runs WHERE job_id = ANY (%s) ORDER BY number", jobs
    )
    assert [row["text"] for row in order] == ["0", "3", "5", "9"]


def test_a_failure_of_either_is_read_and_retried_by_the_other(database: Database, oban: ObanPeer, app: Treadle) -> None:
    ours = oban.enqueue("Failing", "treadle", max_attempts=3)
    theirs = put(app, "peer.Failing", "oban", max_attempts=3).id
    assert set(database.wait_for(ours, "retryable")["errors"][0]) == {"at", "attempt", "error"}
    assert "RuntimeError: boom" in oban.ask("job", job_id=ours)["errors"][0]["error"]
    database.wait_for(theirs, "retryable")
    [shown] = on_store(app.url, lambda store: store.find(JobQuery(ids=(theirs,))))
    assert "RuntimeError: boom" in shown.errors[0].error
    oban.ask("retry", jobs=[ours])
    on_store(app.url, lambda store: store.act("retry", JobQuery(ids=(theirs,))))
    assert database.wait_for(ours, "completed")["attempt"] == 2
    assert database.wait_for(theirs, "completed")["attempt"] == 2
    assert (database.runs(ours), database.runs(theirs)) == (["treadle"] * 2, ["oban-py"] * 2)


def test_a_snooze_consumes_no_attempt_on_either_side(database: Database, oban: ObanPeer, app: Treadle) -> None:
    ours = oban.enqueue("Snoozing", "treadle")
    theirs = app.enqueue("peer.Snoozing", args={}, queue="oban").id
    for job_id in (ours, theirs):
        row = database.wait_for(job_id, "completed")
        assert (row["attempt"], row["meta"]["snoozed"], row["max_attempts"]) == (1, 1, 20)


def test_a_job_that_cancels_itself_tells_why_on_either_side(database: Database, oban: ObanPeer, app: Treadle) -> None:
    ours = oban.enqueue("Cancelling", "treadle")
    theirs = app.enqueue("peer.Cancelling", args={}, queue="oban").id
    for job_id in (ours, theirs):
        assert "not today" in database.wait_for(job_id, "cancelled")["errors"][-1]["error"]


def test_each_cancels_what_waits_for_the_other(database: Database, oban: ObanPeer, app: Treadle) -> None:
    ours = oban.enqueue("Echo", "treadle", scheduled_in=600)
    theirs = put(app, "peer.Echo", "oban", delay=600)
    oban.ask("cancel", jobs=[ours])
    assert theirs.cancel()
    assert [database.job(job_id)["state"] for job_id in (ours, theirs.id)] == ["cancelled"] * 2


def test_oban_cancels_what_treadle_runs(database: Database, oban: ObanPeer) -> None:
    job_id = oban.enqueue("Holding", "treadle")
    database.wait_for_run(job_id)
    oban.ask("cancel", jobs=[job_id])
    database.wait_for(job_id, "cancelled")


def test_treadle_cancels_what_oban_runs(database: Database, oban: ObanPeer, app: Treadle) -> None:
    handle = app.enqueue("peer.Holding", args={}, queue="oban")
    database.wait_for_run(handle.id)
    assert handle.cancel()
    database.wait_for(handle.id, "cancelled")


def test_each_reads_the_values_that_the_other_recorded(database: Database, oban: ObanPeer, app: Treadle) -> None:
    value = {"a": 1, "b": ["x", True, None, 1.5], "large": 2**53 + 1}
    ours = oban.enqueue("Recording", "treadle", {"value": value})
    assert oban.ask("recorded", encoded=database.wait_for(ours, "completed")["meta"]["return"]) == value

    @app.job(name="peer.Recording", queue="oban", record=True)
    def recording(value: Any) -> Any:  # noqa: ANN401 - any JSON
        raise NotImplementedError(value)

    assert recording.enqueue(value).result(timeout=20) == value


def test_a_healthy_job_of_ten_seconds_is_not_repeated_by_a_lifeline_of_two(database: Database, oban: ObanPeer) -> None:
    assert wait_until(lambda: oban.ask("leading"), what="oban-py leads, and so rescues")
    job_id = oban.enqueue("Long", "treadle", {"seconds": 10})
    database.wait_for_run(job_id)
    [unstamped] = database.rows(
        "INSERT INTO oban_jobs (worker, queue, args, state, attempt, attempted_at, attempted_by) VALUES "
        "('peer.Echo', 'oban', '{}', 'executing', 1, timezone('UTC', now()), ARRAY['gone:1:x']) RETURNING id"
    )
    row = database.wait_for(job_id, "completed")
    assert database.runs(unstamped["id"]) == ["oban-py"], "the lifeline took what nobody stamped"
    assert database.runs(job_id) == ["treadle"]
    assert (row["attempt"], "rescued" in row["meta"]) == (1, False)


def test_a_claim_of_treadles_is_taken_over_and_settled_by_oban(database: Database, oban: ObanPeer) -> None:
    [row] = database.rows(
        "INSERT INTO oban_jobs (worker, queue, args, state, attempt, attempted_at, attempted_by) VALUES "
        "('peer.Echo', 'oban', '{}', 'executing', 1, timezone('UTC', now()) - interval '1 hour', "
        "ARRAY['gone:1:x', gen_random_uuid()::text, '0123456789ab']) RETURNING id"
    )
    database.wait_for(row["id"], "completed")
    assert database.runs(row["id"]) == ["oban-py"]
    assert len(oban.ask("job", job_id=row["id"])["errors"]) == 0


def test_workers_are_shown_to_oban_while_they_live(database: Database, node: TreadleNode, oban: ObanPeer) -> None:
    shown = database.rows("SELECT queue, node, name FROM oban_producers ORDER BY queue")
    assert [(row["queue"], row["name"]) for row in shown] == [
        (queue, "Oban") for queue in ("narrow", "oban", "slim", "treadle")
    ]


def test_oban_reads_every_notice_that_treadle_sends(database: Database, oban: ObanPeer, app: Treadle) -> None:
    with psycopg.connect(database.url, autocommit=True) as ear:
        for name in ("insert", "signal", "leader", "sonar"):
            ear.execute(f'LISTEN "public.oban_{name}"'.encode())
        handles = [
            app.enqueue("Echo", args={}, queue="treadle"),
            put(app, "Echo", "treadle", delay=0.1),
        ]
        ear.execute('SELECT pg_notify(\'public.oban_sonar\', \'{"node":"ex-1","ping":true}\')')
        for handle in handles:
            database.wait_for(handle.id, "completed")
        heard = list(ear.notifies(timeout=3, stop_after=4))
    decoded = [oban.ask("notice", payload=notice.payload) for notice in heard]
    assert {"queue": "treadle"} in decoded
    assert any(message.get("ping") and message["node"] != "ex-1" for message in decoded)


def put(app: Treadle, name: str, queue: str, **options: Any) -> Handle:
    """Enqueue a job without arguments that another program runs."""

    def body() -> None:
        raise NotImplementedError

    job = app.find(name) or app.job(name=name)(body)
    handle: Handle = job.options(queue=queue, **options).enqueue()
    return handle


def on_store(url: str, step: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        app = Treadle(url)
        try:
            return await step(await app.astore())
        finally:
            await app.aclose()
            app.close()

    return asyncio.run(run())
