"""What the Redis store makes of a full memory, lost scripts, killed connections, restarts, fences and forks."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.proxy import CutProxy
from tests.servers import RedisServer, free_port, until
from tests.stores.redis_desk import (
    FAILURE,
    OTHER,
    OUTCOMES,
    OWNER,
    claim,
    load_scripts,
    new,
    open_store,
    peer,
    queued,
    report,
    run_with,
)
from treadle.core.outcomes import (
    COMPLETED,
    Outcome,
    Retried,
)
from treadle.errors import Fenced, NotEnrolled, StoreError, StoreFull, StoreUnavailable
from treadle.stores.claim import Settlement
from treadle.stores.redis import RedisStore
from treadle.supervise.clock import SystemClock


@pytest.fixture(autouse=True)
def _scripts_are_known(redis_url: str) -> None:
    with peer(redis_url) as client:
        load_scripts(client)


def test_a_full_memory_stops_new_jobs_and_nothing_else(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()

    async def story(store: RedisStore) -> None:
        await store.insert([new(number) for number in range(20)])
        await store.insert([new(99, delay=0.001)])
        await store.enroll(OWNER, 30)
        server.call("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(StoreFull, match="maxmemory"):
            await store.insert([new(100)])
        with pytest.raises(StoreFull):
            store.insert_now([new(100)])
        await store.enroll(OTHER, 30)
        assert await store.beat({OWNER: 30}) == {OWNER: "alive"}
        await store.report(report())
        assert await store.stage(10) == 1
        claims = await claim(store, 20)
        outcomes: list[Outcome] = [*[COMPLETED] * 10, *OUTCOMES, COMPLETED, COMPLETED]
        pairs = zip(claims, outcomes, strict=True)
        answers = await store.settle(OWNER, [Settlement(found, outcome) for found, outcome in pairs])
        assert {answer.answer for answer in answers} == {"applied"}
        assert await store.leave(OWNER) == 0
        server.call("CONFIG", "SET", "maxmemory", "0")

    run_with(server.url, story)


def test_scripts_that_the_server_forgot_are_sent_again(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()

    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        done = 0
        with peer(server.url) as client:
            for number in range(10):
                await store.insert([new(number), new(number)])
                client.script_flush()
                claims = await claim(store)
                client.script_flush()
                outcomes: list[Outcome] = [COMPLETED, Retried(60, FAILURE)]
                pairs = zip(claims, outcomes, strict=True)
                answers = await store.settle(OWNER, [Settlement(found, outcome) for found, outcome in pairs])
                done += [answer.answer for answer in answers].count("applied")
                client.script_flush()
                store.insert_now([new(0, queue="other")])
            assert client.llen("queue:other") == 10
        assert done == 20

    run_with(server.url, story)


def test_nothing_is_lost_or_doubled_while_connections_are_killed(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    total = 600

    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        done: list[str] = []
        producing = asyncio.create_task(_produce(store, total))
        turn = 0
        while len(done) < total:
            # Not at every turn: an insert whose five attempts are all cut is rightly given up.
            if turn % 3 == 0:
                server.call("CLIENT", "KILL", "TYPE", "normal")
            turn += 1
            done += await _consume(store)
            if producing.done():
                producing.result()
        inserted = await producing
        assert sorted(done) == sorted(inserted)
        assert await store.held(OWNER) == []

    run_with(server.url, story)


async def _produce(store: RedisStore, total: int) -> list[str]:
    ids: list[str] = []
    while len(ids) < total:
        ids += [one.id for one in await store.insert([new(len(ids)) for _ in range(20)])]
    return ids


async def _consume(store: RedisStore) -> list[str]:
    """The ids of what was completed; claims whose reply was lost are found by the look at what is held."""
    try:
        claims = [*await claim(store, 50)] or [*await store.held(OWNER)]
    except StoreUnavailable:
        return []
    settlements = [Settlement(found, COMPLETED) for found in claims]
    while True:
        try:
            answers = await store.settle(OWNER, settlements)
        except StoreUnavailable:
            continue
        pairs = zip(claims, answers, strict=True)
        return [found.job.id for found, answer in pairs if answer.answer in {"applied", "repeated"}]


def test_a_server_that_comes_back_empty_knows_no_owner_and_takes_no_old_settlement(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis()

    async def story(store: RedisStore) -> None:
        await store.insert([new(1)])
        await store.enroll(OWNER, 30)
        [found] = await claim(store)
        server.restart(empty=True)
        assert await _patiently(lambda: store.beat({OWNER: 30})) == {OWNER: "unknown"}
        with pytest.raises(NotEnrolled):
            await _patiently(lambda: claim(store))
        await store.enroll(OWNER, 30)
        [answer] = await store.settle(OWNER, [Settlement(found, COMPLETED)])
        assert answer.answer == "gone"
        await store.insert([new(2)])
        assert len(await claim(store)) == 1

    run_with(server.url, story)


async def _patiently(call: Callable[[], Any]) -> Any:  # noqa: ANN401
    answers: list[Any] = []

    async def answered() -> list[Any]:
        with suppress(StoreUnavailable):
            answers.append(await call())
        return answers

    found: list[Any] = await until(answered)
    return found[-1]


def test_a_replica_is_no_store_and_is_left(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()

    async def story(store: RedisStore) -> None:
        await store.insert([new(1)])
        server.call("REPLICAOF", "127.0.0.1", str(free_port()))
        with pytest.raises(StoreUnavailable, match="READONLY"):
            await store.enroll(OWNER, 30)
        with pytest.raises(StoreUnavailable):
            store.insert_now([new(2)])
        server.call("REPLICAOF", "NO", "ONE")
        await store.enroll(OWNER, 30)
        assert len(await claim(store)) == 1

    run_with(server.url, story)


def test_a_wrong_password_is_refused_without_showing_it(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis(requirepass="right")
    url = server.url.replace("redis://", "redis://:canary@")

    async def story() -> None:
        store = RedisStore(url, where="redis://:***@host", clock=SystemClock())
        with pytest.raises(StoreError, match="refuses the user or the password") as raised:
            await store.open()
        assert "canary" not in str(raised.value)
        with pytest.raises(StoreError, match="refuses the user or the password"):
            store.insert_now([new(1)])
        await store.aclose()
        store.close()

    asyncio.run(story())


def test_a_server_that_stands_still_ends_every_call(redis_proxy: CutProxy) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        redis_proxy.black_hole()
        clock = asyncio.get_running_loop().time
        began = clock()
        calls = [claim(store), store.held(OWNER), store.result("1")]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        assert clock() - began < 7
        redis_proxy.forward()
        assert await claim(store) == []

    run_with(redis_proxy.url, story)


def test_a_call_that_is_cancelled_leaves_the_others_their_replies(redis_proxy: CutProxy) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(number) for number in range(3)])
        await store.enroll(OWNER, 30)
        redis_proxy.stall()
        cut_short = asyncio.create_task(store.beat({OWNER: 30}))
        counting = asyncio.create_task(store.set_aside(["mail"]))
        await until(lambda: redis_proxy.held)
        cut_short.cancel()
        redis_proxy.forward()
        assert await counting == 0
        assert redis_proxy.cuts == 0
        assert (await store.work([OWNER], ["mail"])).available == 3

    run_with(redis_proxy.url, story)


def test_a_settlement_after_the_fence_applies_only_to_what_was_not_given_back(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(number) for number in range(6)])
        await store.enroll(OWNER, 0)
        claims = await claim(store)
        rescued = await store.rescue(4)
        assert (rescued.owners, rescued.claims) == ((OWNER,), 4)
        with pytest.raises(Fenced):
            await claim(store)
        answers = await store.settle(OWNER, [Settlement(found, COMPLETED) for found in claims])
        assert [answer.answer for answer in answers] == ["applied"] * 2 + ["gone"] * 4
        # Another rescuer goes on where the first one stopped.
        async with open_store(redis_url) as other:
            assert (await other.rescue(100)).claims == 0
            await other.enroll(OTHER, 30)
            assert [found.job.args for found in await claim(other, 10, OTHER)] == [b"[2]", b"[3]", b"[4]", b"[5]"]

    run_with(redis_url, story)


def test_a_child_of_a_fork_has_connections_of_its_own(redis_url: str) -> None:
    async def parent(store: RedisStore) -> None:
        await store.insert([new(1)])
        store.insert_now([new(2)])
        child = os.fork()
        if child == 0:
            _be_child(store)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await store.insert([new(5)])
        store.insert_now([new(6)])
        with peer(redis_url) as client:
            assert sorted(job["args"][0] for job in queued(client)) == [1, 2, 3, 4, 5, 6]

    run_with(redis_url, parent)


def _be_child(store: RedisStore) -> None:
    signal.alarm(10)
    code = 1
    try:
        store.insert_now([new(3)])
        # The parent's loop runs on in this copy, so another thread has to be used: a loop of its own, as in any child.
        asyncio._set_running_loop(None)  # noqa: SLF001
        asyncio.run(_in_child(store))
        code = 0
    finally:
        os._exit(code)


async def _in_child(store: RedisStore) -> None:
    await store.insert([new(4)])
