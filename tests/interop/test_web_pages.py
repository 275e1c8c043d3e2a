"""Sidekiq's Web pages with treadle's jobs and treadle's running process on them, and what their buttons do to both."""

from collections.abc import Iterator

import psutil
import pytest
from redis import Redis

from tests.interop.entries import (
    attempts,
    entries,
    find,
    make_due,
    release,
    text,
    wait_for,
    wait_until_ran,
    wait_until_started,
)
from tests.interop.node import TreadleProcess, external
from tests.interop.peers import SidekiqClient, SidekiqWeb
from tests.servers import wait_until
from treadle import Treadle
from treadle.app.registry import Registered

pytestmark = pytest.mark.interop

PAGES = ("/", "/busy", "/queues", "/queues/default", "/queues/parked", "/retries", "/scheduled", "/morgue")
PATHS = {"retry": "/retries", "schedule": "/scheduled", "dead": "/morgue"}


@pytest.fixture(scope="module", autouse=True)
def treadle(module_url: str) -> Iterator[TreadleProcess]:
    with TreadleProcess(module_url) as process:
        yield process


@pytest.fixture(scope="module")
def app(module_url: str) -> Iterator[Treadle]:
    app = Treadle(module_url)
    yield app
    app.close()


@pytest.fixture(scope="module")
def always_fails(app: Treadle) -> Registered:
    return external(app, "AlwaysFails", max_attempts=4)


# Pages


def test_every_page_answers_with_the_jobs_and_the_process_on_it(
    redis: Redis, app: Treadle, always_fails: Registered, web: SidekiqWeb, treadle: TreadleProcess
) -> None:
    in_set = {
        "retry": always_fails.enqueue("of <retries> & ü").id,
        "schedule": always_fails.options(delay=3600).enqueue({"of": [1.0, None]}).id,
        "dead": app.enqueue("RetryZero", ["of dead"]).id,
    }
    # Enqueued by name a job has 20 attempts; this one is at its last.
    redis.zadd("retry", {(entry := wait_for(redis, "retry", in_set["dead"])).payload: 1.0})
    redis.zrem("retry", entry.payload)
    redis.lpush("queue:default", entry.payload.replace(b'"retry":19', b'"retry":0'))
    parked = app.enqueue("Echo", ["of a queue"], queue="parked").id
    held = app.enqueue("Held", []).id
    wait_until_started(redis, held)
    wait_for(redis, "dead", in_set["dead"])
    treadle.wait_for_beats(2)
    for path in PAGES:
        page = web.get(path)
        assert page.status == 200, page.text
    assert parked in web.get("/queues/parked").text or "of a queue" in web.get("/queues/parked").text
    for key, jid in in_set.items():
        page = web.get(web.detail(PATHS[key], jid))
        assert page.status == 200, page.text
        assert jid in page.text
    busy = web.get("/busy")
    [[name, _, memory, threads, running, _]] = busy.rows("processes")
    host, pid, _ = treadle.identity.split(":")
    assert name == f"{host}:{pid} treadle Queues: default"
    assert memory.endswith(" KB")
    assert int(memory.removesuffix(" KB").replace(",", "")) > 10_000
    assert (threads, running) == ("5", "1")
    [[process, _, jid, queue, job_class, args, _]] = busy.rows("workers")
    assert (process, jid, queue, job_class, args) == (treadle.identity, held, "default", "Held", "")
    release(redis, held)
    wait_until_ran(redis, [held])
    wait_until(lambda: web.get("/busy").rows("workers") == [])


def test_sidekiqs_api_counts_treadles_jobs(redis: Redis, client: SidekiqClient, always_fails: Registered) -> None:
    jid = always_fails.enqueue().id
    wait_for(redis, "retry", jid)
    stats = client.stats()
    assert stats["retry_size"] == redis.zcard("retry")
    assert stats["scheduled_size"] == redis.zcard("schedule")
    assert stats["dead_size"] == redis.zcard("dead")
    assert stats["processes_size"] == 1
    assert stats["default_queue_latency"] == 0


@pytest.mark.parametrize(("retry", "key"), [(5, "retry"), (0, "dead")])
def test_nothing_of_a_failure_is_html_on_its_page(
    redis: Redis, web: SidekiqWeb, client: SidekiqClient, retry: int, key: str
) -> None:
    """Sidekiq writes backtraces into the page as they are; Ruby's hold no message, Python's do."""
    evil = "<script>alert(1)</script>"
    jid = client.perform_async("AlwaysFails", evil, options={"retry": retry, "backtrace": True})
    assert evil in wait_for(redis, key, jid).job["error_message"]
    for path in (PATHS[key], web.detail(PATHS[key], jid)):
        page = web.get(path)
        assert page.status == 200, page.text
        assert "alert(1)" in page.text
        assert evil not in page.text


