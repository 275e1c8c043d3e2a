"""What the tests of the Redis store share: a store, a peer that knows nothing of treadle, jobs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import redis

from treadle.core.job import NewJob
from treadle.core.outcomes import (
    Cancelled,
    Completed,
    Discarded,
    Failure,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.stores.claim import Claim, Demand
from treadle.stores.redis import RedisStore
from treadle.stores.redis_scripts import script
from treadle.stores.views import OwnerReport
from treadle.supervise.clock import SystemClock

OWNER = "host:1:aaaaaaaaaaaa"
OTHER = "host:2:bbbbbbbbbbbb"
FAILURE = Failure("ValueError", "boom")
OUTCOMES: list[Outcome] = [
    Completed(b"5"),
    Retried(60, FAILURE),
    Discarded(FAILURE),
    Snoozed(60),
    Cancelled("enough"),
    Released(),
    Released(60),
    SetAside(1),
]
MALFORMED = {
    "nothing": b"",
    "no JSON": b"{not json",
    "cut off": b'{"class":"A","args":[],"jid":"1"',
    "more behind it": b'{"class":"A","args":[],"jid":"1"}x',
    "NaN": b'{"class":"A","args":[NaN],"jid":"1"}',
    "a bad escape": b'{"class":"A","args":["\\q"],"jid":"1"}',
    "no UTF-8": b'{"class":"A","args":["\xff"],"jid":"1"}',
    "encoded surrogates": b'{"class":"A","args":["\xed\xa0\x80"],"jid":"1"}',
    "UTF-16": '{"class":"A","args":[],"jid":"1"}'.encode("utf-16"),
    "a list": b"[1,2]",
    "a number": b"17",
    "a text": b'"job"',
    "null": b"null",
    "no class": b'{"args":[],"jid":"1"}',
    "class is no text": b'{"class":7,"args":[],"jid":"1"}',
    "class is empty": b'{"class":"","args":[],"jid":"1"}',
    "no args": b'{"class":"A","jid":"1"}',
    "args are an object": b'{"class":"A","args":{"a":1},"jid":"1"}',
    "args are null": b'{"class":"A","args":null,"jid":"1"}',
    "args are a text that is no list": b'{"class":"A","args":"{}","jid":"1"}',
    "no jid": b'{"class":"A","args":[]}',
    "jid is null": b'{"class":"A","args":[],"jid":null}',
    "jid is a number": b'{"class":"A","args":[],"jid":12}',
    "args nested too deep": b'{"class":"A","jid":"1","args":' + b"[" * 91 + b"]" * 91 + b"}",
    "args nested far too deep": b'{"class":"A","jid":"1","args":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "something else nested far too deep": b'{"class":"A","jid":"1","args":[],"x":' + b"[" * 9_999 + b"]" * 9_999 + b"}",
}


def new(number: int = 0, *, queue: str = "mail", **changes: Any) -> NewJob:
    values: dict[str, Any] = {"name": "welcome", "queue": queue, "args": b"[%d]" % number, "max_attempts": 20}
    return NewJob(**{**values, **changes})


def foreign(number: int = 0, **members: Any) -> str:
    """A job as Ruby's Sidekiq pushes it."""
    job = {"retry": True, "queue": "mail", "class": "Welcome", "args": [number], "jid": f"{number:024x}"}
    return json.dumps(job | {"created_at": 1795334455.8, "enqueued_at": 1795334455.8} | members, separators=(",", ":"))


def peer(url: str) -> "redis.Redis":
    """A plain client, as any other program has one."""
    return redis.Redis.from_url(url, protocol=2)


@asynccontextmanager
async def open_store(url: str, **options: Any) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, **{"clock": SystemClock(), **options})
    try:
        await store.open()
        yield store
    finally:
        await store.aclose()
        store.close()


async def claim(store: RedisStore, limit: int = 100, owner: str = OWNER, *queues: str) -> Sequence[Claim]:
    return await store.claim(owner, [Demand(queues or ("mail",), limit)])


def run_with(url: str, story: Callable[[RedisStore], Awaitable[None]], **options: Any) -> None:
    """Tell a story to one store in a loop of its own."""

    async def tell() -> None:
        async with open_store(url, **options) as store:
            await story(store)

    asyncio.run(tell())


def report(**changes: Any) -> OwnerReport:
    values: dict[str, Any] = {"owner": OWNER, "queues": ("mail",), "concurrency": 10, "running": ()}
    rest: dict[str, Any] = {"quiet": False, "started": 1795334455.5, "rss": 5, "completed": 1, "failed": 1}
    return OwnerReport(**{**values, **rest, **changes})


def queued(client: redis.Redis, queue: str = "mail") -> list[dict[str, Any]]:
    texts: Any = client.lrange(f"queue:{queue}", 0, -1)
    return [json.loads(text) for text in texts]


def load_scripts(client: "redis.Redis") -> None:
    """Make the server know every script, so that the first call of one is answered by it and not by NOSCRIPT."""
    for file in (files("treadle.stores") / "lua").iterdir():
        if file.name != "prelude.lua":
            client.script_load(script(file.name.removesuffix(".lua")).text.decode())
    client.script_load(script("insert+fire_cron").text.decode())


def everything(client: "redis.Redis") -> dict[bytes, bytes]:
    """The whole database, byte for byte."""
    names: Any = client.keys("*")
    dumps: Any = [client.dump(name) for name in names]
    return dict(zip(names, dumps, strict=True))
