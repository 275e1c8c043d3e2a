"""Payloads that are no jobs end in `dead` with their bytes and one log line, and stop neither queue nor scheduler."""

import json
from typing import Any

import pytest

from tests.stores.redis_desk import MALFORMED, OWNER, claim, foreign, peer, run_with
from treadle.core.jsontext import load_json
from treadle.core.outcomes import COMPLETED, Failure, Retried
from treadle.core.states import State
from treadle.stores import sidekiq
from treadle.stores.claim import Demand, Settlement
from treadle.stores.job_query import JobQuery
from treadle.stores.redis import RedisStore

CORPUS = list(MALFORMED.values())
# What a queue may lack, as it is known from its key, and a sorted set may not.
WITHOUT_QUEUE = b'{"class":"A","args":[],"jid":"1"}'


def dead(client: Any) -> list[bytes]:  # noqa: ANN401 - redis-py's client
    texts: list[bytes] = client.zrange("dead", 0, -1)
    return texts


def expect_buried(found: list[bytes], corpus: list[bytes]) -> None:
    """Each as it was, or its text within a job's shape."""
    as_they_were = [text for text in corpus if sidekiq.buried(text, "mail").pieces == [text]]
    wrapped = [json.loads(text)["args"][0].encode() for text in found if text not in as_they_were]
    assert sorted([*(text for text in found if text in as_they_were), *wrapped]) == sorted(corpus)


def test_a_queue_full_of_them_drains_and_the_jobs_between_them_run(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            for number, text in enumerate(CORPUS):
                client.lpush("queue:mail", text, foreign(number))
            done = []
            while claims := await claim(store, 7):
                done += [json.loads(found.job.args)[0] for found in claims]
                await store.settle(OWNER, [Settlement(found, COMPLETED) for found in claims])
            assert done == list(range(len(CORPUS)))
            assert client.llen("queue:mail") == 0
            assert client.hlen(f"treadle:inflight:{OWNER}") == 0
            assert client.get("stat:processed") == str(len(CORPUS)).encode()
            expect_buried(dead(client), CORPUS)

    run_with(redis_url, story)
    assert len(caplog.records) == len(CORPUS)


@pytest.mark.parametrize("place", ["retry", "schedule"])
def test_they_do_not_stop_the_scheduler(place: str, redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    corpus = [*CORPUS, WITHOUT_QUEUE]

    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            client.zadd(place, {text: number for number, text in enumerate(corpus)})
            client.zadd(place, {foreign(number): number for number in range(len(corpus))})
            client.zadd(place, {foreign(98): "-inf", foreign(99): -5})
            assert await store.stage(1000) == len(corpus) + 2
            assert client.zcard(place) == 0
            expect_buried(dead(client), corpus)

    run_with(redis_url, story)
    assert len(caplog.records) == len(corpus)


def test_more_of_them_than_a_claim_asks_for_do_not_look_like_an_empty_queue(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            for number in range(20):
                client.lpush("queue:mail", b"[%d]" % number)
            client.lpush("queue:mail", foreign(1))
            assert len(await claim(store, 3)) == 1

    run_with(redis_url, story)


def test_those_that_a_dead_worker_left_in_flight_are_buried_by_the_next_look(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            client.hset(f"treadle:inflight:{OWNER}", "1795344093.154369-7373c99a4edc:4-0000", b"mail\0\0{no")
            assert await store.held(OWNER) == []
            assert dead(client) == [b"{no"]

    run_with(redis_url, story)


def test_those_that_were_set_aside_by_nobody_are_buried_too(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            client.lpush("treadle:suspended:mail", "no deaths", b"1\0{no")
            assert await store.claim(OWNER, [Demand(("mail",), 10, alone=True)]) == []
            assert len(dead(client)) == 2
            assert await store.held(OWNER) == []

    run_with(redis_url, story)


def test_people_see_them_and_can_delete_them(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        with peer(redis_url) as client:
            client.zadd("dead", dict.fromkeys(CORPUS, 1795334455.5))
            shown = await store.find(JobQuery(state=State.DISCARDED))
            assert {job.name for job in shown} == {"InvalidPayload"}
            assert (await store.counts())["default"][State.DISCARDED] == len(CORPUS)
            assert await store.act("retry", JobQuery(state=State.DISCARDED)) == 0
            assert await store.act("delete", JobQuery(state=State.DISCARDED)) == len(CORPUS)
            assert dead(client) == []

    run_with(redis_url, story)


def test_a_job_with_a_lone_surrogate_runs_and_fails_with_its_bytes_kept(redis_url: str) -> None:
    text = foreign(1).replace("[1]", '["\\ud800","\u00e9"]').encode()

    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            client.lpush("queue:mail", text)
            [found] = await claim(store)
            assert load_json(found.job.args) == ["\ud800", "\u00e9"]
            await store.settle(OWNER, [Settlement(found, Retried(60, Failure("E", "boom")))])
            [kept] = client.zrange("retry", 0, -1)
            assert found.job.args in kept

    run_with(redis_url, story)


@pytest.mark.parametrize("size", [2**20, 2**26])
def test_a_huge_foreign_payload_runs(size: int, redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        with peer(redis_url) as client:
            client.lpush("queue:mail", foreign(1, args=["x" * size]))
            [found] = await claim(store)
            assert len(found.job.args) == size + 4
            [answer] = await store.settle(OWNER, [Settlement(found, Retried(60, Failure("E", "boom")))])
            assert answer.answer == "applied"
            client.delete("retry")

    run_with(redis_url, story)
