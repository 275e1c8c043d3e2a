"""A store beside a plain model, driven by chance: nothing is lost, nothing is applied twice, no fence lets through."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.postgres import PgBouncer
from tests.stores.elixir_tables import NEWEST, elixir_table
from tests.stores.machine.stores import PostgresMachine, RedisMachine, SqliteMachine
from tests.stores.oban_py_table import OBAN_PY_TABLE
from tests.stores.places import Postgres

pytestmark = pytest.mark.timeout(600)

EACH_RUN = settings(max_examples=60, stateful_step_count=40, deadline=None)
# A server answers after a round trip, a file at once.
ON_A_SERVER = settings(EACH_RUN, max_examples=30)
# The same store on another table, or by another way.
each_number = pytest.mark.parametrize("examples", [5, pytest.param(60, marks=pytest.mark.chaos)])


def play(on: Postgres, examples: int) -> None:
    class Machine(PostgresMachine):
        place = on

    run_state_machine_as_test(Machine, settings=settings(EACH_RUN, max_examples=examples))


def test_sqlite_does_what_the_model_does(tmp_path: Path) -> None:
    class Machine(SqliteMachine):
        folder = tmp_path

    run_state_machine_as_test(Machine, settings=EACH_RUN)


def test_redis_does_what_the_model_does(redis_url: str) -> None:
    class Machine(RedisMachine):
        url = redis_url

    run_state_machine_as_test(Machine, settings=ON_A_SERVER)


def test_postgresql_does_what_the_model_does(postgres_url: str) -> None:
    play(Postgres(postgres_url), ON_A_SERVER.max_examples)


@each_number
def test_postgresql_behind_pgbouncer_does_so(
    postgres_url: str, postgres_database: str, pgbouncer: PgBouncer, examples: int
) -> None:
    play(Postgres(postgres_url, store_url=pgbouncer.url_of(postgres_database)), examples)


@each_number
@pytest.mark.parametrize("tables", [OBAN_PY_TABLE, elixir_table(NEWEST)], ids=["oban-py", "elixir"])
def test_postgresql_on_a_table_that_others_made_does_so(postgres_url: str, tables: str, examples: int) -> None:
    play(Postgres(postgres_url, tables=tables), examples)


@each_number
def test_postgresql_in_a_schema_of_its_own_does_so(postgres_url: str, examples: int) -> None:
    play(Postgres(postgres_url, schema="Jobs-2"), examples)
