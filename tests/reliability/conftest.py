"""Each test of this folder on a bench of its own, once for each store."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.reliability.bench import Bench


@pytest.fixture(params=["sqlite", "redis", pytest.param("postgresql", marks=pytest.mark.chaos)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store of this test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    server_url: str = request.getfixturevalue("redis_url" if request.param == "redis" else "postgres_url")
    return server_url


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(url, tmp_path, stack)
