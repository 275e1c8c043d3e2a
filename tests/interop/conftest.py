"""One database and one of each Sidekiq program for a module of tests."""

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.interop.peers import SidekiqClient, SidekiqProcess, SidekiqWeb
from tests.servers import RedisServer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "interop: runs against a foreign program")


@pytest.fixture(scope="module")
def module_url(redis_server: RedisServer) -> str:
    """The URL of a database that the module's tests and the programs below share; `redis_url` is another one."""
    return redis_server.url_of(redis_server.fresh_database())


@pytest.fixture(scope="module")
def redis(module_url: str) -> Iterator[Redis]:
    """A connection to the database of `module_url`."""
    with Redis.from_url(module_url) as connection:
        yield connection


@pytest.fixture(scope="module")
def client(module_url: str) -> Iterator[SidekiqClient]:
    with SidekiqClient(module_url) as program:
        yield program


@pytest.fixture(scope="module")
def web(module_url: str) -> Iterator[SidekiqWeb]:
    with SidekiqWeb(module_url) as program:
        yield program


@pytest.fixture(scope="module")
def sidekiq(module_url: str) -> Iterator[SidekiqProcess]:
    """A process that works on the queues `default` and `elsewhere`, and promotes what is due within 0.2 s."""
    with SidekiqProcess(module_url, queues=["default", "elsewhere"]) as process:
        yield process
