"""A store that may throw jobs away is refused."""

import asyncio
from collections.abc import Callable

import pytest

from tests.servers import RedisServer
from treadle import Treadle
from treadle.errors import ConfigError
from treadle.hooks.events import StoreWarning


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
