"""Unique jobs on Redis: the lock and the fields of Exq, which its nodes and ours take away for each other."""

import asyncio
import json
from typing import Any

import pytest
import redis

from tests.proxy import CutProxy
from tests.stores.redis_desk import FAILURE, OWNER, claim, foreign, load_scripts, new, peer, queued, run_with
from treadle.core.outcomes import COMPLETED, Discarded, Outcome, Retried, Snoozed
from treadle.core.uniqueness import Unique, Uniqueness
from treadle.errors import ConfigError
from treadle.stores.claim import Settlement
from treadle.stores.job_query import JobQuery
from treadle.stores.redis import RedisStore
from treadle.stores.redis_scripts import script


def unique(number: int = 0, rule: Unique | None = None, **changes: Any) -> Any:  # noqa: ANN401 - a job
    return new(number, unique=Uniqueness(rule or Unique(period=300, until="success")), **changes)


def locks(url: str) -> dict[str, str]:
    with peer(url) as client:
        names: Any = client.keys("unique:*")
        return {name.decode(): str(client.get(name), "ascii") for name in names}


@pytest.mark.parametrize(
    ("rule", "until", "own"),
    [
        (Unique(period=300), "expiry", {"unique": "successful"}),
        (Unique(period=300, until="success"), "success", None),
        (Unique(period=300, states="incomplete"), "success", None),
        (Unique(period=300, until="start"), "start", None),
        (Unique(period=300, states="all"), "expiry", None),
    ],
)
def test_a_payload_has_the_members_of_exq(redis_url: str, rule: Unique, until: str, own: object) -> None:
    async def story(store: RedisStore) -> None:
        (one,) = await store.insert([unique(1, rule)])
        with peer(redis_url) as client:
            (job,) = queued(client)
            lasts: Any = client.pttl("unique:" + job["unique_token"])
        assert locks(redis_url) == {"unique:" + job["unique_token"]: one.id}
        assert (job["unique_for"], job["unique_until"], job.get("trd_job")) == (300.0, until, own)
        assert job["unlocks_at"] == pytest.approx(job["created_at"] + 300)
        assert 290_000 < lasts <= 300_000

    run_with(redis_url, story)


