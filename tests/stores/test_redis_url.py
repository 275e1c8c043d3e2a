"""From a URL to a Redis store: what is taken as people have it, and what is refused with the place of the mistake."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.stores.redis_desk import new, peer
from treadle.errors import ConfigError
from treadle.stores.contract import Store
from treadle.stores.redis import RedisStore
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:canary@host/0?dialect=resque", "dialect to be sidekiq"),
        ("redis://:canary@host/0?namespac=a", "'namespac'"),
        ("redis://:canary@host/zero", "number of a database"),
        ("redis://:canary@host:99999999/0", "port from 0 to 65535"),
        ("redis://:canary@host:port/0", "port from 0 to 65535"),
        ("unix://", "path of a socket"),
    ],
)
def test_a_wrong_url_is_refused_at_once_without_its_password(url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as raised:
        make_store(url, SystemClock())
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_a_namespace_and_a_dialect_may_be_named(scheme: str, redis_url: str) -> None:
    url = redis_url.replace("redis", scheme, 1)
    store = make_store(f"{url}?namespace=shop&dialect=sidekiq", SystemClock())
    assert isinstance(store, RedisStore)
    store.insert_now([new(1)])
    store.close()
    with peer(redis_url) as client:
        assert client.llen("shop:queue:mail") == 1


def test_a_socket_in_the_file_system_is_a_place_too(start_redis: Callable[..., RedisServer], tmp_path: Path) -> None:
    socket = tmp_path / "redis.sock"
    server = start_redis(unixsocket=str(socket))

    async def story() -> None:
        store = make_store(f"unix://{socket}", SystemClock())
        await store.open()
        await store.insert([new(1)])
        store.insert_now([new(2)])
        await store.aclose()
        store.close()

    asyncio.run(story())
    with peer(server.url) as client:
        assert client.llen("queue:mail") == 2


def test_many_threads_and_loops_use_one_store(redis_url: str) -> None:
    store = make_store(redis_url, SystemClock())

    async def several() -> None:
        await asyncio.gather(*(asyncio.to_thread(_both_ways, store, number) for number in range(8)))

    asyncio.run(several())
    store.close()
    with peer(redis_url) as client:
        assert client.llen("queue:mail") == 8 * 2 * 5


def _both_ways(store: Store, number: int) -> None:
    async def insert() -> None:
        for _ in range(5):
            await store.insert([new(number)])
        await store.aclose()

    asyncio.run(insert())
    for _ in range(5):
        store.insert_now([new(number)])
