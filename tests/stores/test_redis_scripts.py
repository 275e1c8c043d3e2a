"""Every Lua script refuses a key of the wrong type before it changed anything, and finds every key declared."""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

import pytest
import redis

from tests.stores.redis_desk import everything, peer
from treadle.stores.redis_scripts import script

CLAIM = "1795344093.154369-7373c99a4edc:4-0000"
ENTRY = b'mail\0\0{"class":"A","args":[],"jid":"1"}'
COUNTERS = [(f"stat:{number}", "string") for number in range(6)]
SETTLING = [("inflight", "hash"), ("mark", "string"), ("cancel", "set"), ("result", "string"), *COUNTERS]
LOCK = ("unique:token", "string")
SETTLED = [CLAIM, 20_000, "{}", "1"]
PROCESS = [("me", "hash"), ("me:work", "hash"), ("me:workers", "hash"), ("me-signals", "list")]
CRONS = [
    ("crons", "hash"),
    ("schedules", "hash"),
    ("ticks", "hash"),
    ("seen", "hash"),
    ("cr-paused", "set"),
    ("changed", "set"),
]


class Sample(NamedTuple):
    """A call that changes something: its keys with their types, and its arguments."""

    keys: list[tuple[str, str]]
    args: list[Any]


SAMPLES: dict[str, Sample] = {
    "insert": Sample(
        [("op", "string"), ("queues", "set"), ("schedule", "zset"), ("queue:mail", "list")],
        [10_000, ",", "}", 1, "mail", 1, "{", "+60", 1, "{", "+0", 1, "{"],
    ),
    "insert_unique": Sample(
        [
            *[("op", "string"), ("queues", "set"), ("schedule", "zset"), ("queue:mail", "list")],
            *[("unique:other", "string"), ("treadle:unique:other", "string")],
        ],
        [10_000, ",", "}", 1, "mail", "1", 1, "", "{", 1, "60.0", 0, 0, ",", "2", 1, "+60", "{", 0, 0, 0, 0, ""],
    ),
    "replace": Sample([("retry", "zset"), ("treadle:unique:token", "string"), LOCK], ["due", "changed", "+60", "60.0"]),
    "unlock": Sample([LOCK], ["1"]),
    "claim": Sample(
        [
            ("owners", "zset"),
            ("fenced", "zset"),
            ("inflight", "hash"),
            ("paused", "set"),
            ("queue:mail", "list"),
            ("queue:slow", "list"),
        ],
        ["me", "nonce:1", 10, "0", 2, "mail", "slow"],
    ),
    "complete": Sample([("inflight", "hash"), *COUNTERS, ("mark", "string")], [20_000, 1, "0000,", CLAIM]),
    "finish": Sample([*SETTLING, LOCK], [*SETTLED, 1]),
    "postpone": Sample([*SETTLING, ("retry", "zset"), LOCK], [*SETTLED, 1, "60", 0, 1, "{", 1]),
    "bury": Sample([*SETTLING, ("dead", "zset"), LOCK], [*SETTLED, 1, 0, 1, "{", 1]),
    "release": Sample(
        [*SETTLING, ("queues", "set"), ("queue:mail", "list"), ("suspended:mail", "list"), LOCK],
        [*SETTLED],
    ),
    "set_aside": Sample([*SETTLING, ("suspended:mail", "list"), LOCK], [*SETTLED, 1]),
    "enroll": Sample([("owners", "zset"), ("fenced", "zset"), ("leaving", "set"), ("holders", "set")], ["you", "30"]),
    "beat": Sample([("owners", "zset"), ("fenced", "zset")], ["me", "30"]),
    "held": Sample([("inflight", "hash"), ("cancel", "set")], []),
    "fence": Sample([("owners", "zset"), ("fenced", "zset"), ("leaving", "set"), ("holders", "set")], [100]),
    "part": Sample([("owners", "zset"), ("leaving", "set")], ["me"]),
    "give_back": Sample(
        [("inflight", "hash"), ("cancel", "set"), ("queues", "set"), ("queue:mail", "list")], [CLAIM, 1]
    ),
    "obey": Sample([*SETTLING, LOCK], [*SETTLED]),
    "lose": Sample([*SETTLING, ("dead", "zset"), LOCK], [*SETTLED, 0, 1, "{", 1]),
    "forget": Sample(
        [
            ("leaving", "set"),
            ("nothing", "hash"),
            ("cancel", "set"),
            ("processes", "set"),
            *PROCESS,
            ("holders", "set"),
        ],
        ["me"],
    ),
    "due": Sample([("retry", "zset"), ("schedule", "zset")], [0, 0, 10]),
    "scan": Sample([("retry", "zset")], ["zset", 0, 10, 1_000]),
    "stage": Sample(
        [("retry", "zset"), ("queues", "set"), ("queue:mail", "list")], ["due", 1, "mail", "", 4, 0, 3, "!", 1]
    ),
    "reject": Sample([("retry", "zset"), ("dead", "zset")], ["due", 0, 3, "", 0]),
    "prune": Sample([("dead", "zset")], ["60", 10]),
    "drop": Sample([("retry", "zset"), ("result", "string"), LOCK], ["due", "{}", "1"]),
    "take": Sample([("queue:mail", "list"), ("result", "string"), LOCK], [0, 10, "{}", "{}", "1"]),
    "resume": Sample([("suspended:mail", "list"), ("queues", "set"), ("queue:mail", "list")], ["1\0{}", "mail"]),
    "ask_cancel": Sample([("inflight", "hash"), ("cancel", "set")], [CLAIM]),
    "report": Sample(
        [("processes", "set"), *PROCESS, *[(f"done:{number}", "hash") for number in range(8)]],
        ["me", 60, 2, "mail", 3, 2, "busy", 1, "t0", "{}"],
    ),
    "tally": Sample([("inflight", "hash")], []),
    "crontab": Sample(CRONS, []),
    "declare_crons": Sample(CRONS, ["1", 60, "nightly", "0 3 * * *", "{}"]),
    "put_cron": Sample(CRONS, ["nightly", "0 3 * * *", "{}"]),
    "pause_cron": Sample(CRONS, ["nightly", "1"]),
    "remove_cron": Sample(CRONS, ["nightly"]),
    "fire_cron": Sample(
        [
            *[("op", "string"), ("queues", "set"), ("schedule", "zset"), ("queue:mail", "list")],
            *[("ticks", "hash"), ("cr-paused", "set")],
        ],
        [10_000, ",", "}", 1, "mail", 1, "{", "nightly", 60, 120],
    ),
    "work": Sample([("paused", "set"), ("queue:mail", "list"), ("inflight", "hash")], ["mail"]),
}
# What one calls another as.
CALLS = {"fire_cron": "insert+fire_cron"}
READING = {"crontab", "held", "due", "scan", "tally", "work"}
EACH_KEY = [(name, index) for name, sample in SAMPLES.items() for index in range(len(sample.keys))]


