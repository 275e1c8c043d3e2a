"""An idle worker on Redis asks seldom and starts at once, whoever pushes and whatever happens to its connection."""

import asyncio
import json
from typing import Any

import pytest
import redis.asyncio

from tests.proxy import CutProxy
from tests.stores.redis_desk import OWNER, foreign, new, open_store, peer, run_with
from treadle.core.outcomes import Completed, Released, SetAside
from treadle.core.states import State
from treadle.errors import StoreUnavailable
from treadle.stores.claim import Claim, Demand, Settlement
from treadle.stores.redis import RedisStore

QUEUES = ("one", "two", "three", "four", "mail")
BACKSTOP = 1.0
FAST = 0.02


async def next_claims(store: RedisStore, wait: float = 5 * BACKSTOP) -> list[Claim]:
    """What a claimer does when there is nothing."""
    clock = asyncio.get_running_loop().time
    end = clock() + wait
    watch = store.watch()
    while clock() < end:
        claims = await store.claim(OWNER, [Demand(QUEUES, 10), Demand(QUEUES, 1, alone=True)])
        if claims:
            return list(claims)
        await watch.wait(BACKSTOP)
    return []


def test_a_push_by_anyone_starts_an_idle_worker_at_once(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        slowest = FAST
        # Other tests may keep the machine busy: the best of three rounds tells what the store does.
        for _ in range(3):
            slowest = min(slowest, await _p99(store, redis_url))
            if slowest < FAST:
                return
        assert slowest < FAST

    run_with(redis_url, story)


async def _p99(store: RedisStore, url: str) -> float:
    """Seconds from a plain LPUSH to the claim, in 99 of 100 cases, less what plain round trips took at that moment.

    A push that the server has not answered cannot be heard of, and a claim is a round trip itself.
    """
    clock = asyncio.get_running_loop().time
    times: list[float] = []
    async with redis.asyncio.Redis.from_url(url) as client:
        for number in range(200):
            idle = asyncio.create_task(next_claims(store))
            await _armed(store, idle)
            began = clock()
            await client.lpush(f"queue:{QUEUES[number % 5]}", foreign(number))
            pushed = clock()
            [found] = await idle
            claimed = clock()
            await client.ping()
            round_trips = pushed - began + clock() - claimed
            times.append(claimed - began - round_trips)
            await store.settle(OWNER, [Settlement(found, Completed())])
    return sorted(times)[int(0.99 * len(times))]


async def _armed(store: RedisStore, idle: "asyncio.Task[list[Claim]]") -> None:
    """Return once the worker waits: its claim was sent before this call, and is answered before it."""
    await asyncio.wait([idle], timeout=0)
    await store.result("nothing")
    assert not idle.done()


def test_an_idle_worker_on_five_queues_asks_less_than_three_times_a_second(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        await store.claim(OWNER, [Demand(QUEUES, 10)])
        with peer(redis_url) as client, client.monitor() as monitor:
            await next_claims(store, 3 * BACKSTOP)
            client.echo("the end")
            asked = 0
            while "the end" not in (command := monitor.next_command())["command"]:
                asked += command["client_type"] != "lua" and f"[{_database(redis_url)} " in f"[{command['db']} "
            assert asked < 3 * 3, asked

    run_with(redis_url, story)


def _database(url: str) -> str:
    return url.rpartition("/")[2]


def test_what_this_store_puts_back_itself_wakes_it_too(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        clock = asyncio.get_running_loop().time
        claims: list[Claim] = []
        for step in ("insert", "release", "set aside", "stage"):
            idle = asyncio.create_task(next_claims(store))
            await _armed(store, idle)
            began = clock()
            if step == "insert":
                await store.insert([new(1)])
            elif step == "stage":
                with peer(redis_url) as client:
                    client.zadd("retry", {foreign(1): 1})
                await store.stage(10)
            else:
                outcome = Released() if step == "release" else SetAside(1)
                await store.settle(OWNER, [Settlement(claims[0], outcome)])
            claims = await idle
            assert clock() - began < BACKSTOP / 2, step

    run_with(redis_url, story)


def test_a_result_is_told_and_not_looked_for(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        jid = (await store.insert([new(1)]))[0].id
        await store.enroll(OWNER, 60)
        claims = await store.claim(OWNER, [Demand(QUEUES, 1)])
        watch = store.watch()
        assert await store.result(jid) is None
        waiting = asyncio.create_task(watch.wait(30))
        async with open_store(redis_url) as worker:
            await worker.settle(OWNER, [Settlement(claims[0], Completed(b'{"a":[1.0]}'))])
        await asyncio.wait_for(waiting, 1)
        ended = await store.result(jid)
        assert ended is not None
        assert (ended.state, ended.value) == (State.COMPLETED, b'{"a":[1.0]}')

    run_with(redis_url, story)


def test_a_change_between_the_look_and_the_wait_is_not_missed(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        watch = store.watch()
        assert await store.claim(OWNER, [Demand(QUEUES, 1)]) == []
        await store.insert([new(1)])
        await asyncio.wait_for(watch.wait(30), 1)

    run_with(redis_url, story)


def test_a_settlement_of_ones_own_is_no_news(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1)])
        await store.enroll(OWNER, 60)
        claims = await store.claim(OWNER, [Demand(QUEUES, 10)])
        watch = store.watch()
        await store.settle(OWNER, [Settlement(found, Completed()) for found in claims])
        await store.result("nothing")
        waiting = asyncio.create_task(watch.wait(30))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
        waiting.cancel()

    run_with(redis_url, story)


def test_a_lost_connection_wakes_and_is_made_anew_and_armed_again(redis_proxy: CutProxy, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        watch = store.watch()
        assert await store.claim(OWNER, [Demand(QUEUES, 1)]) == []
        waiting = asyncio.create_task(watch.wait(30))
        await asyncio.wait([waiting], timeout=0)
        redis_proxy.cut_now()
        await asyncio.wait_for(waiting, 1)
        idle = asyncio.create_task(next_claims(store))
        await _armed(store, idle)
        with peer(redis_url) as client:
            client.lpush("queue:two", foreign(1))
        assert len(await asyncio.wait_for(idle, BACKSTOP / 2)) == 1

    run_with(redis_proxy.url, story)


def test_a_connection_that_went_silent_is_found_by_the_back_stop(redis_proxy: CutProxy, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        assert await store.claim(OWNER, [Demand(QUEUES, 1)]) == []
        redis_proxy.black_hole()
        with peer(redis_url) as client:
            client.lpush("queue:two", foreign(1))
        with pytest.raises(StoreUnavailable):
            await next_claims(store)
        redis_proxy.forward()
        assert len(await next_claims(store)) == 1

    run_with(redis_proxy.url, story)


@pytest.mark.parametrize("right", ["-client", "-hello -client"])
def test_where_the_server_tells_nothing_it_is_asked_often(right: str, redis_url: str) -> None:
    user = f"user{_database(redis_url)}"

    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        idle = asyncio.create_task(next_claims(store))
        await _armed(store, idle)
        with peer(redis_url) as client:
            client.lpush("queue:two", foreign(1))
        assert len(await asyncio.wait_for(idle, BACKSTOP / 2)) == 1
        texts = [finding.text for finding in await store.diagnose() if finding.level == "warning"]
        assert any("RESP 3" in text for text in texts)

    with peer(redis_url) as client:
        client.execute_command("ACL", "SETUSER", user, "on", ">secret", "~*", "+@all", *right.split())
        try:
            run_with(redis_url.replace("redis://", f"redis://{user}:secret@"), story)
        finally:
            client.execute_command("ACL", "DELUSER", user)


def test_many_loops_of_one_process_each_have_their_own_connections(redis_url: str) -> None:
    store: list[Any] = []

    async def one(number: int) -> None:
        async with open_store(redis_url) as opened:
            store.append(opened)
            await opened.insert([new(number)])

    for number in range(3):
        asyncio.run(one(number))
    asyncio.run(store[0].insert([new(3)]))
    with peer(redis_url) as client:
        texts: Any = client.lrange("queue:mail", 0, -1)
        assert sorted(json.loads(text)["args"][0] for text in texts) == [0, 1, 2, 3]
