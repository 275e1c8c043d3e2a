"""Jobs that wait for a commit of the user's: enqueued when it comes, on any store, and never after a rollback."""

import asyncio
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tests.app.test_transactions import DJANGO, Welcome, counted, run
from treadle import Treadle
from treadle.app.handle import Handle
from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.errors import ConfigError, StoreError, StoreUnavailable
from treadle.hooks.middleware import InsertNext

URLS = ["sqlite", "redis"]


@pytest.fixture(params=URLS)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Treadle]:
    url = f"sqlite:///{tmp_path}/jobs.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    app = Treadle(url)
    yield app
    app.close()


@pytest.fixture
def welcome(app: Treadle) -> Welcome:
    @app.job
    def welcome(user_id: int) -> None: ...

    return welcome


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """On a database of the user's own, which is not the store."""
    with Session(create_engine(f"sqlite:///{tmp_path}/data.db", poolclass=NullPool)) as session:
        yield session


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with create_engine(f"sqlite:///{tmp_path}/data.db", poolclass=NullPool).connect() as connection:
        yield connection


def write(session: Session | Connection) -> None:
    connection = session.connection() if isinstance(session, Session) else session
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS data (id)")
    connection.exec_driver_sql("INSERT INTO data VALUES (1)")


@pytest.fixture(params=["session", "connection"])
def scope(request: pytest.FixtureRequest) -> Session | Connection:
    found: Session | Connection = request.getfixturevalue(request.param)
    return found


def test_a_commit_enqueues_and_tells_the_handle_its_id(
    app: Treadle, welcome: Welcome, scope: Session | Connection
) -> None:
    write(scope)
    handle = welcome.options(after_commit=scope).enqueue(1)
    handles = app.enqueue_all([welcome.new(2), welcome.new(3)], after_commit=scope)
    named = app.enqueue("welcome", [4] if "redis" in app.url else {"user_id": 4}, after_commit=scope)
    assert counted(app) == 0
    with pytest.raises(ConfigError, match="not enqueued yet"):
        handle.status()
    scope.commit()
    assert {one.status() for one in (handle, *handles, named)} == {State.AVAILABLE}
    scope.commit()
    assert counted(app) == 4


def test_a_rollback_drops_the_job_also_where_nothing_was_done_yet(
    app: Treadle, welcome: Welcome, scope: Session | Connection
) -> None:
    welcome.options(after_commit=scope).enqueue(1)
    scope.rollback()
    write(scope)
    welcome.options(after_commit=scope).enqueue(2)
    scope.rollback()
    write(scope)
    scope.commit()
    welcome.options(after_commit=scope).enqueue(3)
    scope.close()
    assert counted(app) == 0


def test_a_job_goes_with_its_savepoint(app: Treadle, welcome: Welcome, scope: Session | Connection) -> None:
    later = welcome.options(after_commit=scope)
    write(scope)
    first = later.enqueue(1)
    with scope.begin_nested():
        second = later.enqueue(2)
        with suppress(KeyError), scope.begin_nested():
            later.enqueue(3)
            raise KeyError
        third = later.enqueue(4)
    with suppress(KeyError), scope.begin_nested():
        later.enqueue(5)
        with scope.begin_nested():
            later.enqueue(6)
        raise KeyError
    outer = scope.begin_nested()
    later.enqueue(7)
    scope.begin_nested()
    later.enqueue(8)
    with warnings.catch_warnings():
        # SQLAlchemy's connections dislike that the inner one was left open.
        warnings.simplefilter("ignore", SAWarning)
        outer.rollback()
    assert counted(app) == 0
    scope.commit()
    assert [one.status() for one in (first, second, third)] == [State.AVAILABLE] * 3
    assert counted(app) == 3


def test_a_savepoint_that_began_before_the_first_job_takes_it_with_it(
    app: Treadle, welcome: Welcome, scope: Session | Connection
) -> None:
    write(scope)
    with suppress(KeyError), scope.begin_nested():
        welcome.options(after_commit=scope).enqueue(1)
        raise KeyError
    with scope.begin_nested():
        welcome.options(after_commit=scope).enqueue(2)
    scope.commit()
    assert counted(app) == 1


