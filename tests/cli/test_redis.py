"""The same commands on Redis, where a URL is all that they need."""

import json
from collections.abc import Callable

from tests.cli.conftest import SHOP, Shell
from tests.servers import RedisServer


def test_a_job_is_enqueued_listed_worked_and_gone(shell: Shell, redis_url: str) -> None:
    job = shell.ok("enqueue", "--url", redis_url, "greet", '["Ann"]').strip()
    [listed] = shell.json("jobs", "list", "--url", redis_url)
    assert (listed["id"], listed["name"], listed["args"], listed["state"]) == (job, "greet", ["Ann"], "available")
    done = shell.run("work", SHOP, "--drain", TREADLE_URL=redis_url)
    assert (done.returncode, done.stdout) == (0, "no jobs\n")
    # What it returned outlives it.
    assert shell.json("jobs", "show", job, "--url", redis_url) == {
        "id": job,
        "state": "completed",
        "value": "hello Ann ",
    }


def test_a_discarded_job_ends_a_drain_with_3_and_can_be_retried(shell: Shell, redis_url: str) -> None:
    job = shell.ok("enqueue", SHOP, "fail", TREADLE_URL=redis_url).strip()
    done = shell.run("work", SHOP, "--drain", TREADLE_URL=redis_url)
    assert (done.returncode, done.stdout.split()) == (3, ["discarded", "1"])
    assert shell.ok("jobs", "retry", job, "--url", redis_url) == "1 job made available\n"
    assert shell.json("queues", "list", "--url", redis_url)["default"]["states"] == {"available": 1}
    assert shell.ok("jobs", "delete", job, "--url", redis_url) == "1 job deleted\n"
    assert shell.run("jobs", "show", job, "--url", redis_url).returncode == 4


def test_the_doctor_calls_eviction_an_error(shell: Shell, start_redis: Callable[..., RedisServer]) -> None:
    url = start_redis(maxmemory="50mb", maxmemory_policy="allkeys-lru").url
    done = shell.run("doctor", "--url", url, "--json")
    assert done.returncode == 1
    errors = [finding["text"] for finding in json.loads(done.stdout)["findings"] if finding["level"] == "error"]
    assert [text for text in errors if "maxmemory-policy" in text] == errors


def test_the_doctor_finds_nothing_worse_than_warnings_on_a_server_as_it_should_be(shell: Shell, redis_url: str) -> None:
    assert {finding["level"] for finding in shell.json("doctor", "--url", redis_url)["findings"]} <= {"ok", "warning"}


def test_a_foreign_job_cannot_forge_lines_of_the_log(
    shell: Shell, redis_server: RedisServer, redis_database: int, redis_url: str
) -> None:
    name = "Evil\x1b]0;owned\x07\n2026-01-01 00:00:00 1 INFO forged"
    payload = json.dumps({"class": name, "args": [], "queue": "default", "jid": "ab" * 12, "created_at": 1.0})
    redis_server.call("LPUSH", "queue:default", payload, database=redis_database)
    log = shell.run("work", SHOP, "--drain", TREADLE_URL=redis_url).stderr
    [line] = [line for line in log.splitlines() if "owned" in line]
    assert "Evil\\x1b]0;owned\\x07\\n2026-01-01" in line
    assert "is not registered in this app" in line


def test_a_store_that_may_throw_jobs_away_is_worked_on_only_if_asked_for(
    shell: Shell, start_redis: Callable[..., RedisServer]
) -> None:
    url = start_redis(maxmemory="50mb", maxmemory_policy="allkeys-lru").url
    shell.ok("enqueue", SHOP, "greet", '["Ann"]', TREADLE_URL=url)
    refused = shell.run("work", SHOP, "--drain", TREADLE_URL=url)
    assert refused.returncode == 1
    assert "maxmemory-policy" in refused.stderr
    assert shell.json("queues", "list", "--url", url)["default"]["depth"] == 1
    assert shell.run("work", SHOP, "--drain", "--unsafe", TREADLE_URL=url).returncode == 0
