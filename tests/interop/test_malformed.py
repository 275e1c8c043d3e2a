"""What is no job, in the sets that both programs look at while Sidekiq works."""

import html
import json
import re
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.interop.entries import entries, ran, wait_until_ran
from tests.interop.node import TreadleProcess
from tests.interop.peers import SidekiqClient, SidekiqProcess, SidekiqWeb
from tests.servers import wait_until

pytestmark = pytest.mark.interop

# Sidekiq's poller takes each of these out and then fails to push it: it is lost, and the poller's round ends.
MALFORMED = {
    "no JSON": b"{not json",
    "nothing": b"",
    "a list": b"[1,2]",
    "a number": b"17",
    "a text": b'"job"',
    "no class": b'{"args":[],"jid":"aaaabbbbccccddddeeeeffff","queue":"default"}',
    "no queue": b'{"class":"Echo","args":[],"jid":"bbbbccccddddeeeeffffaaaa"}',
    "args are no list": b'{"class":"Echo","args":{"a":1},"jid":"ccccddddeeeeffffaaaabbbb","queue":"default"}',
    "no UTF-8": b'{"class":"Echo","args":["\xff"],"jid":"ddddeeeeffffaaaabbbbcccc","queue":"default"}',
}


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


@pytest.mark.parametrize("key", ["schedule", "retry"])
def test_what_is_no_job_is_buried_before_sidekiq_loses_it(redis: Redis, redis_url: str, key: str) -> None:
    """Sidekiq looks each 15 to 45 s, as each of six processes does by default, treadle each second."""
    with (
        SidekiqClient(redis_url) as client,
        SidekiqProcess(redis_url, poll=30) as sidekiq,
        TreadleProcess(redis_url, queues=["python"]) as treadle,
    ):
        first = client.perform_in("Echo", 3600, options={"queue": "python"})
        jids = client.perform_bulk("Echo", [[number] for number in range(300)])
        seconds, _ = redis.time()
        redis.zadd(key, {text: seconds - 10 + number for number, text in enumerate(MALFORMED.values())})
        good = [
            json.dumps({"class": "Echo", "args": [number], "jid": f"{number:024}", "queue": "default", "retry": 5})
            for number in range(300, 350)
        ]
        redis.zadd(key, dict.fromkeys(good, seconds - 5))
        jids += [f"{number:024}" for number in range(300, 350)]
        runs = wait_until_ran(redis, jids)
        wait_until(lambda: redis.zcard("dead") == len(MALFORMED), what="each is in dead")
        buried = [entry.payload for entry in entries(redis, "dead")]
        # JSON that is no object stands in a job's shape, or every page of the Web would fail.
        wrapped = [json.loads(text)["args"] for text in buried if b"InvalidPayload" in text]
        assert sorted(wrapped) == [['"job"'], ["17"], ["[1,2]"]]
        whole = [text for text in MALFORMED.values() if not text or text.startswith(b"{")]
        assert sorted(text for text in buried if b"InvalidPayload" not in text) == sorted(whole)
        assert treadle.log().count("was moved to dead") == len(MALFORMED)
        assert "ERROR" not in sidekiq.log()
        with SidekiqWeb(redis_url) as web:
            links = re.findall(r'href="(/morgue/[^"]+)"', web.get("/morgue").text)
            assert len(links) == len(MALFORMED)
            for path in ("/", "/morgue", "/scheduled", "/retries", "/queues", *map(html.unescape, links)):
                page = web.get(path)
                # What has no jid has no page of its own, and leads back to the list.
                assert page.status == (302 if path.endswith("-") else 200), (path, page.text)
    assert sorted(run.args[0] for run in runs) == list(range(350))
    assert len(ran(redis)) == 350
    assert [entry.job["jid"] for entry in entries(redis, "schedule")] == [first]


def test_what_is_no_job_in_a_queue_of_both_stops_neither(redis: Redis, redis_url: str) -> None:
    # The poller must not be the one who finds a payload of which Sidekiq's own worker would make nothing.
    both = TreadleProcess(redis_url, share=["default"])
    with SidekiqClient(redis_url) as client, SidekiqProcess(redis_url), both:
        jids = client.perform_bulk("Echo", [[number] for number in range(100)])
        for _ in range(10):
            redis.rpush("queue:default", b"{not json")
            redis.lpush("queue:default", b'{"class":"Echo","args":[1],"jid":null}')
        jids += client.perform_bulk("Echo", [[number] for number in range(100, 200)])
        runs = wait_until_ran(redis, jids)
        wait_until(lambda: redis.llen("queue:default") == 0)
    assert sorted(run.args[0] for run in runs) == list(range(200))
    assert b"{not json" in [entry.payload for entry in entries(redis, "dead")]