def test_the_middleware_around_insert_runs_at_the_commit(app: Treadle, welcome: Welcome, session: Session) -> None:
    seen = []

    @app.around_insert
    async def look(jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        seen.append(len(jobs))
        return await call_next(jobs)

    handle = welcome.options(after_commit=session).enqueue(1)
    assert seen == []
    session.commit()
    assert seen == [1]
    assert handle.status() is State.AVAILABLE


def test_enqueueing_at_a_commit_does_not_block_a_loop_and_is_awaited_as_well(
    app: Treadle, welcome: Welcome, session: Session
) -> None:
    async def view() -> list[Handle]:
        later = welcome.options(after_commit=session)
        handles = [later.enqueue(1), await later.aenqueue(2)]
        handles += await app.aenqueue_all([welcome.new(3)], after_commit=session)
        await asyncio.to_thread(session.commit)
        return handles

    assert [handle.status() for handle in asyncio.run(view())] == [State.AVAILABLE] * 3


@pytest.fixture
def dead(app: Treadle) -> None:
    @app.around_insert
    async def refuse(jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        if b"13" in jobs[0].args:
            raise StoreUnavailable("the store is away")
        return await call_next(jobs)


@pytest.mark.usefixtures("dead")
def test_a_failure_after_the_commit_is_logged_and_raised_when_all_others_were_enqueued(
    app: Treadle, welcome: Welcome, scope: Session | Connection, caplog: pytest.LogCaptureFixture
) -> None:
    later = welcome.options(after_commit=scope)
    write(scope)
    first = later.enqueue(13)
    second = later.enqueue(2)
    with caplog.at_level(logging.ERROR, "treadle"), pytest.raises(StoreUnavailable, match="is away"):
        scope.commit()
    assert (
        "1 jobs (welcome) were not enqueued although their transaction is committed: the store is away" in caplog.text
    )
    assert second.status() is State.AVAILABLE
    with pytest.raises(StoreError, match="was not although its transaction is committed: the store is away"):
        first.status()
    scope.rollback()
    count = scope.connection() if isinstance(scope, Session) else scope
    assert count.exec_driver_sql("SELECT count(*) FROM data").scalar() == 1


def test_a_block_that_begins_a_transaction_commits_the_job_with_it(
    app: Treadle, welcome: Welcome, scope: Session | Connection
) -> None:
    with scope.begin():
        write(scope)
        handle = welcome.options(after_commit=scope).enqueue(1)
    assert handle.status() is State.AVAILABLE
    with suppress(KeyError), scope.begin():
        welcome.options(after_commit=scope).enqueue(2)
        raise KeyError
    assert counted(app) == 1


def test_django_enqueues_when_its_outermost_block_is_committed(tmp_path: Path) -> None:
    program = """
from treadle.app.handle import Handle
tell("outside", welcome.options(after_commit=connection).enqueue(1))
tell("awaited", asyncio.run(welcome.options(after_commit="default").aenqueue(2)))
with transaction.atomic():
    first = welcome.options(after_commit="default").enqueue(3)
    undone(lambda: welcome.options(after_commit=connection).enqueue(4))
    with transaction.atomic():
        second = welcome.options(after_commit=connections["default"]).enqueue(5)
    told["before"] = repr(first)
tell("first", first)
tell("second", second)
undone(lambda: welcome.options(after_commit=connection).enqueue(6))
told["count"] = app.blocking("counts", app.store.counts())["default"]["available"]
print(json.dumps(told))
"""
    told = run(DJANGO.replace("sqlite:///jobs.db", "sqlite:///treadle.db") + program, tmp_path)
    assert told.pop("before") == "Handle(not enqueued yet)"
    assert told.pop("count") == 4
    assert set(told.values()) == {"available"}


def test_a_failure_after_the_commit_keeps_no_other_hook_of_django_from_being_called(tmp_path: Path) -> None:
    program = """
import logging
from treadle.errors import StoreUnavailable
lines = []
class Lines(logging.Handler):
    def emit(self, record): lines.append(record.getMessage())
logging.getLogger("treadle").addHandler(Lines())
@app.around_insert
async def refuse(jobs, call_next):
    if b"13" in jobs[0].args:
        raise StoreUnavailable("the store is away")
    return await call_next(jobs)
with transaction.atomic():
    lost = welcome.options(after_commit="default").enqueue(13)
    kept = welcome.options(after_commit="default").enqueue(2)
    transaction.on_commit(lambda: told.update(hook="called"))
tell("kept", kept)
told["lost"] = repr(lost)
told["lines"] = lines
print(json.dumps(told))
"""
    told = run(DJANGO.replace("sqlite:///jobs.db", "sqlite:///treadle.db") + program, tmp_path)
    assert told.pop("lines") == [
        "1 jobs (welcome) were not enqueued although their transaction is committed: the store is away"
    ]
    assert told == {"kept": "available", "lost": "Handle(not enqueued)", "hook": "called"}
