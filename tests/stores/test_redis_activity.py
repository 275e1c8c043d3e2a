"""Who works on a Redis and how its queues do, in the forms of every program that shows itself there."""

import json
from typing import Any

import pytest
import redis

from tests.stores.redis_desk import OWNER, claim, foreign, new, peer, report, run_with
from treadle.stores.redis import RedisStore
from treadle.stores.views import QueueView, WorkerView
from treadle.supervise.clock import SystemClock

FOREIGN = "web-1:7:abc"


def show(client: "redis.Redis", name: str, info: object, *, colon: str = "") -> None:
    client.sadd(f"{colon}processes", name)
    client.hset(f"{colon}{name}", "info", info if isinstance(info, str) else json.dumps(info))


def workers_beside(url: str, info: object, *, colon: str = "", namespace: str = "") -> list[WorkerView]:
    """What a store says of a process that shows this of itself."""
    found: list[WorkerView] = []

    async def story(store: RedisStore) -> None:
        with peer(url) as client:
            show(client, FOREIGN, info, colon=colon)
        found.extend(await store.workers())

    run_with(url, story, namespace=namespace)
    return found


@pytest.mark.parametrize(
    "info",
    [
        {"pid": 7, "queues": ["a", "b"], "tag": "shop", "concurrency": 5},
        {"pid": 7, "queues": ["a", "b"], "version": "7.3.10", "weights": [{"a": 1, "b": 1}], "embedded": False},
        {"pid": 7, "queues": ["a", "b"], "version": "8.1.7", "capsules": {"default": {"weights": {"a": 0, "b": 0}}}},
    ],
)
def test_sidekiq_of_every_generation_is_a_foreign_program(info: object, redis_url: str) -> None:
    assert workers_beside(redis_url, info) == [WorkerView(name=FOREIGN, queues=("a", "b"), program="sidekiq")]


@pytest.mark.parametrize(("colon", "namespace"), [(":", ""), ("exq:", "exq")])
def test_exq_is_one_with_and_without_a_namespace(colon: str, namespace: str, redis_url: str) -> None:
    info = {"pid": "7", "queues": ["a"], "busy": 0, "quiet": False, "started_at": 1795334455.5}
    wanted = WorkerView(name=FOREIGN, queues=("a",), program="exq")
    assert workers_beside(redis_url, info, colon=colon, namespace=namespace) == [wanted]


@pytest.mark.parametrize("info", ["no JSON", "[]", '{"queues":7}', '{"queues":[1]}'])
def test_a_process_that_cannot_be_read_is_shown_without_queues(info: str, redis_url: str) -> None:
    assert workers_beside(redis_url, info) == [WorkerView(name=FOREIGN, program="sidekiq")]


@pytest.mark.parametrize("quiet", ["true", "false"])
def test_a_foreign_process_that_is_quiet_takes_no_more_jobs(quiet: str, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            show(client, FOREIGN, {"pid": 7, "queues": ["a"]})
            client.hset(FOREIGN, "quiet", quiet)
        assert [worker.name for worker in await store.workers()] == ([] if quiet == "true" else [FOREIGN])

    run_with(redis_url, story)


def test_a_killed_process_of_our_own_is_no_foreign_one(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        await store.report(report())
        assert await store.workers() == [WorkerView(name=OWNER, queues=("mail",))]
        with peer(redis_url) as client:
            client.zadd("treadle:owners", {OWNER: SystemClock().now() - 1})
            assert await store.workers() == []
            assert client.sismember("processes", OWNER)
            client.delete(OWNER)
            assert await store.workers() == []

    run_with(redis_url, story)


def test_a_lease_that_ended_within_this_second_has_ended(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            now: Any = client.time()
            client.zadd("treadle:owners", {OWNER: now[0] + now[1] / 1e6})
        assert await store.workers() == []

    run_with(redis_url, story)


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({}, 60.0),
        ({"enqueued_at": "milliseconds"}, 60.0),
        ({"enqueued_at": "whole seconds"}, 60.0),
        ({"enqueued_at": None}, 0.0),
        ({"enqueued_at": "soon"}, 0.0),
        ({"enqueued_at": True}, 0.0),
        ({"enqueued_at": -(10**400)}, 0.0),
        ({"enqueued_at": 10**400}, 0.0),
    ],
    ids=str,
)
def test_a_job_says_how_long_it_waited_in_any_unit(members: dict[str, Any], wanted: float, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        at = SystemClock().now() - 60
        given = {"enqueued_at": at} | members
        given["enqueued_at"] = {"milliseconds": int(at * 1000), "whole seconds": int(at)}.get(
            str(given["enqueued_at"]), given["enqueued_at"]
        )
        with peer(redis_url) as client:
            client.lpush("queue:mail", foreign(1, **given))
        [found] = await claim(store)
        assert wanted <= found.job.waited < wanted + 10
        [held] = await store.held(OWNER)
        assert held.job.waited == found.job.waited

    run_with(redis_url, story)


def test_the_age_of_a_queue_is_that_of_the_job_that_is_next(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            now = SystemClock().now()
            client.sadd("queues", "mail", "odd", "empty")
            client.lpush("queue:mail", foreign(1, enqueued_at=int((now - 100) * 1000)))
            client.lpush("queue:odd", "no job at all")
        await store.insert([new(2)])
        found = await store.queues()
        age = found["mail"].age
        assert age is not None
        assert 100 <= age < 110
        assert (found["mail"].available, found["odd"], found["empty"]) == (2, QueueView(available=1), QueueView())

    run_with(redis_url, story)


def test_completions_are_forgotten_by_themselves(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.report(report(done={"mail": 60}))
        with peer(redis_url) as client:
            names: Any = client.keys("treadle:done:*")
            [name] = names
            assert 60 < client.ttl(name) <= 75
        assert (await store.queues())["mail"].rate > 0
        with peer(redis_url) as client:
            client.delete(name)
        assert await store.queues() == {}

    run_with(redis_url, story)


def test_what_is_no_number_stops_no_report_and_a_key_of_another_type_no_look(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            for number in range(8):
                client.hset(f"treadle:done:{number}", "mail", "many")
            await store.report(report(done={"mail": 60}))
            assert client.sismember("processes", OWNER)
            for number in range(8):
                client.delete(f"treadle:done:{number}")
                client.set(f"treadle:done:{number}", "text")
            client.sadd("queues", "broken")
            client.set("queue:broken", "no list")
        assert await store.queues() == {"broken": QueueView()}

    run_with(redis_url, story)


def test_a_job_carries_its_marks_in_the_members_that_sidekiq_knows(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1, tags=("red", "größe"), meta={"a": [1]}, rerun=False), new(2)])
        with peer(redis_url) as client:
            texts: Any = client.lrange("queue:mail", 0, -1)
        plain, marked = map(json.loads, texts)
        assert marked["tags"] == ["red", "größe"]
        assert marked["trd_job"] == {"rerun": False, "meta": {"a": [1]}}
        assert marked.keys() - plain.keys() == {"tags", "trd_job"}

    run_with(redis_url, story)


@pytest.mark.parametrize("own", ["text", 7, [], {"rerun": "no", "meta": 7}, {"rerun": None}])
def test_marks_of_another_kind_are_passed_over(own: object, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            client.lpush("queue:mail", foreign(1, trd_job=own, tags="red"))
        [found] = await claim(store)
        assert (found.job.rerun, found.job.meta, found.job.tags) == (True, {}, ())
        assert await store.leave(OWNER) == 1
        assert (await store.queues())["mail"].available == 1

    run_with(redis_url, story)
