"""A reply that is lost makes no second job and no second outcome on Redis, and nobody waits long for one."""

import asyncio
import json
from typing import Any

import pytest

from tests.proxy import CutProxy
from tests.servers import free_port
from tests.stores.redis_desk import (
    FAILURE,
    OUTCOMES,
    OWNER,
    claim,
    load_scripts,
    new,
    peer,
    queued,
    run_with,
)
from treadle.core.cron_entry import CronEntry
from treadle.core.outcomes import (
    COMPLETED,
    Cancelled,
    Completed,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.errors import StoreUnavailable, Unconfirmed
from treadle.stores.claim import Settlement
from treadle.stores.redis import RedisStore
from treadle.stores.redis_scripts import script
from treadle.stores.ticks import Firing
from treadle.supervise.clock import SystemClock


@pytest.fixture(autouse=True)
def _scripts_are_known(redis_url: str) -> None:
    with peer(redis_url) as client:
        load_scripts(client)


def digest(name: str) -> bytes:
    return script(name).digest


@pytest.mark.parametrize("changes", [{}, {"delay": 60.0}, {"at": 4e9}], ids=["now", "delayed", "at"])
def test_an_insert_whose_reply_is_lost_makes_one_job(
    changes: dict[str, Any], redis_proxy: CutProxy, redis_url: str
) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(0, **changes)])
        redis_proxy.cut_reply(matching=digest("insert"))
        inserted = await store.insert([new(1, **changes), new(2, **changes)])
        assert redis_proxy.cuts == 1
        with peer(redis_url) as client:
            texts: Any = client.lrange("queue:mail", 0, -1) or client.zrange("schedule", 0, -1)
            jids = [json.loads(text)["jid"] for text in texts]
        assert sorted(jids).count(inserted[0].id) == 1
        assert len(jids) == 3

    run_with(redis_proxy.url, story)


