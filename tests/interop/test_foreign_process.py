"""What a process must write of itself so that the real Busy page shows it.

The shape below is the union that Sidekiq 6.4, 7 and 8 read.  The tests take it apart field by field.
"""

import json
from collections.abc import Iterator, Mapping

import pytest
from redis import Redis

from tests.interop.entries import text
from tests.interop.peers import SidekiqClient, SidekiqWeb

pytestmark = pytest.mark.interop

IDENTITY = "web-1:4711:0123456789ab"
JID = "aaaabbbbccccddddeeeeffff"
TTL = 60  # seconds

INFO: Mapping[str, object] = {
    "hostname": "web-1",
    "started_at": 1795334456.4,
    "pid": 4711,
    "tag": "treadle 0.1",
    "concurrency": 10,
    "queues": ["default", "mail"],
    "labels": ["blue"],
    "identity": IDENTITY,
    "version": "treadle 0.1",
    "embedded": False,
    "weights": [{"default": 1, "mail": 1}],
    "capsules": {"default": {"concurrency": 10, "mode": "strict", "weights": {"default": 1, "mail": 1}}},
}
FIELDS: Mapping[str, str] = {
    "busy": "1",
    "beat": "1795334460.25",
    "rss": "54321",
    "rtt_us": "120",
    "concurrency": "10",
}
WORK: Mapping[str, object] = {
    "queue": "mail",
    "payload": json.dumps({"class": "shop.mail.send", "args": ["é", 1], "jid": JID, "queue": "mail", "tags": ["t1"]}),
    "run_at": 1795334457,
    "host": "web-1",
    "pid": 4711,
}


@pytest.fixture(autouse=True)
def empty(redis: Redis) -> Iterator[None]:
    redis.flushdb()
    yield
    redis.flushdb()


def beat(
    redis: Redis, info: Mapping[str, object] = INFO, work: Mapping[str, object] = WORK, quiet: str = "false"
) -> None:
    redis.sadd("processes", IDENTITY)
    for name, value in {**FIELDS, "info": json.dumps(info), "quiet": quiet}.items():
        redis.hset(IDENTITY, name, value)
    redis.expire(IDENTITY, TTL)
    for key in (f"{IDENTITY}:work", f"{IDENTITY}:workers"):
        redis.hset(key, "1a", json.dumps(work))
        redis.expire(key, TTL)


def test_the_process_and_its_job_are_on_the_busy_page(redis: Redis, web: SidekiqWeb) -> None:
    beat(redis)
    page = web.get("/busy")
    assert page.status == 200, page.text
    started = "2026-11-22 08:00:56 +0000"
    assert page.rows("processes") == [
        ["web-1:4711 treadle 0.1 blue Queues: default, mail", started, "54,321 KB", "10", "1", "Quiet Stop"]
    ]
    assert page.rows("workers") == [
        [IDENTITY, "1a", JID, "mail", "shop.mail.send t1", '"é", 1', "2026-11-22 08:00:57 +0000"]
    ]


def test_sidekiqs_api_reads_the_process_and_its_job(redis: Redis, client: SidekiqClient) -> None:
    beat(redis)
    known = {"busy": 1, "beat": 1795334460.25, "quiet": "false", "rss": 54321, "rtt_us": 120}
    assert client.processes() == [{**INFO, **known}]
    work = {**WORK, "payload": json.loads(str(WORK["payload"])), "identity": IDENTITY, "tid": "1a"}
    assert client.work() == [work]
    assert client.stats()["workers_size"] == 1


@pytest.mark.parametrize(
    "wrong",
    [{"started_at": None}, {"started_at": "2026-11-22T08:00:56Z"}, {"queues": None}, {"queues": "default"}],
    ids=repr,
)
def test_a_wrong_info_breaks_the_page(redis: Redis, web: SidekiqWeb, wrong: Mapping[str, object]) -> None:
    beat(redis, info={**INFO, **wrong})
    assert web.get("/busy").status == 500


@pytest.mark.parametrize(
    "wrong",
    [{"payload": None}, {"payload": "{not json"}, {"payload": "[1]"}, {"run_at": None}, {"run_at": "1795334457"}],
    ids=repr,
)
def test_a_wrong_running_job_breaks_the_page(redis: Redis, web: SidekiqWeb, wrong: Mapping[str, object]) -> None:
    beat(redis, work={**WORK, **wrong})
    assert web.get("/busy").status == 500


def test_the_buttons_push_signals_for_the_process(redis: Redis, web: SidekiqWeb) -> None:
    beat(redis)
    web.press("/busy", {"identity": IDENTITY, "quiet": "1"})
    web.press("/busy", {"identity": IDENTITY, "stop": "1"})
    key = f"{IDENTITY}-signals"
    assert [text(name) for name in redis.lrange(key, 0, -1)] == ["TERM", "TSTP"]
    assert 0 < redis.ttl(key) <= TTL


def test_a_quiet_process_loses_its_quiet_button(redis: Redis, web: SidekiqWeb) -> None:
    beat(redis, quiet="true")
    row = web.get("/busy").rows("processes")[0]
    assert row[0] == "web-1:4711 treadle 0.1 blue quiet Queues: default, mail"
    assert row[-1] == "Stop"


def test_a_process_without_its_hash_is_pruned_from_the_set(redis: Redis, web: SidekiqWeb) -> None:
    beat(redis)
    redis.delete(IDENTITY)
    assert web.get("/busy").rows("processes") == []
    assert redis.smembers("processes") == set()