def names() -> Iterator[str]:
    for file in (files("treadle.stores") / "lua").iterdir():
        if file.name != "prelude.lua":
            yield file.name.removesuffix(".lua")


def furnish(client: redis.Redis) -> None:
    """A database in which every sample has something to change."""
    client.zadd("owners", {"me": 1})
    client.hset("inflight", CLAIM, ENTRY)
    client.sadd("cancel", "another token")
    client.lpush("queue:mail", "{}")
    client.lpush("suspended:mail", "1\0{}")
    client.zadd("retry", {"due": 1})
    client.zadd("dead", {"old": 1})
    client.sadd("leaving", "me")
    client.lpush("me-signals", "TERM")
    client.hset("crons", "nightly", "old")
    client.hset("ticks", "nightly", 60)
    client.set("unique:token", "1")


def run(client: redis.Redis, name: str) -> object:
    sample = SAMPLES[name]
    return client.eval(
        script(CALLS.get(name, name)).text.decode(), len(sample.keys), *[key for key, _ in sample.keys], *sample.args
    )


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with peer(redis_url) as client:
        furnish(client)
        yield client


def test_there_is_a_sample_of_every_script() -> None:
    assert set(SAMPLES) == set(names())


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in READING])
def test_a_sample_changes_something(name: str, client: redis.Redis) -> None:
    before = everything(client)
    run(client, name)
    assert everything(client) != before


@pytest.mark.parametrize(("name", "index"), EACH_KEY, ids=str)
def test_a_key_of_the_wrong_type_changes_nothing(name: str, index: int, client: redis.Redis) -> None:
    key, kind = SAMPLES[name].keys[index]
    client.delete(key)
    if kind == "string":
        client.rpush(key, "of another type")
    else:
        client.set(key, "of another type")
    before = everything(client)
    with pytest.raises(redis.ResponseError, match=f"^WRONGTYPE expected key {re.escape(key)} to be a {kind}"):
        run(client, name)
    assert everything(client) == before


@pytest.mark.parametrize("name", sorted(names()))
def test_a_script_takes_its_keys_from_the_caller_and_bytes_as_they_are(name: str) -> None:
    text = script(name).text.decode()
    code = re.sub(r"--.*", "", text)
    assert "cjson" not in code
    assert not re.search(r"redis\.p?call\('\w+', '", code), "a key that is not declared"
    assert not text.startswith("#!"), "a shebang is refused when the memory is full"


@pytest.mark.parametrize("name", ["complete", "finish", "postpone", "bury"])
def test_a_counter_that_is_no_number_stops_no_settlement(name: str, client: redis.Redis) -> None:
    client.set("stat:0", "many")
    assert run(client, name) in (b"applied", [])
    assert client.hlen("inflight") == 0
