"""Each test of this folder on a bench of its own, once for each store."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.reliability.bench import Bench
from tests.stores.oban_py_table import OBAN_PY_TABLE
from tests.stores.places import Postgres


@pytest.fixture(params=["sqlite", "redis", pytest.param("postgresql", marks=pytest.mark.chaos)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store of this test's own; the words after "postgresql" say by which way, and who made the table."""
    kind, _, way = request.param.partition(" ")
    match kind:
        case "sqlite":
            return f"sqlite:///{tmp_path / 'jobs.db'}"
        case "redis":
            redis_url: str = request.getfixturevalue("redis_url")
            return redis_url
        case _:
            return _postgresql(request, way)


def _postgresql(request: pytest.FixtureRequest, way: str) -> str:
    url: str = request.getfixturevalue("postgres_url")
    match way:
        case "behind pgbouncer":
            through: str = request.getfixturevalue("pgbouncer").url_of(request.getfixturevalue("postgres_database"))
            return through
        case "of oban-py":
            return Postgres(url, tables=OBAN_PY_TABLE).store_url
        case "in a schema":
            return Postgres(url, schema="Jobs-2").store_url
        case _:
            return url


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(url, tmp_path, stack)
