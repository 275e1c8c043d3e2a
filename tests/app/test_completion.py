"""What a job writes and its completion are one: `current_job().transaction()`."""

import asyncio
import os
import signal
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

from tests.postgres_proxy import PostgresProxy
from tests.servers import wait_until
from treadle import Treadle, current_job
from treadle.core.states import State
from treadle.errors import ConfigError
from treadle.hooks.events import ClaimLost, Event, JobCompleted, JobDiscarded, JobRetried

LIMIT = 30.0


class Place:
    """A store, the user's table in the same database, and what the worker tells of its jobs."""

    def __init__(self, url: str, store_url: str | None = None) -> None:
        self.url = url
        self.app = Treadle(store_url or url)
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
    # An audit may have been first to see it.
    assert told.state in {State.CANCELLED, None}
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


def test_a_block_that_ends_its_transaction_and_begins_another_is_told(postgres_url: str) -> None:
    place = Place(postgres_url)

    @place.app.job
    def work() -> None:
        with current_job().transaction() as connection:
            connection.commit()
            connection.execute("INSERT INTO data VALUES (1)")

    work.enqueue()
    assert "to leave it open, got one that has ended it" in refusal(place)
    place.app.close()


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
import os, pathlib, signal
from treadle import Treadle, current_job
app = Treadle(os.environ["URL"])
def die(step):
    if step == os.environ["STEP"] and not pathlib.Path("died").exists():
        pathlib.Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
@app.job
def work() -> None:
    with pathlib.Path("attempts").open("a") as attempts:
        attempts.write(f"{os.getpid()}\\n")
    with current_job().transaction() as connection:
        die("begun")
        connection.execute("INSERT INTO data VALUES (1)")
        die("written")
    die("committed")
"""


def working(place: Place, folder: Path, step: str = "") -> "subprocess.Popen[str]":
    """A node that works until nothing is left; a process of it dies once at this step of the job."""
    (folder / "dying.py").write_text(DYING)
    place.app.enqueue("work")
    command = [str(Path(sys.executable).parent / "treadle"), "work", "dying", "--drain"]
    environment = {"URL": place.url, "STEP": step, "PATH": "", "PYTHONPATH": str(folder)}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def attempts(folder: Path) -> list[int]:
    """The processes in which the job began."""
    return [int(line) for line in (folder / "attempts").read_text().split()]


@pytest.mark.parametrize(("step", "times"), [("begun", 2), ("written", 2), ("committed", 1)])
def test_a_process_that_dies_leaves_all_or_nothing(place: Place, tmp_path: Path, step: str, times: int) -> None:
    node = working(place, tmp_path, step)
    _, told = node.communicate(timeout=LIMIT)
    assert node.returncode == 0, told
    assert (tmp_path / "died").exists()
    assert len(attempts(tmp_path)) == times
    assert place.rows() == [(1,)]
    assert place.run("SELECT state FROM oban_jobs") == [("completed",)]


HELD_COMMIT = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON data DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()
"""


def test_a_commit_that_outlives_its_process_counts(postgres_url: str, tmp_path: Path) -> None:
    place = Place(postgres_url)
    place.run(HELD_COMMIT)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(1)")
        node = working(place, tmp_path)
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: bool(place.run(waiting)), what="the commit waits")
        os.kill(attempts(tmp_path)[0], signal.SIGKILL)
        # Whoever gives the claims of the dead back meets the row that the commit holds.
        blocked = "SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
        wait_until(lambda: bool(place.run(blocked)), what="its claim is asked for")
        other.execute("SELECT pg_advisory_unlock(1)")
        _, told = node.communicate(timeout=LIMIT)
    assert node.returncode == 0, told
    assert len(attempts(tmp_path)) == 1
    assert place.rows() == [(1,)]
    assert place.run("SELECT state, attempt FROM oban_jobs") == [("completed", 1)]
    place.app.close()


def test_a_rescue_while_the_block_is_open_refuses_its_commit(postgres_url: str) -> None:
    place = Place(postgres_url)
    went_on = []

    @place.app.job
    async def work() -> None:
        async with current_job().transaction() as connection:
            await connection.execute("INSERT INTO data VALUES (1)")
            # What a rescue leaves, and whoever claims the job then.
            place.run("UPDATE oban_jobs SET attempted_by[1] = 'other', attempted_by[3] = 'abcdefabcdef'")
        went_on.append(1)

    handle = work.enqueue()
    assert isinstance(place.work(), ClaimLost)
    assert (handle.status(), place.rows(), went_on) == (State.EXECUTING, [], [])
    place.app.close()


# A commit of which nobody hears


@pytest.fixture
def far(postgres_url: str, postgres_proxy: PostgresProxy) -> Iterator[Place]:
    """The worker is behind the proxy, what looks at its tables is not."""
    place = Place(postgres_url, store_url=postgres_proxy.url)
    yield place
    place.app.close()


