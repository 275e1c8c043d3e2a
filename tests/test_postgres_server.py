"""The PostgreSQL and the PgBouncer of the tests are real, each database is one test's own, and faults are faults."""

from collections.abc import Callable

import psycopg
import pytest

from tests.postgres import PgBouncer, PostgresServer


def test_each_test_has_an_empty_database_and_utc_is_not_the_servers_zone(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE mine ()")
        assert connection.execute("SHOW timezone").fetchone() == ("Pacific/Chatham",)
    other = postgres_server.fresh_database()
    assert postgres_server.run("SELECT to_regclass('mine')", database=other) == [(None,)]


def test_what_was_committed_survives_an_immediate_restart_and_unlogged_rows_do_not(
    start_postgres: Callable[..., PostgresServer],
) -> None:
    server = start_postgres()
    for table in ("TABLE kept", "UNLOGGED TABLE lost"):
        server.run(f"CREATE {table} (id int)")
    server.run("INSERT INTO kept VALUES (1)")
    server.run("INSERT INTO lost VALUES (1)")
    server.restart(immediate=True)
    assert server.run("SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM lost)") == [(1, 0)]
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url, connect_timeout=2)


def test_pgbouncer_gives_each_transaction_any_connection(pgbouncer: PgBouncer, postgres_database: str) -> None:
    url = pgbouncer.url_of(postgres_database)
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as two:
        pids = set()
        for connection in (one, two, one):
            pids |= set(connection.execute("SELECT pg_backend_pid()").fetchall())
        # Both clients use the one server connection that is idle, in turn.
        assert len(pids) == 1
        one.execute("LISTEN bell")
        two.execute("NOTIFY bell")
        assert list(one.notifies(timeout=0.2)) == []
