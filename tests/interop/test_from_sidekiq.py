"""Jobs that a real Sidekiq client pushed are run by treadle, by Sidekiq's rules."""

import asyncio
import base64
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from tests.interop.entries import (
    EXACT,
    Ran,
    attempts,
    find,
    make_due,
    ran,
    wait_for,
    wait_until_ran,
    wait_until_started,
)
from tests.interop.node import TreadleProcess
from tests.interop.peers import SidekiqClient, SidekiqWeb
from tests.servers import until, wait_until
from treadle import Treadle, current_job
from treadle.stores.members import members

pytestmark = pytest.mark.interop

# What the failures of the other program, and of nobody else, change in a payload.
CHANGED = {"queue", "enqueued_at", "retry_count", "failed_at", "retried_at", "error_class", "error_message"}


@pytest.fixture(scope="module", autouse=True)
def treadle(module_url: str) -> Iterator[TreadleProcess]:
    with TreadleProcess(module_url, queues=["default", "elsewhere"]) as process:
        yield process


def by_treadle(jid: str, name: str, args: list[Any]) -> Ran:
    return Ran(jid, name, args, "treadle")


def texts(payload: bytes) -> dict[str, bytes]:
    """The members of a payload as the bytes that stand there, without those that a failure changes."""
    return {m.name: payload[m.start : m.end] for m in members(payload) if m.name not in CHANGED}


# Running


@pytest.mark.parametrize("args", EXACT.values(), ids=EXACT.keys())
def test_arguments_arrive_exactly(redis: Redis, client: SidekiqClient, args: list[Any]) -> None:
    jid = client.perform_async("Echo", *args)
    assert wait_until_ran(redis, [jid]) == [by_treadle(jid, "Echo", args)]
    # Equal numbers may differ in kind (1 and 1.0), their texts do not.
    assert json.dumps(ran(redis)[-1].args) == json.dumps(args)


@pytest.mark.parametrize(
    ("ruby_name", "name"),
    [("Billing::Invoice", "Billing.Invoice"), ("Reports::Daily::Sender", "send_report"), ("Echo", "Echo")],
)
def test_a_ruby_name_finds_its_function_by_spelling_or_alias(
    redis: Redis, client: SidekiqClient, ruby_name: str, name: str
) -> None:
    jid = client.push({"class": ruby_name, "args": [1]})
    assert wait_until_ran(redis, [jid]) == [by_treadle(jid, name, [1])]


def test_a_delayed_job_runs_when_it_is_due_and_not_before(redis: Redis, client: SidekiqClient) -> None:
    jid = client.perform_in("Echo", 3600, "later")
    soon = client.perform_in("Echo", 0.3, "soon")
    wait_until_ran(redis, [soon])
    assert attempts(redis, jid) == 0
    make_due(redis, "schedule", jid)
    assert wait_until_ran(redis, [jid]) == [by_treadle(jid, "Echo", ["later"])]
    assert find(redis, "schedule", jid) is None


def test_bulk_jobs_run_once_each(redis: Redis, client: SidekiqClient) -> None:
    jids = client.perform_bulk("Echo", [[number] for number in range(250)])
    jids += client.push_bulk({"class": "Echo", "args": [[number] for number in range(250, 300)]})
    runs = wait_until_ran(redis, jids)
    assert sorted(run.args[0] for run in runs) == list(range(300))
    assert {run.program for run in runs} == {"treadle"}


def test_a_class_on_its_own_queue_is_served_there(redis: Redis, client: SidekiqClient) -> None:
    by_class = client.perform_async("Elsewhere", 1)
    by_call = client.perform_async("Echo", 2, options={"queue": "elsewhere"})
    wait_until_ran(redis, [by_class, by_call])
    assert find(redis, "queue:elsewhere", by_call) is None


def test_a_class_that_treadle_does_not_know_waits_for_somebody_who_does(redis: Redis, client: SidekiqClient) -> None:
    jid = client.push({"class": "OnlyInRuby", "args": ["ü", 1.0], "cattr": {"tenant": 7}})
    entry = wait_for(redis, "schedule", jid)
    assert entry.score is not None
    assert entry.score - entry.job["enqueued_at"] == pytest.approx(30, abs=5)
    assert "retry_count" not in entry.job
    assert entry.job["cattr"] == {"tenant": 7}


