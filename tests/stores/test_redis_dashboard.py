"""What Sidekiq's Web and the doctor are told of a process and of a server."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.servers import RedisServer
from tests.stores.places import ManualClock
from tests.stores.redis_desk import FAILURE, OWNER, claim, foreign, new, peer, report, run_with
from treadle.core.outcomes import COMPLETED, Discarded, Outcome, Retried
from treadle.core.states import State
from treadle.stores.claim import Settlement
from treadle.stores.job_query import JobQuery
from treadle.stores.redis import RedisStore
from treadle.stores.views import Finding
from treadle.supervise.clock import SystemClock


def test_a_process_is_shown_as_every_generation_of_sidekiqs_web_reads_it(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(7)])
        await store.enroll(OWNER, 30)
        running = await claim(store)
        await store.report(report(running=running, concurrency=4, rss=5000, quiet=True))
        with peer(redis_url) as client:
            client_any: Any = client
            assert client_any.smembers("processes") == {OWNER.encode()}
            fields = client_any.hgetall(OWNER)
            info = json.loads(fields[b"info"])
            assert (info["hostname"], info["pid"], info["identity"]) == ("host", 1, OWNER)
            assert (info["queues"], info["concurrency"], info["started_at"]) == (["mail"], 4, 1795334455.5)
            assert info["capsules"]["default"]["concurrency"] == 4
            assert (fields[b"busy"], fields[b"concurrency"], fields[b"quiet"]) == (b"1", b"4", b"true")
            assert fields[b"rss"] == b"5000"
            assert abs(float(fields[b"beat"]) - SystemClock().now()) < 60
            assert client_any.hgetall(f"{OWNER}:work") == client_any.hgetall(f"{OWNER}:workers")
            [work] = [json.loads(value) for value in client_any.hvals(f"{OWNER}:work")]
            assert (work["queue"], json.loads(work["payload"])["args"]) == ("mail", [7])
            assert abs(work["run_at"] - SystemClock().now()) < 60
            for key in (OWNER, f"{OWNER}:work", f"{OWNER}:workers"):
                assert 0 < client_any.ttl(key) <= 60

    run_with(redis_url, story)


def test_what_does_not_run_any_more_is_not_shown(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1), new(2)])
        await store.enroll(OWNER, 30)
        await store.report(report(running=await claim(store)))
        await store.report(report())
        with peer(redis_url) as client:
            assert not client.exists(f"{OWNER}:work", f"{OWNER}:workers")

    run_with(redis_url, story)


def test_signals_come_oldest_first_and_only_those_that_are_known(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            client.lpush(f"{OWNER}-signals", "TSTP", "KILL", 'CANCEL:{"jid":"1"}', "TTIN", "TERM")
        assert await store.report(report()) == ["TSTP", "TTIN", "TERM"]
        assert await store.report(report()) == []

    run_with(redis_url, story)


def test_a_process_that_leaves_is_shown_no_longer(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1)])
        await store.enroll(OWNER, 30)
        await store.report(report(running=await claim(store)))
        await store.leave(OWNER)
        with peer(redis_url) as client:
            names: Any = client.keys(f"{OWNER}*")
            assert names == []
            assert client.scard("processes") == 0

    run_with(redis_url, story)


def test_settlements_are_counted_by_the_servers_day(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(number) for number in range(4)])
        await store.enroll(OWNER, 30)
        claims = await claim(store)
        outcomes: list[Outcome] = [COMPLETED, COMPLETED, Retried(60, FAILURE), Discarded(FAILURE)]
        pairs = zip(claims, outcomes, strict=True)
        await store.settle(OWNER, [Settlement(found, outcome) for found, outcome in pairs])
        with peer(redis_url) as client:
            days: Any = client.keys("stat:processed:*")
            [day] = days
            assert (client.get("stat:processed"), client.get(day)) == (b"4", b"4")
            assert client.get("stat:failed") == client.get(day.replace(b"processed", b"failed")) == b"2"
            assert client.ttl(day) == 157680000

    # A worker whose own clock is years off.
    run_with(redis_url, story, clock=ManualClock(now=1.0))


def test_a_dead_job_keeps_its_end_and_the_dead_are_trimmed(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            now = SystemClock().now()
            client.zadd("dead", {f"old {number}": now - 15552000 - 60 for number in range(5)})
            client.zadd("dead", {f"young {number}": now - 60 + number / 1000 for number in range(10_050)})
        jid = (await store.insert([new(1)]))[0].id
        await store.enroll(OWNER, 30)
        [found] = await claim(store)
        await store.settle(OWNER, [Settlement(found, Discarded(FAILURE))])
        with peer(redis_url) as client:
            texts: Any = client.zrange("dead", 0, -1)
            assert len(texts) == 10_000
            kept = json.loads(texts[-1])
            assert (kept["jid"], kept["error_class"], kept["error_message"]) == (jid, "ValueError", "boom")
            assert kept["retry_count"] == 0
        ended = await store.result(jid)
        assert ended is not None
        assert (ended.state, ended.error) == (State.DISCARDED, "ValueError: boom")

    run_with(redis_url, story)


@pytest.mark.parametrize("members", [{"dead": False}, {"retry": False}])
def test_a_job_that_is_not_to_be_kept_when_dead_is_not(members: dict[str, Any], redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            client.lpush("queue:mail", foreign(1, **members))
            [found] = await claim(store)
            await store.settle(OWNER, [Settlement(found, Discarded(FAILURE))])
            assert client.zcard("dead") == 0
            assert (client.get("stat:processed"), client.get("stat:failed")) == (b"1", b"1")
        ended = await store.result(found.job.id)
        assert ended is not None
        assert ended.state is State.DISCARDED

    run_with(redis_url, story)


def test_a_dead_job_that_is_retried_by_hand_has_an_attempt_left(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        jid = (await store.insert([new(1, max_attempts=1)]))[0].id
        await store.enroll(OWNER, 30)
        [found] = await claim(store)
        await store.settle(OWNER, [Settlement(found, Discarded(FAILURE))])
        assert await store.act("retry", JobQuery(ids=(jid,))) == 1
        [again] = await claim(store)
        assert (again.job.attempt, again.job.max_attempts) == (1, 1)
        assert await store.result(jid) is None

    run_with(redis_url, story)


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.text: finding.level for finding in findings}


def test_the_doctor_warns_of_what_loses_jobs(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis(maxmemory_policy="allkeys-lru")

    async def story(store: RedisStore) -> None:
        found = levels(list(await store.diagnose()))
        assert any(level == "error" and "noeviction" in text for text, level in found.items())
        assert any(level == "warning" and "no persistence at all" in text for text, level in found.items())
        assert any(level == "warning" and "clocks" in text for text, level in found.items())
        server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.call("CONFIG", "SET", "save", "60 1")
        found = levels(list(await store.diagnose()))
        assert any(level == "warning" and "snapshots only" in text for text, level in found.items())
        server.call("CONFIG", "SET", "appendonly", "yes")
        for sync, expected, words in (
            ("no", "warning", "half a minute"),
            ("everysec", "ok", "last two seconds"),
            ("always", "ok", "appendfsync always"),
        ):
            server.call("CONFIG", "SET", "appendfsync", sync)
            found = levels(list(await store.diagnose()))
            assert [level for text, level in found.items() if words in text] == [expected]

    run_with(server.url, story, clock=ManualClock(now=1.0))
    # It would not end while it rewrites its log.
    server.kill()


def test_the_doctor_finds_nothing_where_nothing_is_wrong(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis(appendonly="yes")

    async def story(store: RedisStore) -> None:
        assert {finding.level for finding in await store.diagnose()} == {"ok"}

    run_with(server.url, story)