@pytest.mark.parametrize("executor", ["loop", "thread"])
@pytest.mark.parametrize("reached", [True, False], ids=["its reply is lost", "it is lost itself"])
def test_a_lost_commit_counts_if_it_came_through(
    far: Place, postgres_proxy: PostgresProxy, executor: str, *, reached: bool
) -> None:
    cut = postgres_proxy.cut_reply if reached else postgres_proxy.cut_request
    went_on = []

    @far.app.job(name="loop")
    async def on_loop() -> None:
        async with current_job().transaction() as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")
            cut(matching=b"COMMIT")
        went_on.append(1)

    @far.app.job(name="thread")
    def in_thread() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")
            cut(matching=b"COMMIT")
        went_on.append(1)

    handle = (on_loop if executor == "loop" else in_thread).enqueue()
    told = far.work()
    assert postgres_proxy.cuts == 1
    assert far.told.empty()
    if reached:
        assert isinstance(told, JobCompleted)
        assert (handle.status(), far.rows(), went_on) == (State.COMPLETED, [(1,)], [1])
    else:
        assert isinstance(told, JobRetried)
        assert "the block of transaction() was not committed" in told.failure.message
        assert (handle.status(), far.rows(), went_on) == (State.RETRYABLE, [], [])


@pytest.mark.parametrize("executor", ["loop", "thread"])
def test_a_commit_is_asked_for_until_the_store_is_back_whatever_else_stops_the_job(
    far: Place, postgres_url: str, postgres_proxy: PostgresProxy, executor: str
) -> None:
    """Its time-out passes while the commit is in doubt."""
    far.run(HELD_COMMIT)

    @far.app.job(name="loop", timeout=0.5)
    async def on_loop() -> None:
        async with current_job().transaction() as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")

    @far.app.job(name="thread", timeout=0.5)
    def in_thread() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")

    handle = (on_loop if executor == "loop" else in_thread).enqueue()
    with psycopg.connect(postgres_url, autocommit=True) as other, far.app.worker(concurrency=1):
        other.execute("SELECT pg_advisory_lock(1)")
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: bool(far.run(waiting)), what="the commit waits")
        postgres_proxy.stall()
        postgres_proxy.cut_now()
        other.execute("SELECT pg_advisory_unlock(1)")
        wait_until(lambda: far.rows() == [(1,)], what="it is committed")
        postgres_proxy.forward()
        assert isinstance(far.told.get(timeout=LIMIT), JobCompleted)
    assert far.told.empty()
    assert handle.status() is State.COMPLETED


@pytest.mark.chaos
@pytest.mark.parametrize("executor", ["loop", "thread"])
def test_a_server_that_falls_silent_at_the_commit_is_not_waited_for_for_ever(
    far: Place, postgres_url: str, postgres_proxy: PostgresProxy, executor: str
) -> None:
    far.run(HELD_COMMIT)

    @far.app.job(name="loop")
    async def on_loop() -> None:
        async with current_job().transaction() as connection:
            await execute(connection, "INSERT INTO data VALUES (1)")

    @far.app.job(name="thread")
    def in_thread() -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (1)")

    handle = (on_loop if executor == "loop" else in_thread).enqueue()
    with psycopg.connect(postgres_url, autocommit=True) as other, far.app.worker(concurrency=1):
        other.execute("SELECT pg_advisory_lock(1)")
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: bool(far.run(waiting)), what="the commit waits")
        postgres_proxy.black_hole()
        other.execute("SELECT pg_advisory_unlock(1)")
        wait_until(lambda: far.rows() == [(1,)], what="it is committed")
        postgres_proxy.forward()
        assert isinstance(far.told.get(timeout=LIMIT), JobCompleted)
    assert far.told.empty()
    assert handle.status() is State.COMPLETED


@pytest.mark.chaos
def test_however_many_commits_are_cut_each_job_writes_and_completes_once(
    far: Place, postgres_proxy: PostgresProxy
) -> None:
    number = 400

    def cut(index: int) -> None:
        # The last job of all would cut each of its own commits.
        if index % 3 < 2 and current_job().attempt <= 3:
            (postgres_proxy.cut_reply if index % 3 else postgres_proxy.cut_request)(matching=b"COMMIT")

    @far.app.job(max_attempts=99)
    async def on_loop(index: int) -> None:
        async with current_job().transaction() as connection:
            await connection.execute("INSERT INTO data VALUES (%s)", (index,))
            cut(index)

    @far.app.job(max_attempts=99)
    def in_thread(index: int) -> None:
        with current_job().transaction() as connection:
            connection.execute("INSERT INTO data VALUES (%s)", (index,))
            cut(index)

    def all_ended() -> bool:
        far.run("UPDATE oban_jobs SET scheduled_at = timezone('UTC', now()) WHERE state = 'retryable'")
        return far.run("SELECT count(*) FROM oban_jobs WHERE state <> 'completed'") == [(0,)]

    far.app.enqueue_all([(on_loop if index % 2 else in_thread).new(index) for index in range(number)])
    with far.app.worker(concurrency=8):
        wait_until(all_ended, 100.0, "all jobs are completed")
    told = [far.told.get() for _ in range(far.told.qsize())]
    completed = [event.job.id for event in told if isinstance(event, JobCompleted)]
    assert sorted(far.rows()) == [(index,) for index in range(number)]
    assert len(completed) == len(set(completed)) == number
    assert postgres_proxy.cuts > number / 4
