"""`oban install` and treadle's tables in either order: the same table at the end, and both programs at work."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from tests.interop.oban.programs import Database, ObanPeer, TreadleNode, oban_install
from tests.postgres import PostgresServer
from tests.stores.oban_py_table import OBAN_PY_TABLE
from tests.stores.places import Postgres
from treadle.stores.alterations import alter, lacks
from treadle.stores.migrations import connected
from treadle.stores.shapes import Look, look
from treadle.testing.checks.bench import Bench

pytestmark = pytest.mark.interop

Step = Callable[[str], None]


def treadle_migrate(url: str) -> None:
    """What `treadle migrate` does."""
    subprocess.run(
        [sys.executable, "-m", "treadle.cli", "migrate", "up", "--url", url], check=True, capture_output=True
    )


def details(url: str) -> set[tuple[str, ...]]:
    """What its columns take and refuse, and what stands in one that is left out."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type, is_nullable, coalesce(column_default, ''), "
            "coalesce(identity_generation, '') FROM information_schema.columns WHERE table_name = 'oban_jobs'"
        ).fetchall()
        checks = connection.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'oban_jobs'::regclass"
        ).fetchall()
    return {*columns, *checks}


def seen(url: str) -> Look:
    with connected(url, url) as connection:
        return look(connection, "public")


@pytest.mark.parametrize(
    "steps",
    [(oban_install, treadle_migrate), (treadle_migrate, oban_install)],
    ids=["oban install first", "treadle migrate first"],
)
def test_both_programs_run_whoever_made_the_tables(steps: tuple[Step, ...], postgres_url: str) -> None:
    for step in (*steps, *steps):
        step(postgres_url)
    with (
        closing(Database(postgres_url)) as database,
        ObanPeer(postgres_url, queues={"oban": 1}) as oban,
        TreadleNode(database) as node,
    ):
        jobs = {oban.enqueue("Echo", "treadle"): "treadle", oban.enqueue("peer.Echo", "oban"): "oban-py"}
        for job_id, program in jobs.items():
            database.wait_for(job_id, "completed")
            assert database.runs(job_id) == [program]
        assert node.stop() == 0
        assert database.rows("SELECT queue FROM oban_producers") == [{"queue": "oban"}], "its own went with treadle"


def test_oban_install_adds_nothing_to_treadles_tables(postgres_url: str) -> None:
    treadle_migrate(postgres_url)
    before = seen(postgres_url)
    oban_install(postgres_url)
    assert seen(postgres_url) == before


def test_what_oban_install_makes_lacks_only_what_elixirs_oban_needs(postgres_url: str) -> None:
    oban_install(postgres_url)
    treadle_migrate(postgres_url)
    assert seen(postgres_url).shape.errors == "jsonb"
    with connected(postgres_url, postgres_url) as connection:
        assert {lack.what for lack in alter(connection, "public")} == {"table oban_peers", "marker 14"}
        assert all(lack.asked for lack in lacks(look(connection, "public")))


def test_the_table_that_other_tests_use_is_the_one_of_oban_install(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    other = postgres_server.url_of(postgres_server.fresh_database())
    oban_install(postgres_url)
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(OBAN_PY_TABLE.encode())
    ours, theirs = seen(other), seen(postgres_url)
    assert (set(ours.columns), set(ours.states)) == (set(theirs.columns), set(theirs.states))
    assert details(other) == details(postgres_url)


def test_a_job_is_claimed_and_settled_on_a_table_of_oban_install(postgres_url: str) -> None:
    oban_install(postgres_url)

    async def run() -> list[str]:
        async with Postgres(postgres_url).store() as store:
            bench = await Bench(store).enroll()
            await bench.put(3)
            return await bench.end(await bench.take())

    assert asyncio.run(run()) == ["applied"] * 3
