"""`treadle migrate`: tables made, looked at and taken away, and what it refuses."""

import json
import shutil
import subprocess

import psycopg
import pytest

from tests.cli.conftest import Shell
from tests.postgres import PostgresServer
from tests.stores.elixir_tables import elixir_table
from treadle.stores.migrations import latest
from treadle.stores.shapes import look

OBANS = {"oban_jobs", "oban_peers", "oban_leaders", "oban_producers"}


@pytest.fixture
def url(postgres_url: str) -> str:
    return f"{postgres_url}?schema=private"


def tables(postgres_url: str) -> frozenset[str]:
    with psycopg.connect(postgres_url) as connection:
        return look(connection, "private").tables


def run(postgres_url: str, text: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(text.encode())


def test_up_makes_every_table_and_down_takes_treadles_own_away(shell: Shell, url: str, postgres_url: str) -> None:
    assert f"treadle    version {latest()} of {latest()}" in shell.ok("migrate", "--url", url)
    assert {*OBANS, "treadle_owners"} <= tables(postgres_url)
    assert "treadle    version 0 of" in shell.ok("migrate", "down", "--url", url)
    assert tables(postgres_url) == OBANS


@pytest.mark.parametrize("words", [("jobs", "list"), ("doctor",)])
def test_who_only_looks_makes_no_tables(shell: Shell, url: str, postgres_url: str, words: tuple[str, ...]) -> None:
    done = shell.run(*words, "--url", url)
    assert done.returncode == 1
    assert f"expected the store {url} to exist, got no table oban_jobs in the schema private" in done.stderr
    assert tables(postgres_url) == frozenset()


def test_status_tells_a_program_what_stands_there(shell: Shell, url: str) -> None:
    lacking = shell.run("migrate", "status", "--json", "--url", url)
    assert lacking.returncode == 1
    assert json.loads(lacking.stdout)["trouble"] == "expected treadle's tables: treadle migrate up makes them"
    shell.ok("migrate", "up", "--url", url)
    found = json.loads(shell.ok("migrate", "status", "--json", "--url", url))
    assert found["trouble"] is None
    assert found["treadle"] == {"version": latest(), "latest": latest()}
    assert found["oban_jobs"]["version"] == 14
    assert {lack["what"] for lack in found["lacks"]} == {"index oban_jobs_args_index", "index oban_jobs_meta_index"}


def test_what_others_made_is_altered_only_when_asked(shell: Shell, url: str, postgres_url: str) -> None:
    run(postgres_url, elixir_table(8, "private"))
    told = shell.run("migrate", "up", "--url", url)
    assert told.returncode == 1
    assert "lacks      column meta: what programs note of a job" in told.stdout
    assert "trouble    expected oban_jobs as Oban 2 or later makes it" in told.stdout
    made = shell.ok("migrate", "up", "--alter", "--url", url)
    assert "made       column meta" in made
    assert "trouble" not in made


def test_the_script_goes_through_psql(shell: Shell, url: str, postgres_url: str) -> None:
    run(postgres_url, elixir_table(9, "private"))
    script = shell.ok("migrate", "--sql", "--alter", "--gin", "--url", url)
    psql = shutil.which("psql")
    assert psql is not None
    subprocess.run([psql, "-v", "ON_ERROR_STOP=1", "-qd", postgres_url], input=script, text=True, check=True)
    found = json.loads(shell.ok("migrate", "status", "--json", "--url", url))
    assert (found["trouble"], found["lacks"]) == (None, [])
    down = shell.ok("migrate", "down", "--sql", "--url", url)
    subprocess.run([psql, "-v", "ON_ERROR_STOP=1", "-qd", postgres_url], input=down, text=True, check=True)
    assert "treadle_owners" not in tables(postgres_url)


def test_the_script_needs_no_server(shell: Shell) -> None:
    script = shell.ok("migrate", "--sql", "--url", "postgresql://user:secret@127.0.0.1:1/db?schema=private")
    assert "CREATE TABLE oban_jobs" in script
    assert "secret" not in script


def test_a_role_that_may_not_is_told_of_the_script(
    shell: Shell, postgres_server: PostgresServer, postgres_url: str
) -> None:
    run(postgres_url, "DROP ROLE IF EXISTS visitor")
    run(postgres_url, "CREATE ROLE visitor LOGIN")
    url = f"{postgres_url.replace('treadle@', 'visitor@')}?schema=private"
    refused = shell.run("migrate", "--url", url)
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr
    assert "treadle migrate --sql" in refused.stderr


def test_a_server_that_does_not_answer_is_one_line_without_the_password(shell: Shell) -> None:
    refused = shell.run("migrate", "--url", "postgresql://user:secret@127.0.0.1:1/db")
    assert refused.returncode == 1
    assert refused.stderr.startswith("treadle: cannot reach PostgreSQL at postgresql://user:***@127.0.0.1:1/db")
    assert "secret" not in refused.stderr


def test_other_stores_need_no_migration(shell: Shell) -> None:
    refused = shell.run("migrate")
    assert refused.returncode == 1
    assert "expected a store of PostgreSQL" in refused.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["sideways"], "expected up, down or status"),
        (["status", "--sql"], "--sql does not go with status"),
        (["up", "--json"], "--json does not go with up"),
        (["up", "--to", "1"], "--to does not go with up"),
        (["down", "--alter"], "--alter does not go with down"),
        (["up", "--gin"], "--gin does not go with up alone"),
        (["down", "--to", "99"], "expected --to to be a version from 0 to "),
    ],
)
def test_what_does_not_go_together_is_refused(shell: Shell, words: list[str], complaint: str) -> None:
    refused = shell.run("migrate", *words, "--url", "postgresql://127.0.0.1:1/db")
    assert refused.returncode == 2
    assert complaint in refused.stderr