def test_a_tick_whose_reply_is_lost_comes_once(redis_proxy: CutProxy, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        entry = CronEntry(name="nightly", expr="@daily", job=new(1))
        await store.put_cron(entry)
        last = (await store.crontab()).rows["nightly"].last_tick
        firing = Firing("nightly", last, last - 60, (entry.job_at(last - 60),))
        redis_proxy.cut_reply(matching=digest("insert+fire_cron"))
        with pytest.raises(StoreUnavailable):
            await store.fire_cron(firing)
        assert redis_proxy.cuts == 1
        assert await store.fire_cron(firing) is None
        with peer(redis_url) as client:
            assert [job["trd_job"]["meta"]["cron_name"] for job in queued(client)] == ["nightly"]

    run_with(redis_proxy.url, story)


def test_a_blocking_insert_whose_reply_is_lost_makes_one_job(redis_proxy: CutProxy, redis_url: str) -> None:
    store = RedisStore(redis_proxy.url, clock=SystemClock())
    store.insert_now([new(0)])
    redis_proxy.cut_reply(matching=digest("insert"))
    [inserted] = store.insert_now([new(1)])
    store.close()
    assert redis_proxy.cuts == 1
    with peer(redis_url) as client:
        assert [job["jid"] for job in queued(client)].count(inserted.id) == 1
        assert len(queued(client)) == 2


def test_an_insert_whose_request_is_lost_makes_one_job(redis_proxy: CutProxy, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        redis_proxy.cut_request(matching=digest("insert"))
        await store.insert([new(1)])
        with peer(redis_url) as client:
            assert len(queued(client)) == 1

    run_with(redis_proxy.url, story)


def test_an_insert_that_nobody_confirms_says_so_with_its_ids(redis_proxy: CutProxy) -> None:
    async def story(store: RedisStore) -> None:
        redis_proxy.black_hole()
        clock = asyncio.get_running_loop().time
        began = clock()
        with pytest.raises(Unconfirmed) as raised:
            await store.insert([new(1), new(2)])
        assert clock() - began < 2
        assert len(raised.value.ids) == 2
        redis_proxy.forward()

    run_with(redis_proxy.url, story)


def test_a_blocking_insert_that_nobody_confirms_says_so_with_its_ids(redis_proxy: CutProxy) -> None:
    store = RedisStore(redis_proxy.url, clock=SystemClock())
    store.insert_now([new(0)])
    redis_proxy.black_hole()
    began = SystemClock().steady()
    with pytest.raises(Unconfirmed) as raised:
        store.insert_now([new(1)])
    assert SystemClock().steady() - began < 2
    assert len(raised.value.ids) == 1
    store.close()


def test_an_insert_where_nobody_listens_certainly_did_nothing() -> None:
    url = f"redis://:canary@127.0.0.1:{free_port()}/0"
    store = RedisStore(url, where="redis://:***@host", clock=SystemClock())
    began = SystemClock().steady()
    for insert in (lambda: asyncio.run(_insert(store)), lambda: store.insert_now([new(1)])):
        with pytest.raises(StoreUnavailable, match=r"cannot reach Redis at redis://:\*\*\*@host") as raised:
            insert()
        assert not isinstance(raised.value, Unconfirmed)
        assert "canary" not in str(raised.value)
    assert SystemClock().steady() - began < 2 * 2
    store.close()


async def _insert(store: RedisStore) -> None:
    try:
        await store.insert([new(1)])
    finally:
        await store.aclose()


@pytest.mark.parametrize("outcome", [COMPLETED, *OUTCOMES], ids=lambda outcome: type(outcome).__name__)
def test_a_settlement_whose_reply_is_lost_is_applied_once(
    outcome: Outcome, redis_proxy: CutProxy, redis_url: str
) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1)])
        await store.enroll(OWNER, 30)
        settlement = [Settlement(found, outcome) for found in await claim(store)]
        redis_proxy.cut_reply(matching=b"treadle:inflight:")
        [answer] = await store.settle(OWNER, settlement)
        assert redis_proxy.cuts == 1
        assert answer.answer == "repeated"
        [answer] = await store.settle(OWNER, settlement)
        assert answer.answer == "repeated"
        with peer(redis_url) as client:
            places = [client.zcard("retry"), client.zcard("schedule"), client.zcard("dead"), client.llen("queue:mail")]
            assert client.hlen(f"treadle:inflight:{OWNER}") == 0
            assert sum(places) + client.llen("treadle:suspended:mail") == (
                0 if isinstance(outcome, Completed | Cancelled) else 1
            )
            counted = not isinstance(outcome, Released | SetAside | Snoozed)
            assert client.get("stat:processed") == (b"1" if counted else None)

    run_with(redis_proxy.url, story)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_in_a_pipeline_of_settlements_any_reply_may_be_lost(nth: int, redis_proxy: CutProxy, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(number) for number in range(4)])
        await store.enroll(OWNER, 30)
        claims = await claim(store)
        outcomes: list[Outcome] = [COMPLETED, Retried(60, FAILURE), Cancelled(), COMPLETED]
        redis_proxy.cut_reply(nth, matching=b"treadle:inflight:")
        pairs = zip(claims, outcomes, strict=True)
        answers = await store.settle(OWNER, [Settlement(found, outcome) for found, outcome in pairs])
        assert {answer.answer for answer in answers} <= {"applied", "repeated"}
        with peer(redis_url) as client:
            assert client.zcard("retry") == 1
            assert client.get("stat:processed") == b"4"
            assert client.get("stat:failed") == b"1"

    run_with(redis_proxy.url, story)


def test_a_claim_whose_reply_is_lost_is_held_and_goes_back(redis_proxy: CutProxy, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        ids = [one.id for one in await store.insert([new(number) for number in range(5)])]
        await store.enroll(OWNER, 30)
        redis_proxy.cut_reply(matching=digest("claim"))
        with pytest.raises(StoreUnavailable):
            await claim(store, 3)
        held = await store.held(OWNER)
        assert [found.job.id for found in held] == ids[:3]
        answers = await store.settle(OWNER, [Settlement(found, Released()) for found in held])
        assert [answer.answer for answer in answers] == ["applied"] * 3
        assert [found.job.id for found in await claim(store)] == ids

    run_with(redis_proxy.url, story)


def test_a_claim_that_was_claimed_again_is_not_settled_by_the_old_receipt(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(1)])
        await store.enroll(OWNER, 30)
        [old] = await claim(store)
        await store.settle(OWNER, [Settlement(old, Snoozed(0))])
        assert await store.stage(10) == 1
        [again] = await claim(store)
        [answer] = await store.settle(OWNER, [Settlement(old, COMPLETED)])
        assert answer.answer != "applied"
        assert [found.receipt for found in await store.held(OWNER)] == [again.receipt]

    run_with(redis_url, story)