# Buttons on jobs


def test_retry_now_gives_one_attempt_more_and_kill_and_delete_end_it(
    redis: Redis, web: SidekiqWeb, always_fails: Registered
) -> None:
    jid = always_fails.enqueue("button").id
    first = wait_for(redis, "retry", jid).job
    assert web.press(web.detail("/retries", jid), {"retry": "Retry Now"}).status == 302
    wait_until_started(redis, jid, times=2)
    again = wait_for(redis, "retry", jid).job
    # Retry Now took one off the count (-1), so the second failure counts as the first did, but it is no first failure.
    assert again["retry_count"] == 0
    assert again["failed_at"] == first["failed_at"] < again["retried_at"]
    assert web.press(web.detail("/retries", jid), {"kill": "Kill"}).status == 302
    assert find(redis, "retry", jid) is None
    assert wait_for(redis, "dead", jid).job["error_message"] == 'boom ["button"]'
    assert web.press(web.detail("/morgue", jid), {"delete": "Delete"}).status == 302
    assert find(redis, "dead", jid) is None
    assert attempts(redis, jid) == 2


def test_a_dead_job_that_is_retried_runs_once_more_and_dies_again(
    redis: Redis, web: SidekiqWeb, client: SidekiqClient
) -> None:
    jid = client.perform_async("AlwaysFails", options={"retry": 1})
    make_due(redis, "retry", jid)
    died = wait_for(redis, "dead", jid).job
    assert web.press(web.detail("/morgue", jid), {"retry": "Retry Now"}).status == 302
    wait_until_started(redis, jid, times=3)
    again = wait_for(redis, "dead", jid).job
    assert again["retry_count"] == died["retry_count"] == 1
    assert again["retried_at"] > died["retried_at"]


def test_a_scheduled_job_is_added_to_its_queue_or_deleted(redis: Redis, web: SidekiqWeb, app: Treadle) -> None:
    echo = external(app, "Echo")
    added, deleted = (echo.options(delay=3600).enqueue(number).id for number in range(2))
    assert web.press(web.detail("/scheduled", added), {"add_to_queue": "1"}).status == 302
    assert web.press(web.detail("/scheduled", deleted), {"delete": "1"}).status == 302
    assert [run.program for run in wait_until_ran(redis, [added])] == ["treadle"]
    assert find(redis, "schedule", added) is find(redis, "schedule", deleted) is None
    assert attempts(redis, deleted) == 0


def test_jobs_are_rescheduled_and_not_doubled(redis: Redis, client: SidekiqClient, app: Treadle) -> None:
    """Sidekiq names a job by the bytes that Ruby would write; one time in ten ends in a zero, which Ruby omits."""
    redis.delete("schedule")
    echo = external(app, "Echo").options(delay=3600)
    jids = [echo.enqueue("é\u2028\x7f\x01/<&>", 0.5, {"a": None}).id for _ in range(40)]
    before = {entry.job["jid"]: entry.payload for entry in entries(redis, "schedule")}
    for jid in jids:
        client.reschedule("schedule", jid, 7200)
    after = {entry.job["jid"]: entry for entry in entries(redis, "schedule")}
    assert redis.zcard("schedule") == 40
    assert {jid: entry.payload for jid, entry in after.items()} == before
    for entry in after.values():
        assert entry.score == pytest.approx(entry.job["created_at"] + 7200, abs=60)
    client.reschedule("schedule", jids[0], -1)
    wait_until_ran(redis, [jids[0]])
    redis.delete("schedule")


def test_a_retry_is_rescheduled_and_not_doubled(redis: Redis, client: SidekiqClient, always_fails: Registered) -> None:
    jid = always_fails.enqueue("again").id
    wait_for(redis, "retry", jid)
    client.reschedule("retry", jid, -1)
    wait_until_started(redis, jid, times=2)
    assert wait_for(redis, "retry", jid).job["retry_count"] == 1
    assert [entry.job["jid"] for entry in entries(redis, "retry")].count(jid) == 1


