"""What a node tells Oban's dashboards, as it leaves the server: whole, readable and in one statement."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.postgres import PgBouncer, PostgresServer
from tests.postgres_proxy import PostgresProxy
from tests.servers import wait_until
from tests.stores.oban_web import Dashboard
from tests.stores.places import Postgres
from treadle import Treadle, current_job
from treadle.core.controls import QueueControl
from treadle.core.cron_entry import CronEntry
from treadle.core.job import NewJob
from treadle.core.sketch import Sketch
from treadle.errors import StoreUnavailable
from treadle.hooks.events import ServiceFailed
from treadle.stores.broadcasts import Attempts, Broadcasts, Pulse
from treadle.stores.contract import Store

LIMIT = 20.0
CHANNELS = ("gossip", "metrics", "cronitor")


class Ears:
    """A connection that listens as an Elixir node with a dashboard does."""

    def __init__(self, connection: "psycopg.Connection[Any]", schema: str) -> None:
        self.dashboard = Dashboard()
        self.times: list[int] = []
        self._connection = connection
        for name in CHANNELS:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"{schema}.oban_{name}")))

    def hear(self, number: int = 1) -> list[str]:
        """Wait for so many notices; their channels."""
        heard = []
        for notice in self._connection.notifies(timeout=LIMIT, stop_after=number):
            heard.append(notice.channel.rpartition("_")[2])
            self.dashboard.hear(heard[-1], notice.payload)
            if heard[-1] == "metrics":
                self.times.append(json.loads(notice.payload)["time"])
        assert len(heard) >= number, f"expected {number} notices, got {heard}"
        return heard


@contextmanager
def listening(url: str, schema: str = "public") -> Iterator[Ears]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield Ears(connection, schema)


def pulse(owner: str = "host:1:a", **more: Any) -> Pulse:
    return Pulse(owner=owner, started=1_795_334_315.0, **{"slots": {"default": 5, "mail": 2}, **more})


def told(store: Store) -> Broadcasts:
    assert isinstance(store, Broadcasts)
    return store


def test_what_is_told_is_heard_in_any_schema_with_the_time_of_the_server(postgres_url: str) -> None:
    attempts = Attempts(queue="mail", name="Welcome", after="completed", ran=Sketch({519: 2}), waited=Sketch({1: 2}))

    async def tell() -> None:
        async with Postgres(postgres_url, store_url=f"{postgres_url}?schema=pri-vate").store() as store:
            others = pulse("host:2:b", attempts=[attempts], running={"mail": ["12"]})
            await told(store).broadcast([pulse(), others])

    with listening(postgres_url, "pri-vate") as ears:
        asyncio.run(tell())
        assert ears.hear(2) == ["gossip", "metrics"]
        [time] = ears.times
    assert len(ears.dashboard.checks) == 4
    assert ears.dashboard.running("mail") == {12}
    assert ears.dashboard.counts == {("completed", "mail", "Welcome"): 2}
    with psycopg.connect(postgres_url) as connection:
        [(now,)] = connection.execute("SELECT extract(epoch FROM now())::float").fetchall()
    assert now - 10 < time <= now


def test_what_is_told_passes_pgbouncer(postgres_url: str, postgres_database: str, pgbouncer: PgBouncer) -> None:
    async def tell() -> None:
        async with Postgres(postgres_url, store_url=pgbouncer.url_of(postgres_database)).store() as store:
            await told(store).broadcast([pulse()])

    with listening(postgres_url) as ears:
        asyncio.run(tell())
        assert ears.hear() == ["gossip"]


def test_a_pause_that_lasts_is_told_with_the_next_pulse_but_one(postgres_url: str) -> None:
    async def tell() -> None:
        async with Postgres(postgres_url).store() as store:
            await store.control(QueueControl(action="pause", queue="mail"), ["mail"])
            await told(store).broadcast([pulse()])
            assert paused() == {"mail"}
            await store.control(QueueControl(action="resume", queue="mail"), ["mail"])
            await told(store).broadcast([pulse()])
            await told(store).broadcast([pulse()])
            ears.hear(2)
            assert paused(0) == set()

    def paused(number: int = 1) -> set[str]:
        if number:
            ears.hear(number)
        return {queue for (_, queue), check in ears.dashboard.checks.items() if check["paused"]}

    with listening(postgres_url) as ears:
        asyncio.run(tell())


def test_a_crontab_is_told_and_nothing_of_one_that_elixir_cannot_read(postgres_url: str) -> None:
    job = NewJob(name="Report", queue="default", args=b"{}", max_attempts=20)

    async def tell() -> None:
        async with Postgres(postgres_url).store() as store:
            seconds = CronEntry(name="often", expr="*/5 * * * * *", job=job)
            await told(store).broadcast_crontab("host:1", [seconds])
            await told(store).broadcast_crontab("host:1", [seconds, CronEntry(name="daily", expr="@daily", job=job)])

    with listening(postgres_url) as ears:
        asyncio.run(tell())
        assert ears.hear() == ["cronitor"]
    assert ears.dashboard.crons == {"host:1": [["@daily", "Report", {"name": "daily"}]]}


def test_a_worker_is_shown_with_what_it_runs_and_what_it_did(postgres_url: str) -> None:
    app = Treadle(postgres_url)
    seen: list[set[int]] = []

    @app.job(queue="mail")
    async def hold() -> None:
        while int(current_job().id) not in ears.dashboard.running("mail"):
            await asyncio.to_thread(ears.hear)
        seen.append(ears.dashboard.running("mail"))

    @app.job(queue="mail", max_attempts=1)
    async def fail() -> None:
        raise RuntimeError("boom")

    async def run() -> str:
        held = await hold.aenqueue()
        await fail.aenqueue()
        async with app.worker():
            while len(ears.dashboard.counts) < 2:
                await asyncio.to_thread(ears.hear)
        await app.aclose()
        return held.id

    with listening(postgres_url) as ears:
        held = asyncio.run(run())
        uuids = {check["uuid"] for check in ears.dashboard.checks.values()}
        with psycopg.connect(postgres_url) as connection:
            [(producer,)] = connection.execute(
                "SELECT attempted_by[2] FROM oban_jobs WHERE id = %s", (held,)
            ).fetchall()
    assert seen == [{int(held)}]
    assert producer in uuids
    names = {name: state for state, queue, name in ears.dashboard.counts if queue == "mail"}
    assert names == {"hold": "completed", "fail": "discarded"}


@pytest.mark.chaos
def test_who_tells_nothing_else_is_not_held_up_by_others_that_tell_something(
    start_postgres: Callable[..., PostgresServer],
) -> None:
    """Whoever commits a NOTIFY keeps all others from it until a standby has it, here for ever."""
    server = start_postgres()
    url = server.url_of(server.fresh_database())

    def tell_for_ever() -> None:
        with suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
            connection.execute("WITH put AS (INSERT INTO oban_jobs (worker) VALUES ('x')) SELECT pg_notify('x', '')")

    def waits() -> bool:
        with psycopg.connect(url) as connection:
            return bool(connection.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall())

    async def tell() -> float:
        async with Postgres(url).store() as store:
            await told(store).broadcast([pulse()])
            server.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            server.run("SELECT pg_reload_conf()")
            endless.start()
            await asyncio.to_thread(wait_until, waits, LIMIT, "a commit waits for a standby")
            begun = asyncio.get_running_loop().time()
            with pytest.raises(StoreUnavailable, match="lock"):
                await told(store).broadcast([pulse()])
            took = asyncio.get_running_loop().time() - begun
            await store.counts()
            return took

    endless = threading.Thread(target=tell_for_ever, daemon=True)
    assert asyncio.run(tell()) < 5
    server.kill()
    endless.join()


def test_a_store_that_was_away_is_met_with_silence_and_told_again(
    postgres_url: str, postgres_proxy: PostgresProxy, caplog: pytest.LogCaptureFixture
) -> None:
    app = Treadle(postgres_proxy.url)
    failed: list[str] = []
    app.on(ServiceFailed)(lambda event: failed.append(event.service))

    @app.job(queue="mail")
    async def done() -> None:
        return

    async def run() -> None:
        async with app.worker():
            await asyncio.to_thread(ears.hear, 2)
            for _ in range(3):
                postgres_proxy.cut_now()
            await asyncio.to_thread(ears.hear, 2)
        await app.aclose()

    with listening(postgres_url) as ears:
        asyncio.run(run())
    assert "broadcaster" not in failed
    assert "broadcaster" not in caplog.text


@pytest.mark.parametrize("url", ["sqlite://"])
def test_other_stores_tell_nobody(url: str) -> None:
    async def look() -> bool:
        app = Treadle(url)
        store = await app.astore()
        await app.aclose()
        return isinstance(store, Broadcasts)

    assert not asyncio.run(look())
