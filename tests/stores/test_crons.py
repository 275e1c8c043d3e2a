"""Entries of the crontab that are older than a test may wait for, on every store."""

import asyncio
import sqlite3
from typing import Any

import psycopg
import pytest
import redis

from treadle.core.cron_entry import CronEntry
from treadle.stores.contract import Store
from treadle.stores.ticks import CRON_KEPT
from treadle.stores.url import make_store, sqlite_file
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import Bench

LONG_AGO = int(CRON_KEPT) + 86_400


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    """The URL of a store of this test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jobs.db"
    return str(request.getfixturevalue("redis_url" if request.param == "redis" else "postgres_url"))


def test_an_entry_outlives_a_month_without_workers_if_the_code_still_has_it(url: str) -> None:
    async def story(store: Store) -> None:
        kept, gone = (CronEntry(name=name, expr="0 3 * * *", job=Bench(store).job()) for name in ("kept", "gone"))
        await store.declare_crons([kept, gone], fresh=True)
        ticked = (await store.crontab()).rows["kept"].last_tick
        _make_older(url, LONG_AGO)
        await store.declare_crons([kept], fresh=True)
        rows = (await store.crontab()).rows
        assert [*rows] == ["kept"]
        assert rows["kept"].last_tick == ticked - LONG_AGO

    asyncio.run(_on(url, story))


async def _on(url: str, story: Any) -> None:  # noqa: ANN401 - a coroutine function of one store
    store = make_store(url, SystemClock())
    try:
        await store.open()
        await story(store)
        await store.aclose()
    finally:
        store.close()


def _make_older(url: str, seconds: int) -> None:
    """Let the crontab have been left alone for so long."""
    if (file := sqlite_file(url)) is not None:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute(
            "UPDATE treadle_crons SET last_tick = last_tick - :ago, "
            "seen_at = strftime('%Y-%m-%dT%H:%M:%f', seen_at, '-' || :ago || ' seconds')",
            {"ago": seconds},
        )
        connection.close()
    elif url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            names: Any = client.hkeys("treadle:crons:seen")
            for name in names:
                client.hincrby("treadle:crons:ticks", name, -seconds)
                client.hincrbyfloat("treadle:crons:seen", name, -seconds)
    else:
        with psycopg.connect(url) as server:
            server.execute(
                "UPDATE treadle_crons SET last_tick = last_tick - make_interval(secs => %(ago)s), "
                "seen_at = seen_at - make_interval(secs => %(ago)s)",
                {"ago": seconds},
            )
