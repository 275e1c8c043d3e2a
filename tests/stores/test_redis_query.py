"""A look at the jobs on Redis: page by page, in bounded memory, and without an end only where nobody bounds it."""

import json
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest
import redis

from tests.stores.redis_desk import OWNER, foreign, new, peer, run_with
from treadle.core.query_parser import parse
from treadle.core.states import State
from treadle.errors import QueryError
from treadle.stores.claim import Demand
from treadle.stores.job_query import JobQuery
from treadle.stores.redis import RedisStore
from treadle.stores.redis_query import PAGE, PAGE_BYTES

MIB = 1 << 20


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with peer(redis_url) as client:
        yield client


def fill(client: redis.Redis, number: int) -> None:
    """So many jobs in one queue, every other one of a queue's name its own; the last is the newest."""
    texts = [foreign(index, **{"class": "Even" if index % 2 == 0 else "Odd"}) for index in range(number)]
    client.sadd("queues", "mail")
    client.lpush("queue:mail", *texts)


def test_a_look_goes_on_from_place_to_place(redis_url: str, client: redis.Redis) -> None:
    async def story(store: RedisStore) -> None:
        await store.enroll(OWNER, 60)
        await store.insert([new(1), new(2), new(3, queue="sms"), new(4, delay=60)])
        await store.claim(OWNER, [Demand(("mail",), 1)])
        client.zadd("dead", {foreign(5): 1.0})
        seen, query = list[State](), JobQuery(limit=1)
        while not seen or query.after is not None:
            page = await store.find(query)
            seen += [job.state for job in page]
            query = msgspec.structs.replace(query, after=page.cursor)
        assert sorted(seen) == ["available", "available", "discarded", "executing", "scheduled"]

    run_with(redis_url, story)


def test_a_look_ends_after_its_time_and_says_how_far_it_came(redis_url: str, client: redis.Redis) -> None:
    fill(client, 2 * PAGE + 10)

    async def story(store: RedisStore) -> None:
        query, told = JobQuery(where=parse("args.0:none"), within=0), list[tuple[int, bool]]()
        while not told or query.after is not None:
            page = await store.find(query)
            told.append((page.looked, page.complete))
            query = msgspec.structs.replace(query, after=page.cursor)
        assert told == [(PAGE, False), (PAGE, False), (10, False), (0, True)]
        tally = await store.tally(JobQuery(where=parse("name:Even"), within=0))
        assert (dict(tally.states), tally.looked) == ({State.AVAILABLE: PAGE // 2}, PAGE)

    run_with(redis_url, story)


def test_only_the_places_that_a_query_names_are_read(redis_url: str, client: redis.Redis) -> None:
    fill(client, 20)
    client.zadd("retry", {foreign(99): 1.0})

    async def story(store: RedisStore) -> None:
        for text, looked in (
            ("state:retryable", 1),
            ("queue:sms", 1),
            ("queue:mail state:available", 20),
            ("name:*", 21),
        ):
            assert (await store.find(JobQuery(where=parse(text)))).looked == looked

    run_with(redis_url, story)


def test_what_matches_is_taken_out_of_a_list_and_the_others_keep_their_order(
    redis_url: str, client: redis.Redis
) -> None:
    fill(client, 2 * PAGE + 100)

    async def story(store: RedisStore) -> None:
        query = JobQuery(where=parse("name:Even"))
        assert [await store.act("delete", query), await store.act("delete", query)] == [PAGE + 50, 0]

    run_with(redis_url, story)
    left = [json.loads(text) for text in client.lrange("queue:mail", 0, -1)]
    odd = [json.loads(foreign(number))["jid"] for number in range(2 * PAGE + 99, 0, -2)]
    assert [job["jid"] for job in left] == odd


def test_all_dead_jobs_that_match_are_retried(redis_url: str, client: redis.Redis) -> None:
    kinds = {n: "Timeout" if n % 3 else "Other" for n in range(PAGE + 100)}
    client.zadd("dead", {foreign(n, queue="mail", error_class=kind, error_message="x"): n for n, kind in kinds.items()})

    async def story(store: RedisStore) -> None:
        wanted = sum(1 for n in range(PAGE + 100) if n % 3)
        assert await store.act("retry", JobQuery(where=parse("state:discarded error:timeout"))) == wanted
        assert (client.llen("queue:mail"), client.zcard("dead")) == (wanted, PAGE + 100 - wanted)

    run_with(redis_url, story)


def test_a_cursor_of_another_store_is_refused(redis_url: str) -> None:
    async def story(store: RedisStore) -> None:
        for cursor in ("17", "available:x:mail", "nowhere:1:mail"):
            with pytest.raises(QueryError, match="expected `after` to be the cursor of a page of this store"):
                await store.find(JobQuery(after=cursor))

    run_with(redis_url, story)


PROGRAM = """
import asyncio, resource, sys
from treadle.core.query_parser import parse
from treadle.stores.job_query import JobQuery
from treadle.stores.redis import RedisStore
from treadle.supervise.clock import SystemClock

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

async def main():
    store = RedisStore(sys.argv[1], clock=SystemClock())
    await store.find(JobQuery(where=parse("queue:small args.0:y")))
    base = peak()
    page = await store.find(JobQuery(where=parse("queue:large args.0:y")))
    assert (page.looked, page.complete) == (int(sys.argv[2]), True)
    print(peak() - base)
    await store.aclose()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts in KiB, as Linux does")
def test_large_jobs_are_not_all_in_memory_at_once(redis_url: str, client: redis.Redis) -> None:
    number = 96
    client.lpush("queue:small", foreign(0))
    for index in range(number):
        client.lpush("queue:large", foreign(index, args=["x" * MIB]))
    command = [sys.executable, "-c", PROGRAM, redis_url, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert int(done.stdout) < 10 * PAGE_BYTES < number * MIB // 2
