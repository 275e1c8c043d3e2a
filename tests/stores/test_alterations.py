"""What somebody else's job table lacks: told, and made when it is asked for."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.stores.elixir_tables import NEWEST, elixir_table
from treadle.errors import StoreError
from treadle.stores.alterations import alter, alter_script, lacks
from treadle.stores.migrations import install
from treadle.stores.shapes import Connection, look

GIN = {"index oban_jobs_args_index", "index oban_jobs_meta_index"}


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def told(connection: Connection, schema: str = "public") -> set[str]:
    return {lack.what for lack in lacks(look(connection, schema))}


def test_treadles_own_table_lacks_only_what_is_made_by_name(connection: Connection) -> None:
    install(connection, "private")
    assert told(connection, "private") == GIN
    assert {lack.what for lack in alter(connection, "private", gin=True)} == GIN
    assert told(connection, "private") == set()


def test_an_empty_schema_lacks_nothing_for_tables_are_made_there(connection: Connection) -> None:
    assert told(connection) == set()


def test_the_newest_table_of_elixirs_lacks_what_oban_py_has(connection: Connection) -> None:
    connection.execute(elixir_table(NEWEST).encode())
    indexes = {f"index oban_jobs_{name}_index" for name in ("staging", "completed_at", "cancelled_at", "discarded_at")}
    assert told(connection) == {"table oban_producers", "table oban_leaders", "options storage"} | indexes


@pytest.mark.parametrize("version", range(8, NEWEST + 1))
def test_when_asked_everything_is_made_and_jobs_stay(connection: Connection, version: int) -> None:
    connection.execute(elixir_table(version, "shop").encode())
    connection.execute("INSERT INTO shop.oban_jobs (worker, args) VALUES ('stays', '{}')")
    install(connection, "shop")
    alter(connection, "shop")
    found = look(connection, "shop")
    assert {lack.what for lack in lacks(found)} <= GIN
    assert found.shape.suspended
    assert found.shape.producers
    assert found.shape.version == version, "Elixir's own migrations have to run yet"
    assert connection.execute("SELECT worker, meta, state::text FROM shop.oban_jobs").fetchall() == [
        ("stays", {}, "available")
    ]


def test_asked_again_nothing_is_made(connection: Connection) -> None:
    connection.execute(elixir_table(9).encode())
    assert alter(connection, "public")
    assert alter(connection, "public") == []


def test_the_script_makes_the_same(connection: Connection) -> None:
    connection.execute(elixir_table(9).encode())
    for statement in alter_script(look(connection, "public"), "public").split(";\n\n"):
        connection.execute(statement.encode())
    assert told(connection) <= GIN


def test_only_what_the_store_cannot_do_without_is_needed(connection: Connection) -> None:
    connection.execute(elixir_table(8).encode())
    needed = {lack.what for lack in lacks(look(connection, "public")) if lack.needed}
    assert needed == {"column meta", "column cancelled_at", "state cancelled"}


def test_an_index_whose_building_broke_off_is_built_anew(connection: Connection) -> None:
    install(connection, "public")
    connection.execute("DROP INDEX oban_jobs_staging_index")
    connection.execute("INSERT INTO oban_jobs (worker) VALUES ('a'), ('a')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY oban_jobs_staging_index ON oban_jobs (worker)")
    assert [lack.what for lack in alter(connection, "public")] == ["index oban_jobs_staging_index"]
    [definition] = connection.execute(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'oban_jobs_staging_index'"
    ).fetchone() or [""]
    assert "INCLUDE (queue)" in definition


def test_another_marker_on_the_table_stays(connection: Connection) -> None:
    install(connection, "public")
    connection.execute("COMMENT ON TABLE oban_jobs IS 'jobs of the shop'")
    assert alter(connection, "public") == []
    assert look(connection, "public").marker == "jobs of the shop"


def test_a_role_that_does_not_own_the_table_is_told(
    postgres_server: PostgresServer, postgres_database: str, connection: Connection
) -> None:
    connection.execute("DROP ROLE IF EXISTS stranger")
    connection.execute("CREATE ROLE stranger LOGIN")
    connection.execute(elixir_table(NEWEST).encode())
    url = postgres_server.url_of(postgres_database).replace("treadle@", "stranger@")
    with (
        psycopg.connect(url, autocommit=True) as stranger,
        pytest.raises(StoreError, match=r"must be owner.*treadle migrate --sql --alter"),
    ):
        alter(stranger, "public")