def test_an_embedded_worker_runs_them_too(redis: Redis, module_url: str, client: SidekiqClient) -> None:
    app = Treadle(module_url)
    seen: list[tuple[str, int, list[Any]]] = []

    @app.job(name="Inside", queue="embedded")
    async def inside(*args: Any) -> None:
        job = current_job()
        seen.append((job.id, job.attempt, list(args)))
        done.set()

    def shown() -> list[dict[str, Any]]:
        return [process for process in client.processes() if process["queues"] == ["embedded"]]

    async def main() -> None:
        async with app.worker():
            await asyncio.wait_for(done.wait(), 10)
            # The job may have ended before the worker's first report.
            [process] = await until(shown)
            # Sidekiq 7 and 8 show no buttons for such a process.
            assert process["embedded"] is True
        await app.aclose()

    done = asyncio.Event()
    jid = client.push({"class": "Inside", "args": [{"a": [1.0]}], "queue": "embedded"})
    asyncio.run(main())
    assert seen == [(jid, 1, [{"a": [1.0]}])]


# Failing


def test_failures_are_counted_and_delayed_as_sidekiq_does(redis: Redis, client: SidekiqClient) -> None:
    jid = client.perform_async("FailsTimes", 3, "ü", options={"retry": True})
    entries = []
    for count in range(3):
        entries.append(make_due(redis, "retry", jid))
        wait_until_started(redis, jid, times=count + 2)
    assert wait_until_ran(redis, [jid]) == [by_treadle(jid, "FailsTimes", [3, "ü"])]
    assert attempts(redis, jid) == 4
    first, second, third = (entry.job for entry in entries)
    assert [job["retry_count"] for job in (first, second, third)] == [0, 1, 2]
    assert [job["error_message"] for job in (first, second)] == ["attempt 1 of 3 fails", "attempt 2 of 3 fails"]
    assert first["error_class"] == "ValueError"
    assert "retried_at" not in first
    assert first["failed_at"] == second["failed_at"] == third["failed_at"]
    assert first["enqueued_at"] < first["failed_at"] < second["retried_at"] < third["retried_at"]
    assert all(type(first[name]) is float for name in ("created_at", "enqueued_at", "failed_at"))
    assert type(third["retried_at"]) is float
    for entry, began in zip(entries, ("failed_at", "retried_at", "retried_at"), strict=True):
        assert entry.score is not None
        count = entry.job["retry_count"]
        # count**4 + 15 + rand(10) * (count + 1): sidekiq job_retry.rb, delay_for
        jitter, rest = divmod(entry.score - entry.job[began] - count**4 - 15 + 1e-4, count + 1)
        assert 0 <= jitter < 10
        assert rest == pytest.approx(0, abs=1e-3)


def test_a_job_that_always_fails_ends_in_the_morgue(redis: Redis, client: SidekiqClient, web: SidekiqWeb) -> None:
    jid = client.perform_async("AlwaysFails", "x", options={"retry": 2})
    first = make_due(redis, "retry", jid).job
    wait_until_started(redis, jid, times=2)
    make_due(redis, "retry", jid)
    entry = wait_for(redis, "dead", jid)
    dead = entry.job
    assert dead["retry_count"] == 2
    assert dead["failed_at"] == first["failed_at"] < dead["retried_at"]
    assert entry.score == pytest.approx(dead["retried_at"], abs=1)
    assert (dead["error_class"], dead["error_message"]) == ("ValueError", 'boom ["x"]')
    assert attempts(redis, jid) == 3
    page = web.get(web.detail("/morgue", jid))
    assert page.status == 200, page.text
    assert "ValueError" in page.text


