"""Counting on Redis reads no more than it must."""

from collections.abc import Callable

from tests.servers import RedisServer
from tests.stores.redis_desk import OWNER, claim, foreign, new, peer, run_with
from treadle.core.states import State
from treadle.stores.redis import RedisStore
from treadle.stores.redis_jobs import SPLIT_LIMIT
from treadle.stores.views import ANY_QUEUE
from treadle.supervise.clock import SystemClock

MANY = 200_000
STEP = 50_000
FILL = "for i = ARGV[1], ARGV[1] + ARGV[2] - 1 do redis.call('ZADD', KEYS[1], i, ARGV[3] .. i) end"
# Seconds; on an idle machine it takes a hundredth of it.
QUICK = 0.05
TRIES = 20


def test_sets_of_few_jobs_tell_their_queues(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        await store.insert([new(n, queue=queue, delay=60) for n in range(SPLIT_LIMIT // 2) for queue in ("a", "b")])
        with peer(redis_url) as client:
            client.zadd("retry", {foreign(1, queue="c"): 1, foreign(2, queue=None): 2})
        half = SPLIT_LIMIT // 2
        expected = {"a": {State.SCHEDULED: half}, "b": {State.SCHEDULED: half}}
        assert await store.counts() == {**expected, "c": {State.RETRYABLE: 1}, "default": {State.RETRYABLE: 1}}

    run_with(redis_url, story)


def test_very_many_scheduled_jobs_are_counted_at_once(start_redis: Callable[..., RedisServer]) -> None:
    # A server of its own: while it is filled it serves nobody else.
    url, clock = start_redis().url, SystemClock()

    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 30)
        await store.insert([new(1), new(2)])
        await claim(store, 1)
        with peer(url) as client:
            for first in range(0, MANY, STEP):
                client.eval(FILL, 1, "schedule", str(first), str(STEP), '{"queue":"mail","jid":"')
        took = []
        for _ in range(TRIES):
            began = clock.steady()
            counted = await store.counts()
            took.append(clock.steady() - began)
        assert counted == {"mail": {State.AVAILABLE: 1, State.EXECUTING: 1}, ANY_QUEUE: {State.SCHEDULED: MANY}}
        assert min(took) < QUICK

    run_with(url, story)
