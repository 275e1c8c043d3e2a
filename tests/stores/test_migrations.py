"""Making the tables of the PostgreSQL store, beside whatever stands in the schema."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.postgres import PostgresServer
from tests.stores.elixir_tables import NEWEST, elixir_table
from treadle.errors import ConfigError, StoreError
from treadle.stores.migrations import down_script, install, latest, remove, up_script
from treadle.stores.oban import check_schema
from treadle.stores.shapes import UNBOUNDED, Connection, TableShape, look

NAMES = (
    "owners",
    "serving",
    "done",
    "suspects",
    "results",
    "cancels",
    "settled",
    "queues",
    "crons",
    "orders",
    "unique",
)
OWN = {f"treadle_{name}" for name in NAMES}
OBAN = {"oban_jobs", "oban_peers", "oban_leaders", "oban_producers"}
SCHEMAS = ["public", "private", "tenant-1"]


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def columns(connection: Connection, schema: str) -> list[Any]:
    return connection.execute(
        "SELECT column_name, data_type, udt_name, is_nullable, replace(column_default, quote_ident(%s) || '.', '') "
        "FROM information_schema.columns WHERE table_schema = %s AND table_name = 'oban_jobs' "
        "ORDER BY ordinal_position",
        (schema, schema),
    ).fetchall()


def constraints(connection: Connection) -> set[Any]:
    return set(
        connection.execute(
            "SELECT conname, replace(pg_get_constraintdef(oid), ' NOT VALID', '') FROM pg_constraint "
            "WHERE conrelid = 'oban_jobs'::regclass"
        )
    )


def rows_of(connection: Connection) -> list[Any]:
    """Everything about the tables of others in public that a migration could change."""
    return connection.execute(
        "SELECT relname, relkind, reloptions, obj_description(pg_class.oid, 'pg_class'), "
        "ARRAY(SELECT (attname, atttypid, attnotnull)::text FROM pg_attribute WHERE attrelid = pg_class.oid) "
        "FROM pg_class WHERE relname LIKE 'oban%' ORDER BY relname"
    ).fetchall()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_empty_database_gets_every_table(connection: Connection, schema: str) -> None:
    found = install(connection, schema)
    assert found.tables == OBAN | OWN
    assert found.version == latest()
    assert found.shape == TableShape(version=14, errors="jsonb[]", suspended=True, notifies=False, producers=True)


def test_the_job_table_is_the_one_of_elixirs_migrations(
    postgres_server: PostgresServer, connection: Connection
) -> None:
    other = postgres_server.url_of(postgres_server.fresh_database())
    install(connection, "public")
    with psycopg.connect(other, autocommit=True) as elixir:
        elixir.execute(elixir_table(NEWEST).encode())
        assert columns(connection, "public") == columns(elixir, "public")
        assert constraints(connection) == constraints(elixir)
        assert look(connection, "public").states == look(elixir, "public").states
        gin = {"oban_jobs_args_index", "oban_jobs_meta_index"}
        assert look(elixir, "public").indexes - gin <= look(connection, "public").indexes


def test_treadles_own_tables_survive_a_crash_of_the_server(connection: Connection) -> None:
    install(connection, "public")
    unlogged = connection.execute("SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'")
    assert {name for (name,) in unlogged} == {"oban_peers", "oban_leaders", "oban_producers"}


def test_a_second_time_nothing_is_made(connection: Connection) -> None:
    install(connection, "private")
    before = connection.execute("SELECT oid, relname FROM pg_class ORDER BY oid").fetchall()
    install(connection, "private")
    connection.execute(up_script("private").encode())
    assert connection.execute("SELECT oid, relname FROM pg_class ORDER BY oid").fetchall() == before


@pytest.mark.parametrize("version", range(9, NEWEST + 1))
def test_a_table_of_elixirs_is_left_as_it_is(connection: Connection, version: int) -> None:
    connection.execute(elixir_table(version).encode())
    before = rows_of(connection)
    found = install(connection, "public")
    assert rows_of(connection) == before
    assert found.tables >= OWN
    assert found.shape == TableShape(
        version=version, errors="jsonb[]", suspended=version >= 14, notifies=version < 12, producers=False
    )


def test_a_table_from_before_oban_2_is_told_column_by_column(connection: Connection) -> None:
    connection.execute(elixir_table(8).encode())
    found = install(connection, "public")
    with pytest.raises(StoreError, match=r"meta jsonb \(is missing\).*cancelled_at.*a state cancelled"):
        _ = found.shape


@pytest.mark.parametrize(("marker", "version"), [("∞", UNBOUNDED), ("jobs of the shop", 0), ("13", 13)])
def test_any_comment_on_the_table_is_read(connection: Connection, marker: str, version: int) -> None:
    install(connection, "public")
    connection.execute(f"COMMENT ON TABLE oban_jobs IS '{marker}'".encode())
    assert look(connection, "public").shape.version == version


def test_installers_at_the_same_time_do_not_collide(postgres_url: str) -> None:
    def one(_: int) -> int:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            return install(connection, "private").version

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [latest()] * 8


def test_the_script_makes_what_the_installer_makes(postgres_server: PostgresServer, connection: Connection) -> None:
    install(connection, "private")
    with psycopg.connect(postgres_server.url_of(postgres_server.fresh_database()), autocommit=True) as other:
        other.execute(up_script("private").encode())
        assert look(other, "private") == look(connection, "private")


def test_one_schema_knows_nothing_of_another(connection: Connection) -> None:
    install(connection, "one")
    assert not look(connection, "two").schema_exists
    install(connection, "two")
    remove(connection, "one")
    assert (look(connection, "one").version, look(connection, "two").version) == (0, latest())


def test_temporary_tables_do_not_stand_in_for_ours(connection: Connection) -> None:
    connection.execute("CREATE TEMPORARY TABLE oban_jobs (id integer)")
    assert install(connection, "public").jobs_exist


def test_the_way_down_leaves_the_jobs_and_the_way_up_comes_again(connection: Connection) -> None:
    before = install(connection, "public")
    connection.execute("INSERT INTO oban_jobs (worker) VALUES ('stays')")
    assert remove(connection, "public").tables == OBAN
    assert install(connection, "public") == before
    assert connection.execute("SELECT worker FROM oban_jobs").fetchall() == [("stays",)]
    connection.execute(down_script("public").encode())
    assert look(connection, "public").tables == OBAN


def test_every_step_down_undoes_its_step_up(connection: Connection) -> None:
    install(connection, "public")
    for version in range(latest() - 1, -1, -1):
        assert remove(connection, "public", version).version == version
    assert install(connection, "public").version == latest()


def test_tables_in_use_are_not_taken_away(connection: Connection) -> None:
    install(connection, "public")
    connection.execute("INSERT INTO treadle_owners (owner, lease) VALUES ('a:1:x', 30)")
    with pytest.raises(StoreError, match="no live worker on treadle's tables, got a:1:x: stop it"):
        remove(connection, "public")
    connection.execute("UPDATE treadle_owners SET beat = beat - interval '31 seconds'")
    assert remove(connection, "public").version == 0


def test_tables_of_a_newer_treadle_are_used_and_not_taken_away(connection: Connection) -> None:
    install(connection, "public")
    connection.execute("COMMENT ON TABLE treadle_owners IS '1000'")
    assert install(connection, "public").version == 1000
    with pytest.raises(StoreError, match="got 1000: take them back with the treadle that made them"):
        remove(connection, "public")


def test_a_role_without_rights_uses_what_is_there_and_is_told_what_is_not(
    postgres_server: PostgresServer, postgres_database: str, connection: Connection
) -> None:
    connection.execute("DROP ROLE IF EXISTS guest")
    connection.execute("CREATE ROLE guest LOGIN")
    url = postgres_server.url_of(postgres_database).replace("treadle@", "guest@")
    with psycopg.connect(url, autocommit=True) as guest:
        with pytest.raises(StoreError, match=r"permission denied.*treadle migrate --sql"):
            install(guest, "private")
        install(connection, "private")
        connection.execute("GRANT USAGE ON SCHEMA private TO guest")
        assert install(guest, "private").version == latest()


@pytest.mark.parametrize("name", ["", "1st", 'oban"; drop--', "a'b", "a b", "ümlaut", "a" * 52, "a\x00"])
def test_a_schema_of_another_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected schema to be a letter or _"):
        check_schema(name)
