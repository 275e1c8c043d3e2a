"""Every store keeps every promise of the contract."""

import asyncio
from pathlib import Path

import pytest

from tests.postgres import PgBouncer
from tests.stores.elixir_tables import NEWEST, elixir_table
from tests.stores.oban_py_table import OBAN_PY_TABLE
from tests.stores.places import Postgres, Redis, SqliteFile, SqliteMemory
from treadle.testing.conformance import CHECKS, Check

each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@each_check
def test_sqlite_in_a_file(check: Check, tmp_path: Path) -> None:
    asyncio.run(check(SqliteFile(tmp_path)))


@each_check
def test_sqlite_in_memory(check: Check) -> None:
    asyncio.run(check(SqliteMemory()))


@each_check
def test_redis_with_the_keys_of_sidekiq(check: Check, redis_url: str) -> None:
    asyncio.run(check(Redis(redis_url)))


@each_check
def test_postgresql_with_the_table_of_oban_py(check: Check, postgres_url: str) -> None:
    asyncio.run(check(Postgres(postgres_url, tables=OBAN_PY_TABLE)))


@each_check
def test_postgresql_behind_pgbouncer(
    check: Check, postgres_url: str, postgres_database: str, pgbouncer: PgBouncer
) -> None:
    asyncio.run(check(Postgres(postgres_url, store_url=pgbouncer.url_of(postgres_database))))


@each_check
def test_postgresql_with_the_table_of_oban(check: Check, postgres_url: str) -> None:
    asyncio.run(check(Postgres(postgres_url)))


@pytest.mark.chaos
@each_check
def test_postgresql_with_the_table_of_elixirs_migrations(check: Check, postgres_url: str) -> None:
    asyncio.run(check(Postgres(postgres_url, tables=elixir_table(NEWEST))))


@pytest.mark.chaos
@each_check
def test_postgresql_in_a_schema_of_its_own(check: Check, postgres_url: str) -> None:
    asyncio.run(check(Postgres(postgres_url, schema="Jobs-2")))


# What depends on the states that a table has.
@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check.__module__.endswith(".owning")], ids=lambda check: check.__name__
)
def test_postgresql_with_an_old_table_of_oban(check: Check, postgres_url: str) -> None:
    asyncio.run(check(Postgres(postgres_url, tables=elixir_table(12))))
