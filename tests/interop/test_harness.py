"""The harness alone, Ruby to Ruby: what the other interop tests rely on."""

import base64
import json
import zlib

import pytest
from redis import Redis

from tests.interop.entries import (
    Ran,
    attempts,
    entries,
    find,
    make_due,
    release,
    wait_for,
    wait_until_ran,
    wait_until_started,
)
from tests.interop.peers import SidekiqClient, SidekiqProcess, SidekiqWeb
from tests.interop.program import PeerError
from tests.servers import wait_until

pytestmark = pytest.mark.interop

PAGES = ("/", "/busy", "/queues", "/queues/default", "/retries", "/scheduled", "/morgue")


def test_the_peer_is_the_version_whose_wire_we_know(client: SidekiqClient) -> None:
    assert client.version == "6.4.1"


@pytest.mark.parametrize("job_class", ["Echo", "Billing::Invoice", "Elsewhere"])
def test_a_pushed_job_runs(redis: Redis, client: SidekiqClient, sidekiq: SidekiqProcess, job_class: str) -> None:
    args = [1, "zwei €", {"k": [1.5, None, True]}, 12345678901234567890]
    if job_class == "Billing::Invoice":
        jid = client.push({"class": job_class, "args": args})
    else:
        jid = client.perform_async(job_class, *args)
    assert wait_until_ran(redis, [jid]) == [Ran(jid, job_class, args)]


def test_bulk_jobs_lie_in_the_order_of_their_arguments(redis: Redis, client: SidekiqClient) -> None:
    performed = client.perform_bulk("Echo", [[1], [2], [3]], options={"queue": "bulk"})
    pushed = client.push_bulk({"class": "Nobody", "args": [[4], [5]], "queue": "bulk"})
    jobs = [entry.job for entry in reversed(entries(redis, "queue:bulk"))]
    assert [job["jid"] for job in jobs] == performed + pushed
    assert [job["args"] for job in jobs] == [[1], [2], [3], [4], [5]]


def test_options_unknown_to_sidekiq_are_stored_as_given(redis: Redis, client: SidekiqClient) -> None:
    of_class = client.perform_async("Extra", options={"queue": "parked", "tags": ["a"], "mine": {"x": [None]}})
    raw = client.push({"class": "Nobody", "args": [], "queue": "parked", "bid": "b1", "mine": 0})
    job = wait_for(redis, "queue:parked", of_class).job
    assert (job["tags"], job["mine"], job["cattr"]) == (["a"], {"x": [None]}, {"tenant": 7})
    assert job["trd"] == {"deep": [1, {"x": None}]}
    job = wait_for(redis, "queue:parked", raw).job
    assert (job["bid"], job["mine"]) == ("b1", 0)


def test_a_refusal_by_sidekiq_is_raised(client: SidekiqClient) -> None:
    with pytest.raises(PeerError, match="ArgumentError: Job args must be an Array"):
        client.push({"class": "Echo", "args": "no list"})


def test_a_delayed_job_waits_and_runs_when_due(redis: Redis, client: SidekiqClient, sidekiq: SidekiqProcess) -> None:
    jid = client.perform_in("Echo", 3600, "later")
    entry = make_due(redis, "schedule", jid)
    assert entry.score == pytest.approx(entry.job["created_at"] + 3600, abs=1)
    assert "enqueued_at" not in entry.job
    assert wait_until_ran(redis, [jid]) == [Ran(jid, "Echo", ["later"])]


def test_a_job_that_fails_twice_runs_at_last(redis: Redis, client: SidekiqClient, sidekiq: SidekiqProcess) -> None:
    jid = client.perform_async("FailsTimes", 2, "rest")
    for retry_count in (0, 1):
        assert make_due(redis, "retry", jid).job["retry_count"] == retry_count
        wait_until_started(redis, jid, times=retry_count + 2)
    assert wait_until_ran(redis, [jid]) == [Ran(jid, "FailsTimes", [2, "rest"])]
    assert attempts(redis, jid) == 3


def test_a_job_that_always_fails_is_retried_to_death(
    redis: Redis, client: SidekiqClient, sidekiq: SidekiqProcess
) -> None:
    jid = client.perform_async("AlwaysFails", "x")
    first = make_due(redis, "retry", jid)
    assert first.score is not None
    # count**4 + 15 + rand(10) * (count + 1): sidekiq job_retry.rb, delay_for
    assert 15 <= first.score - first.job["failed_at"] < 25
    assert "retried_at" not in first.job
    for runs in (2, 3):
        wait_until_started(redis, jid, times=runs)
        make_due(redis, "retry", jid)
    dead = wait_for(redis, "dead", jid).job
    assert dead["retry_count"] == 3
    assert dead["failed_at"] == first.job["failed_at"] < dead["retried_at"]
    assert (dead["error_class"], dead["error_message"]) == ("ArgumentError", 'boom ["x"]')
    assert attempts(redis, jid) == 4


def test_retry_zero_dies_at_once_and_retry_false_leaves_nothing(
    redis: Redis, client: SidekiqClient, sidekiq: SidekiqProcess
) -> None:
    discarded = client.perform_async("RetryFalse")
    undead = client.perform_async("NeverDead")
    dead = client.perform_async("RetryZero")
    assert wait_for(redis, "dead", dead).job["retry_count"] == 0
    for jid in (discarded, undead):
        wait_until_started(redis, jid)
        assert find(redis, "dead", jid) is None
        assert find(redis, "retry", jid) is None


