"""What a job writes and its completion are one: `current_job().transaction()`."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psycopg
import pytest

from treadle import Treadle, current_job
from treadle.core.states import State
from treadle.errors import ConfigError
from treadle.hooks.events import ClaimLost, Event, JobCompleted, JobDiscarded, JobRetried

LIMIT = 30.0


class Place:
    """A store, the user's table in the same database, and what the worker tells of its jobs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app = Treadle(url)
        self.told: SimpleQueue[Event] = SimpleQueue()
        for kind in (JobCompleted, JobRetried, JobDiscarded, ClaimLost):
            self.app.on(kind)(self.told.put)
        self.run("CREATE TABLE data (id integer)")

    def run(self, statement: str) -> list[Any]:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)) as db:
                return db.execute(statement).fetchall()
        with psycopg.connect(self.url, autocommit=True) as db:
            cursor = db.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> list[Any]:
        return self.run("SELECT id FROM data")

    def work(self) -> Event:
        """Run a worker until it tells of one job."""
        with self.app.worker(concurrency=1):
            return self.told.get(timeout=LIMIT)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/jobs.db"
    place = Place(url)
    yield place
    place.app.close()


async def execute(connection: Any, statement: str) -> None:  # noqa: ANN401 - of either driver
    done = connection.execute(statement)
    if isinstance(connection, psycopg.AsyncConnection):
        await done


@pytest.mark.parametrize("executor", ["loop", "thread"])
@pytest.mark.parametrize("around", [False, True])
def test_the_block_commits_the_writes_and_completes_the_job(place: Place, executor: str, *, around: bool) -> None:
    if around:
        place.app.around_perform(lambda _, call_next: call_next())

    @place.app.job(name="loop", record=True)
    async def on_loop() -> int:
        transaction = current_job().transaction()
        async with transaction as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")
            assert place.rows() == []
            transaction.result = 42
        assert place.rows() == [(1,)]
        return 7

    @place.app.job(name="thread", record=True)
    def in_thread() -> int:
        transaction = current_job().transaction()
        with transaction as connection:
            connection.execute("INSERT INTO data VALUES (1)")
            assert place.rows() == []
            transaction.result = 42
        assert place.rows() == [(1,)]
        return 7

    handle = (on_loop if executor == "loop" else in_thread).enqueue()
    with place.app.worker(concurrency=1):
        assert isinstance(place.told.get(timeout=LIMIT), JobCompleted)
    assert place.told.empty()
    assert (handle.status(), handle.result()) == (State.COMPLETED, 42)


@pytest.mark.parametrize("executor", ["loop", "thread"])
def test_an_error_in_the_block_rolls_back_and_the_job_fails_by_it(place: Place, executor: str) -> None:
    @place.app.job(name="loop")
    async def on_loop() -> None:
        async with current_job().transaction() as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")
            raise KeyError("no such user")

    @place.app.job(name="thread")
    def in_thread() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")
            raise KeyError("no such user")

    handle = (on_loop if executor == "loop" else in_thread).enqueue()
    told = place.work()
    assert isinstance(told, JobRetried)
    assert "no such user" in told.failure.message
    assert (handle.status(), place.rows()) == (State.RETRYABLE, [])


@pytest.mark.parametrize("executor", ["loop", "thread"])
def test_a_claim_that_is_gone_takes_the_writes_with_it_and_stops_the_body(place: Place, executor: str) -> None:
    went_on = []

    @place.app.job(name="loop")
    async def on_loop() -> None:
        place.run("UPDATE oban_jobs SET state = 'cancelled'")
        async with current_job().transaction() as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")
        went_on.append(1)

    @place.app.job(name="thread")
    def in_thread() -> None:
        place.run("UPDATE oban_jobs SET state = 'cancelled'")
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")
        went_on.append(1)

    handle = (on_loop if executor == "loop" else in_thread).enqueue()
    told = place.work()
    assert isinstance(told, ClaimLost)
    assert told.state is State.CANCELLED
    assert (handle.status(), place.rows(), went_on) == (State.CANCELLED, [], [])