def test_retry_zero_dies_at_once_and_retry_false_leaves_nothing(
    redis: Redis, client: SidekiqClient, treadle: TreadleProcess
) -> None:
    def failed() -> int:
        return int(redis.get("stat:failed") or 0)

    before = failed()
    discarded = client.perform_async("AlwaysFails", options={"retry": False})
    undead = client.perform_async("AlwaysFails", options={"retry": 0, "dead": False})
    dead = client.perform_async("AlwaysFails", options={"retry": 0})
    assert wait_for(redis, "dead", dead).job["retry_count"] == 0
    wait_until(lambda: failed() == before + 3)
    for jid in (discarded, undead):
        assert attempts(redis, jid) == 1
        assert find(redis, "dead", jid) is None
        assert find(redis, "retry", jid) is None


def test_a_retry_goes_to_its_retry_queue_with_its_backtrace(redis: Redis, client: SidekiqClient) -> None:
    moved = client.perform_async("AlwaysFails", options={"retry_queue": "elsewhere"})
    traced = client.perform_async("AlwaysFails", options={"backtrace": 5, "tags": ["traced"]})
    assert wait_for(redis, "retry", moved).job["queue"] == "elsewhere"
    job = wait_for(redis, "retry", traced).job
    lines = json.loads(zlib.decompress(base64.b64decode(job["error_backtrace"])))
    assert 1 < len(lines) <= 5
    assert "sidekiq_peer.py" in "".join(lines)
    assert job["tags"] == ["traced"]


def test_the_backtrace_is_on_the_page_of_the_retry(redis: Redis, client: SidekiqClient, web: SidekiqWeb) -> None:
    jid = client.perform_async("AlwaysFails", options={"backtrace": True, "tags": ["traced"]})
    wait_for(redis, "retry", jid)
    page = web.get(web.detail("/retries", jid))
    assert page.status == 200, page.text
    assert "sidekiq_peer.py" in page.text
    assert "traced" in page.text


def test_what_sidekiq_does_not_know_survives_every_rewrite(redis: Redis, client: SidekiqClient) -> None:
    item = {
        "class": "AlwaysFails",
        "args": [1e100, "€", {"b": 1, "a": [12345678901234567890]}],
        "retry": 1,
        "bid": "bWh9cA5QyN3nUw",
        "cattr": {"tenant": 7, "deep": [{"x": None}]},
        "tags": ["red", "blue"],
        "zahl": 1.0,
        "ünbekannt": "\u2028",
        "at": 4102444800,
    }
    jid = client.push(item)
    before = texts(make_due(redis, "schedule", jid).payload)
    assert {b'"zahl":1.0', '"ünbekannt":"\u2028"'.encode()} <= set(before.values())
    retried = make_due(redis, "retry", jid)
    assert texts(retried.payload) == before
    assert texts(wait_for(redis, "dead", jid).payload) == before


def test_a_snoozed_job_waits_in_schedule_without_a_failure(redis: Redis, client: SidekiqClient) -> None:
    jid = client.push({"class": "Snoozes", "args": [3600], "retry": 0, "bid": "b1", "queue": "elsewhere"})
    entry = make_due(redis, "schedule", jid)
    assert entry.score is not None
    assert entry.score - entry.job["enqueued_at"] == pytest.approx(3600, abs=5)
    assert entry.job.keys() == {"class", "args", "retry", "bid", "queue", "jid", "created_at", "enqueued_at"}
    assert wait_until_ran(redis, [jid]) == [by_treadle(jid, "Snoozes", [3600])]


def test_a_job_that_cancels_itself_leaves_nothing(redis: Redis, client: SidekiqClient) -> None:
    processed = int(redis.get("stat:processed") or 0)
    jid = client.push({"class": "Cancels", "args": [], "retry": True})
    wait_until(lambda: int(redis.get("stat:processed") or 0) == processed + 1)
    assert not any(find(redis, key, jid) for key in ("queue:default", "schedule", "retry", "dead"))


def test_arguments_that_do_not_bind_are_an_ordinary_failure(redis: Redis, client: SidekiqClient) -> None:
    jid = client.push({"class": "Held", "args": [1, 2, 3]})
    job = wait_for(redis, "retry", jid).job
    assert job["retry_count"] == 0
    assert "Held" in job["error_message"]
