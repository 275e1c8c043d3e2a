"""Private servers for every test, and a run that does not depend on the developer's environment."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import Phase, settings

from tests.postgres import PgBouncer, PostgresServer
from tests.postgres_proxy import PostgresProxy
from tests.proxy import CutProxy
from tests.servers import ProgramMissingError, RedisServer

LONG_ONES = ("test_state_machine", "tests/reliability/", "tests/interop/", "tests/typing/", "tests/test_readme")

# A deadline per example measures the machine, not the code.
# Explaining a failure traces every line: a state machine would spend its time-out on that and tell nothing.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)
settings.register_profile("treadle", deadline=None, print_blob=True, phases=PHASES)
settings.load_profile("treadle")


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith("TREADLE_")]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Whole files go to a worker, in this order: at the end no worker is to wait for another's long ones.
    items.sort(key=lambda item: next((place for place, name in enumerate(LONG_ONES) if name in item.nodeid), 99))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    with _skipping_what_is_missing():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    with _skipping_what_is_missing():
        yield


@contextmanager
def _skipping_what_is_missing() -> Iterator[None]:
    """Skip a test that the machine has no program for; in CI, where a run is to prove something, let it fail."""
    try:
        yield
    except ProgramMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The run's Redis (each xdist worker has its own): leave it running and configured as it is, for others use it."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_database(redis_server: RedisServer) -> int:
    """The number of an empty database of `redis_server` that this test has to itself."""
    return redis_server.fresh_database()


@pytest.fixture
def redis_url(redis_server: RedisServer, redis_database: int) -> str:
    """The URL of this test's own empty database."""
    return redis_server.url_of(redis_database)


@pytest.fixture
def redis_proxy(redis_server: RedisServer, redis_database: int) -> Iterator[CutProxy]:
    """A proxy whose `url` leads to the database of `redis_url`."""
    with CutProxy(redis_server.address, redis_database) as proxy:
        yield proxy


@pytest.fixture
def start_redis() -> Iterator[Callable[..., RedisServer]]:
    """Start servers of this test's own, to be stopped, killed, frozen or filled: `start_redis(maxmemory="2mb")`."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(RedisServer(**options))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The run's PostgreSQL (each xdist worker has its own): leave it running and configured as it is."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> str:
    """The name of an empty database of `postgres_server` that this test has to itself."""
    return postgres_server.fresh_database()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_database: str) -> str:
    """The URL of this test's own empty database."""
    return postgres_server.url_of(postgres_database)


@pytest.fixture
def postgres_proxy(
    request: pytest.FixtureRequest, postgres_url: str, postgres_database: str
) -> Iterator[PostgresProxy]:
    """A proxy whose `url` leads to the database of `postgres_url`, through PgBouncer where the parameter says so."""
    url = postgres_url
    if getattr(request, "param", "") == "pgbouncer":
        url = request.getfixturevalue("pgbouncer").url_of(postgres_database)
    with PostgresProxy(url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def pgbouncer(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode in front of the run's PostgreSQL; `url_of(postgres_database)`."""
    with PgBouncer(postgres_server) as bouncer:
        yield bouncer


@pytest.fixture
def start_postgres() -> Iterator[Callable[..., PostgresServer]]:
    """Start servers of this test's own, to be stopped, killed, frozen or restarted: `start_postgres(port=…)`."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(PostgresServer(**options))