def test_a_retry_goes_to_its_retry_queue_with_its_backtrace(
    redis: Redis, client: SidekiqClient, sidekiq: SidekiqProcess
) -> None:
    moved = client.perform_async("RetriedElsewhere")
    traced = client.perform_async("Backtraced")
    assert wait_for(redis, "retry", moved).job["queue"] == "elsewhere"
    packed = wait_for(redis, "retry", traced).job["error_backtrace"]
    lines = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert len(lines) == 5
    assert "workers.rb" in lines[0]


def test_each_page_answers_with_the_jobs_on_it(
    redis: Redis, client: SidekiqClient, web: SidekiqWeb, sidekiq: SidekiqProcess
) -> None:
    on_page = {
        "/retries": client.perform_async("Backtraced", "of retries"),
        "/scheduled": client.perform_in("Tagged", 3600, "of schedule"),
        "/morgue": client.perform_async("RetryZero", "of dead"),
    }
    for key, path in (("retry", "/retries"), ("schedule", "/scheduled"), ("dead", "/morgue")):
        wait_for(redis, key, on_page[path])
    for path in PAGES:
        page = web.get(path)
        assert page.status == 200, page.text
    for path, jid in on_page.items():
        page = web.get(web.detail(path, jid))
        assert page.status == 200, page.text
        assert jid in page.text
    assert web.get("/retries/1.0-nobody").location.endswith("/retries")


def test_the_buttons_of_the_web_work(
    redis: Redis, client: SidekiqClient, web: SidekiqWeb, sidekiq: SidekiqProcess
) -> None:
    jid = client.perform_async("AlwaysFails", "button")
    wait_for(redis, "retry", jid)
    assert web.press(web.detail("/retries", jid), {"retry": "Retry Now"}).status == 302
    wait_until_started(redis, jid, times=2)
    # Retry Now takes one off the count, so the second failure counts as the first did.
    assert wait_for(redis, "retry", jid).job["retry_count"] == 0
    assert web.press(web.detail("/retries", jid), {"kill": "Kill"}).status == 302
    assert find(redis, "retry", jid) is None
    assert find(redis, "dead", jid) is not None
    assert web.press(web.detail("/morgue", jid), {"delete": "Delete"}).status == 302
    assert find(redis, "dead", jid) is None


def test_a_running_job_is_busy_until_it_is_released(
    redis: Redis, client: SidekiqClient, web: SidekiqWeb, sidekiq: SidekiqProcess
) -> None:
    jid = client.perform_async("Held")
    wait_until(lambda: any(work["payload"]["jid"] == jid for work in client.work()))
    page = web.get("/busy")
    assert jid in page.text
    assert sidekiq.identity in page.text
    release(redis, jid)
    wait_until_ran(redis, [jid])
    wait_until(lambda: client.work() == [])


def test_counters_move_with_the_heartbeat(client: SidekiqClient, redis: Redis, sidekiq: SidekiqProcess) -> None:
    before = client.stats()
    wait_until_ran(redis, client.perform_bulk("Echo", [[1], [2]]))
    wait_until(lambda: client.stats()["processed"] >= before["processed"] + 2)


def test_the_web_quiets_and_stops_a_process(module_url: str, web: SidekiqWeb, client: SidekiqClient) -> None:
    with SidekiqProcess(module_url, queues=["stopped"]) as process:
        assert process.identity in {known["identity"] for known in client.processes()}
        web.press("/busy", {"identity": process.identity, "quiet": "1"})
        wait_until(lambda: process.heartbeat().get("quiet") == "true")
        web.press("/busy", {"identity": process.identity, "stop": "1"})
        # That it is no longer listed is not promised: a last beat of Sidekiq 6.4 may come after its goodbye.
        assert process.wait() == 0


def test_a_stopped_process_puts_its_running_job_back(redis: Redis, module_url: str, client: SidekiqClient) -> None:
    with SidekiqProcess(module_url, queues=["stopped"], concurrency=1, shutdown=1) as process:
        jid = client.perform_async("Held", options={"queue": "stopped"})
        wait_until_started(redis, jid)
        assert process.stop() == 0
    assert find(redis, "queue:stopped", jid) is not None


def test_a_killed_process_takes_its_running_job_along(redis: Redis, module_url: str, client: SidekiqClient) -> None:
    with SidekiqProcess(module_url, queues=["killed"]) as process:
        jid = client.perform_async("Held", options={"queue": "killed"})
        wait_until_started(redis, jid)
        process.kill()
        assert process.heartbeat()["quiet"] == "false"
    assert find(redis, "queue:killed", jid) is None


def test_without_a_poller_due_jobs_wait_for_a_round_by_the_client(redis_url: str) -> None:
    with (
        Redis.from_url(redis_url) as redis,
        SidekiqClient(redis_url) as client,
        SidekiqProcess(redis_url, poll=None) as process,
    ):
        jid = client.perform_in("Echo", 3600)
        make_due(redis, "schedule", jid)
        beat = process.heartbeat()["beat"]
        wait_until(lambda: process.heartbeat()["beat"] != beat)
        assert find(redis, "schedule", jid) is not None
        client.poll()
        wait_until_ran(redis, [jid])