def test_all_retries_are_retried_killed_or_deleted_together(redis: Redis, web: SidekiqWeb, app: Treadle) -> None:
    redis.delete("retry", "dead")
    fails_times = external(app, "FailsTimes", max_attempts=11)
    # Sidekiq goes on until the set is empty, so each must end well at its second attempt.
    jids = [fails_times.enqueue(1).id for _ in range(5)]
    wait_until(lambda: redis.zcard("retry") == 5)
    assert web.press("/retries/all/retry", {}).status == 302
    assert len(wait_until_ran(redis, jids)) == 5
    jids = [fails_times.enqueue(1).id for _ in range(5)]
    wait_until(lambda: redis.zcard("retry") == 5)
    assert web.press("/retries/all/kill", {}).status == 302
    assert {entry.job["jid"] for entry in entries(redis, "dead")} == set(jids)
    assert web.press("/morgue/all/delete", {}).status == 302
    assert redis.zcard("dead") == redis.zcard("retry") == 0


def test_one_job_of_a_queue_is_deleted(redis: Redis, web: SidekiqWeb, app: Treadle) -> None:
    jids = [app.enqueue("Echo", ["é\u2028 <&>\n", 0.5, number], queue="thinned").id for number in range(3)]
    payload = wait_for(redis, "queue:thinned", jids[1]).payload.decode()
    assert web.press("/queues/thinned/delete", {"key_val": payload}).status == 302
    assert [entry.job["jid"] for entry in entries(redis, "queue:thinned")] == [jids[2], jids[0]]


def test_a_cleared_queue_is_gone_and_comes_back(redis: Redis, web: SidekiqWeb, app: Treadle) -> None:
    app.enqueue("Echo", [1], queue="cleared")
    assert web.press("/queues/cleared", {"delete": "1"}).status == 302
    assert b"cleared" not in redis.smembers("queues")
    app.enqueue("Echo", [2], queue="cleared")
    assert b"cleared" in redis.smembers("queues")
    assert [entry.job["args"] for entry in entries(redis, "queue:cleared")] == [[2]]


# Buttons on the process


def test_quiet_ends_claims_and_stop_drains_the_process(
    redis: Redis, module_url: str, web: SidekiqWeb, app: Treadle
) -> None:
    with TreadleProcess(module_url, queues=["stopped"]) as process:
        running = app.enqueue("Held", [], queue="stopped").id
        wait_until_started(redis, running)
        web.press("/busy", {"identity": process.identity, "quiet": "1"})
        wait_until(lambda: process.heartbeat().get("quiet") == "true")
        waiting = app.enqueue("Echo", [], queue="stopped").id
        process.wait_for_beats(2)
        assert find(redis, "queue:stopped", waiting) is not None
        page = web.get("/busy")
        row = next(row for row in page.rows("processes") if "stopped" in row[0])
        assert "quiet" in row[0]
        assert row[-1] == "Stop"
        web.press("/busy", {"identity": process.identity, "stop": "1"})
        wait_until(lambda: redis.llen(f"{process.identity}-signals") == 0)
        release(redis, running)
        assert process.wait() == 0
        assert [process.log().count(f"a dashboard sent {name}") for name in ("TSTP", "TERM")] == [1, 1]
        assert process.identity not in {text(member) for member in redis.smembers("processes")}
        assert process.heartbeat() == {}
    wait_until_ran(redis, [running])
    assert attempts(redis, waiting) == 0
    assert find(redis, "queue:stopped", waiting) is not None


def test_a_stopped_process_gives_back_what_does_not_end(
    redis: Redis, module_url: str, web: SidekiqWeb, client: SidekiqClient
) -> None:
    with TreadleProcess(module_url, queues=["given"], grace=0.3) as process:
        jid = client.perform_async("Held", options={"queue": "given", "bid": "b1"})
        wait_until_started(redis, jid)
        web.press("/busy", {"identity": process.identity, "stop": "1"})
        assert process.wait() == 0
    job = wait_for(redis, "queue:given", jid).job
    assert "retry_count" not in job
    assert job["bid"] == "b1"
    release(redis, jid)


def test_no_signal_but_those_of_the_buttons_is_obeyed(redis: Redis, treadle: TreadleProcess) -> None:
    key = f"{treadle.identity}-signals"
    redis.lpush(key, "KILL", "HUP", "USR1", "STOP", "TTIN")
    wait_until(lambda: redis.llen(key) == 0)
    wait_until(lambda: "stacks of this process" in treadle.log())
    treadle.wait_for_beats(2)
    assert psutil.Process(int(treadle.identity.split(":")[-2])).status() != psutil.STATUS_STOPPED