def test_what_comes_after_the_block_changes_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    @place.app.job
    async def work() -> None:
        async with current_job().transaction() as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")
        with pytest.raises(ConfigError, match="got another after the first has completed it"):
            async with current_job().transaction():
                raise AssertionError
        raise KeyError("too late")

    handle = work.enqueue()
    assert isinstance(place.work(), JobCompleted)
    assert (handle.status(), place.rows()) == (State.COMPLETED, [(1,)])
    assert "raised after its transaction had completed it: KeyError: 'too late'" in caplog.text


def test_a_job_that_was_cancelled_within_the_block_writes_nothing(place: Place) -> None:
    @place.app.job(timeout=0.2, max_attempts=1)
    async def work() -> None:
        async with current_job().transaction() as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")
            await asyncio.Event().wait()

    handle = work.enqueue()
    assert isinstance(place.work(), JobDiscarded)
    assert (handle.status(), place.rows()) == (State.DISCARDED, [])


def refusal(place: Place) -> str:
    told = place.work()
    assert isinstance(told, JobRetried)
    assert place.rows() == []
    return told.failure.message


def test_a_recorded_job_says_its_result_in_the_block_and_no_other_does(place: Place) -> None:
    @place.app.job(name="recorded", record=True)
    def recorded() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")

    @place.app.job(name="plain")
    def plain() -> None:
        transaction = current_job().transaction()
        with transaction as connection:
            connection.execute("INSERT INTO data VALUES (1)")
            transaction.result = 1

    recorded.enqueue()
    assert "expected the result of its transaction() to be set, got none" in refusal(place)
    plain.enqueue()
    assert "expected the result of its transaction() to be left alone" in refusal(place)


def test_a_block_that_ends_its_transaction_itself_is_told(place: Place) -> None:
    @place.app.job
    def work() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")
            connection.rollback()

    work.enqueue()
    assert "to leave it open, got one that has ended it" in refusal(place)


def test_a_blocking_block_on_a_loop_is_told(place: Place) -> None:
    @place.app.job
    async def work() -> None:
        with current_job().transaction():
            raise AssertionError

    work.enqueue()
    assert "use async with transaction() there" in refusal(place)


def test_what_postgresql_refused_in_the_block_is_not_taken_for_done(postgres_url: str) -> None:
    place = Place(postgres_url)

    @place.app.job
    def work() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")
            with pytest.raises(psycopg.Error):
                connection.execute("SELECT 1 / 0")

    work.enqueue()
    assert "nothing of it can be committed" in refusal(place)
    place.app.close()


@pytest.mark.parametrize("url", ["redis", "sqlite://"])
def test_a_store_without_transactions_says_so(url: str, request: pytest.FixtureRequest) -> None:
    app = Treadle(request.getfixturevalue("redis_url") if url == "redis" else url)
    told: SimpleQueue[JobRetried] = SimpleQueue()
    app.on(JobRetried)(told.put)

    @app.job
    async def work() -> None:
        async with current_job().transaction():
            raise AssertionError

    work.enqueue()
    with app.worker(concurrency=1):
        assert "got a store that shares no transactions" in told.get(timeout=LIMIT).failure.message
    app.close()


DYING = """
import os, pathlib
from treadle import Treadle, current_job
app = Treadle(os.environ["URL"])
@app.job
def work() -> None:
    first = not pathlib.Path("died").exists()
    with current_job().transaction() as connection:
        connection.execute("INSERT INTO data VALUES (1)")
        if first:
            pathlib.Path("died").touch()
            os._exit(9)
"""


def test_a_process_that_dies_before_the_commit_leaves_nothing_and_the_job_runs_again(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    place.app.enqueue("work")
    command = [str(Path(sys.executable).parent / "treadle"), "work", "dying", "--drain"]
    environment = {"URL": place.url, "PATH": "", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "died").exists()
    assert place.rows() == [(1,)]
    assert place.run("SELECT state FROM oban_jobs") == [("completed",)]
