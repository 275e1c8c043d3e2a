"""A store that may throw jobs away is refused, and so is a queue that a foreign program serves."""

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.servers import RedisServer
from tests.stores.redis_desk import peer
from treadle import Treadle
from treadle.errors import ConfigError
from treadle.hooks.events import StoreWarning
from treadle.runtime.safety import check_company


def enter_and_leave(app: Treadle, *, unsafe: bool) -> None:
    async def work() -> None:
        async with app.worker(queues=["default"], unsafe=unsafe):
            pass
        await app.aclose()

    asyncio.run(work())
    app.close()


def test_a_redis_that_evicts_is_refused_with_the_remedy(start_redis: Callable[..., RedisServer]) -> None:
    app = Treadle(start_redis(maxmemory_policy="allkeys-lru").url)
    with pytest.raises(ConfigError, match=r"expected maxmemory-policy noeviction, got allkeys-lru: .*CONFIG SET"):
        enter_and_leave(app, unsafe=False)


def test_it_is_taken_all_the_same_where_that_is_asked_for(start_redis: Callable[..., RedisServer]) -> None:
    app = Treadle(start_redis(maxmemory_policy="allkeys-lru").url)
    told: list[str] = []
    app.events.listen(StoreWarning, lambda event: told.append(event.text))
    enter_and_leave(app, unsafe=True)
    assert any("maxmemory-policy" in text for text in told)


def test_a_redis_that_keeps_nothing_over_a_restart_is_warned_of(start_redis: Callable[..., RedisServer]) -> None:
    app = Treadle(start_redis().url)
    told: list[str] = []
    app.events.listen(StoreWarning, lambda event: told.append(event.text))
    enter_and_leave(app, unsafe=False)
    assert told == ["expected appendonly yes, got no persistence at all: a restart loses every job"]


def live(url: str, name: str, *queues: str, **info: object) -> None:
    """A process of another program, as it shows itself."""
    shown = {"hostname": "web-1", "pid": 7, "queues": queues, "identity": name} | info
    with peer(url) as client:
        client.sadd("processes", name)
        client.hset(name, "info", json.dumps(shown))


def test_a_queue_that_a_foreign_program_serves_is_refused_with_the_remedy(redis_url: str) -> None:
    live(redis_url, "web-1:7:abc", "elsewhere", "default")
    with pytest.raises(ConfigError) as refused:
        enter_and_leave(Treadle(redis_url), unsafe=True)
    assert str(refused.value) == (
        'expected queue "default" to be served by treadle alone, got the live sidekiq process web-1:7:abc on it, where '
        "jobs that only this app knows would fail: name another queue, or share this one with --share NAME (in code: "
        "share=[...]) if both know its jobs"
    )


def test_no_queue_is_refused_that_no_foreign_program_serves(redis_url: str) -> None:
    live(redis_url, "web-1:7:abc", "elsewhere")
    # One of our own that was killed shows itself for a minute more.
    live(redis_url, "web-1:8:def", "default", version="treadle 0.1")
    with peer(redis_url) as client:
        client.sadd("processes", "web-1:9:its-hash-has-expired")
    enter_and_leave(Treadle(redis_url), unsafe=False)


def test_a_queue_that_is_shared_is_served_beside_a_foreign_program(redis_url: str) -> None:
    live(redis_url, "web-1:7:abc", "default", "mail")

    async def check(*share: str) -> None:
        store = Treadle(redis_url).store
        await check_company(store, ["default", "mail"], share)
        await store.aclose()

    asyncio.run(check("default", "mail"))
    with pytest.raises(ConfigError, match='expected queue "mail"'):
        asyncio.run(check("default"))