def test_the_period_counts_from_when_a_job_is_due_where_the_rule_says_so(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        rule = Unique(period=300, until="start", timestamp="scheduled_at")
        await store.insert([unique(1, rule, delay=1000.0)])
        with peer(redis_url) as client:
            (text,) = client.zrange("schedule", 0, -1)
            job = json.loads(text)
            lasts: Any = client.pttl("unique:" + job["unique_token"])
        assert job["unlocks_at"] == pytest.approx(job["created_at"] + 1300)
        assert 1_290_000 < lasts <= 1_300_000

    run_with(redis_url, story)


def test_a_rule_that_no_lock_can_keep_is_refused_by_the_store_too(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with pytest.raises(ConfigError, match="expected a period of unique in seconds on this store"):
            await store.insert([unique(1, Unique(period=None))])
        assert locks(redis_url) == {}

    run_with(redis_url, story)


def exq(client: "redis.Redis", until: str, **members: Any) -> None:
    """A unique job as Exq enqueues it."""
    fields = {"unique_for": 60, "unique_until": until, "unique_token": "t", "unlocks_at": 1795334515.8}
    client.lpush("queue:mail", foreign(7, **fields, **members))
    client.set("unique:t", f"{7:024x}", px=60_000)


@pytest.mark.parametrize(
    ("until", "outcome", "freed"),
    [
        ("success", COMPLETED, True),
        ("success", Discarded(FAILURE), True),
        ("success", Retried(60, FAILURE), False),
        ("success", Snoozed(60), False),
        ("expiry", COMPLETED, False),
        ("expiry", Discarded(FAILURE), False),
        ("something else", COMPLETED, False),
    ],
    ids=str,
)
def test_the_lock_of_a_job_of_exq_goes_when_its_payload_says_so(
    redis_url: str, until: str, outcome: Outcome, *, freed: bool
) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            exq(client, until)
        await store.enroll(OWNER, 30)
        (found,) = await claim(store)
        assert locks(redis_url)
        (answer,) = await store.settle(OWNER, [Settlement(found, outcome)])
        assert answer.answer == "applied"
        assert (locks(redis_url) == {}) is freed

    run_with(redis_url, story)


@pytest.mark.parametrize(("retry_count", "freed"), [(None, True), (1, False)])
def test_a_lock_until_the_start_goes_with_the_first_attempt(
    redis_url: str, retry_count: int | None, *, freed: bool
) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            exq(client, "start", **({} if retry_count is None else {"retry_count": retry_count}))
        await store.enroll(OWNER, 30)
        await claim(store)
        assert (locks(redis_url) == {}) is freed

    run_with(redis_url, story)


def test_a_lock_that_another_job_holds_is_left_alone(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            exq(client, "success")
            client.set("unique:t", "another")
        await store.enroll(OWNER, 30)
        await store.settle(OWNER, [Settlement(found, COMPLETED) for found in await claim(store)])
        assert locks(redis_url) == {"unique:t": "another"}

    run_with(redis_url, story)


def test_who_meets_a_lock_is_told_its_holder_whoever_that_is(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([unique(1)])
        (key,) = locks(redis_url)
        with peer(redis_url) as client:
            client.set(key, "a job of Exq")
        (one,) = await store.insert([unique(1)])
        assert (one.id, one.conflict) == ("a job of Exq", True)
        with peer(redis_url) as client:
            client.delete(key)
        assert not (await store.insert([unique(1)]))[0].conflict

    run_with(redis_url, story)


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
@pytest.mark.parametrize("changes", [{}, {"delay": 60.0}], ids=["now", "delayed"])
def test_a_unique_insert_whose_reply_is_lost_is_answered_as_inserted(
    redis_url: str, redis_proxy: CutProxy, changes: dict[str, Any], *, blocking: bool
) -> None:
    with peer(redis_url) as client:
        load_scripts(client)

    async def story(store: RedisStore) -> None:
        (known,) = await store.insert([unique(9, **changes)])
        redis_proxy.cut_reply(matching=script("insert_unique").digest)
        jobs = [unique(1, **changes), new(2, **changes), unique(1, **changes), unique(9, **changes)]
        told = await (asyncio.to_thread(store.insert_now, jobs) if blocking else store.insert(jobs))
        assert redis_proxy.cuts == 1
        assert [one.conflict for one in told] == [False, False, True, True]
        assert (told[2].id, told[3].id) == (told[0].id, known.id)
        assert {view.id for view in await store.find(JobQuery())} == {known.id, told[0].id, told[1].id}

    run_with(redis_proxy.url, story)


@pytest.mark.parametrize("cut", ["insert_unique", "replace"])
def test_what_waits_is_changed_once_though_a_reply_is_lost(redis_url: str, redis_proxy: CutProxy, cut: str) -> None:
    with peer(redis_url) as client:
        load_scripts(client)
    rule = Unique(
        period=300,
        until="start",
        fields=["worker"],
        replace={"scheduled": ["scheduled_at", "args", "meta", "tags", "queue"]},
    )

    async def story(store: RedisStore) -> None:
        (first,) = await store.insert([unique(1, rule, delay=1000.0, tags=("old",), meta={"a": 1})])
        redis_proxy.cut_reply(matching=script(cut).digest)
        (second,) = await store.insert([unique(2, rule, delay=60.0, tags=("new", "er"), queue="other")])
        assert redis_proxy.cuts == 1
        assert (second.id, second.conflict) == (first.id, True)
        (view,) = await store.find(JobQuery())
        assert (view.id, view.args, view.tags, view.meta, view.queue) == (first.id, [2], ("new", "er"), {}, "other")
        assert view.scheduled_at is not None
        assert view.inserted_at is not None
        assert 50 < (view.scheduled_at - view.inserted_at).total_seconds() < 90
        third = await asyncio.to_thread(store.insert_now, [unique(3, rule, delay=60.0)])
        assert third[0].conflict
        (view,) = await store.find(JobQuery())
        assert (view.args, view.tags, view.queue) == ([3], (), "mail")

    run_with(redis_proxy.url, story)


def test_a_job_that_went_on_meanwhile_is_not_changed(redis_url: str) -> None:
    rule = Unique(period=300, until="success", fields=["worker"], replace={"scheduled": ["args"]})

    async def story(store: RedisStore) -> None:
        await store.insert([unique(1, rule, delay=0.001)])
        while not await store.stage(10):
            pass
        assert (await store.insert([unique(2, rule, delay=60.0)]))[0].conflict
        (view,) = await store.find(JobQuery())
        assert (view.args, view.state) == ([1], "available")

    run_with(redis_url, story)


def test_a_job_whose_lock_ended_before_it_was_due_is_not_changed_for_another(redis_url: str) -> None:
    rule = Unique(period=300, until="start", fields=["worker"], replace={"scheduled": ["args"]})

    async def story(store: RedisStore) -> None:
        (old,) = await store.insert([unique(1, rule, delay=6000.0)])
        with peer(redis_url) as client:
            client.delete(*locks(redis_url))
        (waiting,) = await store.insert([unique(2, rule)])
        (met,) = await store.insert([unique(3, rule, delay=60.0)])
        assert (met.id, met.conflict) == (waiting.id, True)
        assert {view.id: view.args for view in await store.find(JobQuery())} == {old.id: [1], waiting.id: [2]}

    run_with(redis_url, story)


def test_a_large_unique_job_makes_room_as_a_small_one_does(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        large = unique(1, args=b'["' + b"x" * 100_000 + b'"]')
        await store.insert([large])
        await store.enroll(OWNER, 30)
        await store.settle(OWNER, [Settlement(found, COMPLETED) for found in await claim(store)])
        assert locks(redis_url) == {}

    run_with(redis_url, story)
