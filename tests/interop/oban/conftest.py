"""One database with both programs on it for a module of tests."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.interop.oban.programs import Database, ObanPeer, TreadleNode
from tests.postgres import PostgresServer
from treadle import Treadle
from treadle.stores.migrations import connected, install

# What oban-py's leader takes for dead: what runs longer is safe by its stamp alone.
RESCUE_AFTER = 2.0
RESTAMP_EVERY = 0.5


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database with treadle's tables."""
    url = postgres_server.url_of(postgres_server.fresh_database())
    with connected(url, url) as connection:
        install(connection, "public")
    with closing(Database(url)) as database:
        yield database


@pytest.fixture(scope="module")
def oban(database: Database) -> Iterator[ObanPeer]:
    """oban-py on the queues `oban` and `slim`; its lifeline takes whatever ran for two seconds for dead."""
    lifeline = {"interval": 0.2, "rescue_after": RESCUE_AFTER}
    with ObanPeer(database.url, queues={"oban": 5, "slim": 1}, lifeline=lifeline, stager={"interval": 0.2}) as peer:
        yield peer


@pytest.fixture(scope="module")
def node(database: Database) -> Iterator[TreadleNode]:
    """Treadle on the queues `treadle` and `narrow`."""
    with TreadleNode(database, "--restamp-every", f"{RESTAMP_EVERY}", "--lease", "6") as node:
        yield node


@pytest.fixture(scope="module")
def app(database: Database) -> Iterator[Treadle]:
    """An app that enqueues."""
    app = Treadle(database.url)
    yield app
    app.close()
