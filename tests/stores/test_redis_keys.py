"""Keys of other people, of odd names and of wrong types, beside those of the Redis store."""

import asyncio
from typing import Any

import pytest

from tests.stores.redis_desk import (
    FAILURE,
    OWNER,
    claim,
    foreign,
    new,
    open_store,
    peer,
    queued,
    report,
    run_with,
)
from treadle.core.controls import QueueControl
from treadle.core.outcomes import (
    Retried,
    SetAside,
)
from treadle.errors import NotEnrolled, StoreError
from treadle.stores.claim import Demand, Settlement
from treadle.stores.redis import RedisStore


def test_a_queue_of_another_type_does_not_stop_the_others(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            client.set("queue:broken", "no list")
            await store.insert([new(1), new(2)])
            await store.enroll(OWNER, 30)
            assert len(await claim(store, 10, OWNER, "broken", "mail")) == 2
            assert await claim(store, 10, OWNER, "broken") == []
            assert (await store.work([], ["broken", "mail"])).available == 0
            assert client.get("queue:broken") == b"no list"
        with pytest.raises(StoreError, match="queue:broken"):
            await store.insert([new(3, queue="broken")])

    run_with(redis_url, story)
    assert "queue:broken" in caplog.text


def test_a_due_job_of_a_broken_queue_does_not_stop_the_others(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            client.set("queue:broken", "no list")
            client.zadd("retry", {foreign(1, queue="broken"): 1, foreign(2): 2})
            client.zadd("schedule", {foreign(3, queue="broken"): 1, foreign(4): 2})
            assert await store.stage(100) == 2
            assert len(queued(client)) == 2
            assert client.zcard("retry") == 1
            assert client.zcard("schedule") == 1

    run_with(redis_url, story)


def test_claims_that_cannot_go_back_do_not_stop_the_others(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1), new(2, queue="other"), new(3)])
        await store.enroll(OWNER, 30)
        assert len(await claim(store, 10, OWNER, "mail", "other")) == 3
        with peer(redis_url) as client:
            client.set("queue:other", "no list")
            assert await store.leave(OWNER) == 2
            assert [job["args"] for job in queued(client)] == [[3], [1]]
            client.delete("queue:other")
            assert (await store.rescue(100)).claims == 1
            assert len(queued(client, "other")) == 1
            assert client.scard("treadle:leaving") == 0

    run_with(redis_url, story)


def test_claims_of_an_owner_that_was_deleted_by_hand_come_back(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1), new(2)])
        await store.enroll(OWNER, 30)
        assert len(await claim(store)) == 2
        with peer(redis_url) as client:
            client.zrem("treadle:owners", OWNER)
            assert (await store.work([], ["mail"])).others == {OWNER: 0}
            with pytest.raises(NotEnrolled):
                await claim(store)
            rescued = await store.rescue(100)
            assert (rescued.owners, rescued.claims) == ((), 2)
            assert [job["args"] for job in queued(client)] == [[2], [1]]
            assert not client.exists("treadle:holders", "treadle:leaving", "treadle:fenced")

    run_with(redis_url, story)


@pytest.mark.parametrize(
    "queue", ["a:b", "two words", "größe", "{x}", "backup::n::q", "q" * 5000, "new\nline", "'; drop", "]]"]
)
def test_a_queue_of_any_name_keeps_to_itself(queue: str, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1, queue=queue), new(2)])
        await store.enroll(OWNER, 30)
        [found] = await claim(store, 10, OWNER, queue)
        assert found.job.queue == queue
        await store.settle(OWNER, [Settlement(found, Retried(0, FAILURE))])
        assert await store.stage(10) == 1
        [found] = await claim(store, 10, OWNER, queue)
        await store.settle(OWNER, [Settlement(found, SetAside(1))])
        assert await store.set_aside([queue]) == 1
        [found] = await store.claim(OWNER, [Demand((queue,), 5, alone=True)])
        assert await store.leave(OWNER) == 1
        assert set(await store.counts()) == {queue, "mail"}

    run_with(redis_url, story)


def test_stores_with_other_namespaces_do_not_meet(redis_url: str) -> None:
    async def story() -> None:
        async with open_store(redis_url, namespace="shop") as shop, open_store(redis_url) as bare:
            await shop.insert([new(1)])
            await shop.enroll(OWNER, 30)
            with pytest.raises(NotEnrolled):
                await claim(bare)
            assert len(await claim(shop)) == 1
            await shop.report(report())
            with peer(redis_url) as client:
                names: Any = client.keys("*")
                assert names
                assert all(name.startswith(b"shop:") for name in names)

    asyncio.run(story())


def test_a_queue_that_sidekiq_pro_paused_is_paused_and_so_is_ours_there(redis_url: str) -> None:
    async def story() -> None:
        async with open_store(redis_url, namespace="shop") as store:
            with peer(redis_url) as client:
                await store.insert([new(1), new(2, queue="slow")])
                await store.enroll(OWNER, 30)
                client.sadd("shop:paused", "mail")
                assert [one.job.queue for one in await claim(store, 10, OWNER, "mail", "slow")] == ["slow"]
                await store.control(QueueControl(action="pause", queue="slow"), ["slow"])
                assert client.smembers("shop:paused") == {b"mail", b"slow"}
                await store.control(QueueControl(action="resume", queue="*"), ["mail", "slow"])
                assert client.exists("shop:paused") == 0
                assert len(await claim(store, 10, OWNER, "mail")) == 1

    asyncio.run(story())
