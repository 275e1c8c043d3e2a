"""Jobs in a user's own transaction: they stand or fall with it, and leave his connection as it was."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from treadle import Treadle
from treadle.app.function import JobFunction
from treadle.app.handle import Handle
from treadle.core.job import Inserted, NewJob
from treadle.core.states import State
from treadle.errors import ConfigError
from treadle.hooks.middleware import InsertNext

Welcome = JobFunction[[int], None, Handle]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"{tmp_path}/jobs.db"


@pytest.fixture
def app(path: str) -> Iterator[Treadle]:
    app = Treadle(f"sqlite:///{path}")
    yield app
    app.close()


@pytest.fixture
def welcome(app: Treadle) -> Welcome:
    @app.job
    def welcome(user_id: int) -> None: ...

    return welcome


@pytest.fixture
def db(path: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def counted(app: Treadle) -> int:
    return sum(sum(states.values()) for states in app.blocking("counts", app.store.counts()).values())


def test_the_first_job_of_a_file_is_enqueued_in_a_transaction_that_has_it_locked(
    app: Treadle, welcome: Welcome, db: sqlite3.Connection
) -> None:
    db.execute("CREATE TABLE users (id)")
    db.execute("INSERT INTO users VALUES (1)")
    handle = welcome.options(tx=db).enqueue(1)
    db.commit()
    assert handle.status() is State.AVAILABLE


def test_without_an_open_transaction_a_job_begins_one_as_an_insert_of_the_users_would(
    app: Treadle, welcome: Welcome, db: sqlite3.Connection
) -> None:
    welcome.enqueue(0)
    handles = app.enqueue_all([welcome.new(1), welcome.new(2)], tx=db)
    assert db.in_transaction
    db.rollback()
    assert [handle.status() for handle in handles] == [None, None]
    handle = app.enqueue("welcome", {"user_id": 3}, tx=db)
    db.commit()
    assert handle.status() is State.AVAILABLE


def test_a_cursor_stands_for_its_connection(app: Treadle, welcome: Welcome, db: sqlite3.Connection) -> None:
    handle = welcome.options(tx=db.cursor()).enqueue(1)
    assert db.in_transaction
    db.commit()
    assert handle.status() is State.AVAILABLE


def test_a_connection_that_is_refused_is_left_in_no_transaction(welcome: Welcome, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        with pytest.raises(ConfigError, match="expected tx= to be a connection to the store"):
            welcome.options(tx=other).enqueue(1)
        assert not other.in_transaction


def test_a_transaction_that_was_begun_by_hand_is_joined(
    app: Treadle, welcome: Welcome, path: str, db: sqlite3.Connection
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as autocommit:
        autocommit.execute("BEGIN")
        welcome.options(tx=autocommit).enqueue(1)
        assert autocommit.in_transaction
        autocommit.execute("ROLLBACK")
    assert counted(app) == 0


def test_the_users_factories_are_left_alone(app: Treadle, welcome: Welcome, db: sqlite3.Connection) -> None:
    def as_dict(cursor: sqlite3.Cursor, row: Sequence[object]) -> dict[str, object]:
        return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}

    db.row_factory, db.text_factory = as_dict, bytes
    handle = welcome.options(tx=db).enqueue(1)
    assert (db.row_factory, db.text_factory) == (as_dict, bytes)
    db.commit()
    assert handle.status() is State.AVAILABLE


def test_a_coroutine_may_use_the_blocking_call_with_a_connection_of_its_own(
    app: Treadle, welcome: Welcome, db: sqlite3.Connection
) -> None:
    async def view() -> Handle:
        handle = welcome.options(tx=db).enqueue(1)
        db.commit()
        return handle

    assert asyncio.run(view()).status() is State.AVAILABLE


@pytest.mark.parametrize("in_loop", [False, True])
def test_middleware_runs_around_an_insert_on_the_thread_that_owns_the_connection(
    app: Treadle, welcome: Welcome, db: sqlite3.Connection, *, in_loop: bool
) -> None:
    threads = []

    @app.around_insert
    async def doubled(jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        threads.append(threading.current_thread())
        return (await call_next([*jobs, *jobs]))[: len(jobs)]

    async def enqueue() -> Handle:
        return welcome.options(tx=db).enqueue(1)

    handle = asyncio.run(enqueue()) if in_loop else welcome.options(tx=db).enqueue(1)
    db.commit()
    assert handle.status() is State.AVAILABLE
    assert counted(app) == 2
    assert threading.current_thread() not in threads


def test_what_the_middleware_raises_comes_out_and_the_transaction_goes_on(
    app: Treadle, welcome: Welcome, db: sqlite3.Connection
) -> None:
    welcome.options(tx=db).enqueue(1)

    @app.around_insert
    async def refuse(jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        await call_next(jobs)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        welcome.options(tx=db).enqueue(2)
    db.commit()
    assert counted(app) == 2


def test_a_testing_app_takes_a_job_of_a_transaction_at_once(
    app: Treadle, welcome: Welcome, db: sqlite3.Connection
) -> None:
    with app.testing() as jobs:
        welcome.options(tx=db).enqueue(42)
        assert jobs.enqueued(welcome, user_id=42)
    assert not db.in_transaction


# SQLAlchemy on SQLite


def begin_by_hand(session: Session) -> None:
    """SQLAlchemy's own recipe for transactions of SQLite that also hold SELECT and DDL."""
    event.listen(session.get_bind(), "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    event.listen(session.get_bind(), "begin", lambda connection: connection.exec_driver_sql("BEGIN"))


@pytest.mark.parametrize("recipe", [False, True])
def test_a_session_takes_jobs_with_it(app: Treadle, welcome: Welcome, path: str, *, recipe: bool) -> None:
    with Session(create_engine(f"sqlite:///{path}", poolclass=NullPool)) as session:
        if recipe:
            begin_by_hand(session)
        kept = welcome.options(tx=session).enqueue(1)
        session.commit()
        dropped = welcome.options(tx=session).enqueue(2)
        session.rollback()
        with session.begin_nested() as savepoint:
            unmade = welcome.options(tx=session).enqueue(3)
            savepoint.rollback()
        session.commit()
    assert [handle.status() for handle in (kept, dropped, unmade)] == [State.AVAILABLE, None, None]


def test_a_connection_and_a_registry_of_sessions_take_jobs_with_them(app: Treadle, welcome: Welcome, path: str) -> None:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        first = welcome.options(tx=connection).enqueue(1)
    sessions = scoped_session(sessionmaker(engine))
    second = welcome.options(tx=sessions).enqueue(2)
    sessions.commit()
    sessions.remove()
    assert [first.status(), second.status()] == [State.AVAILABLE] * 2


def test_a_connection_of_sqlalchemy_that_commits_by_itself_or_is_closed_is_refused(welcome: Welcome, path: str) -> None:
    engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection, pytest.raises(ConfigError, match="commits every statement by itself"):
        welcome.options(tx=connection).enqueue(1)
    with pytest.raises(ConfigError, match="got a Connection that is closed"):
        welcome.options(tx=connection).enqueue(1)


# Django, whose settings are one process's


def run(program: str, folder: Path) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


DJANGO = """
import asyncio, json
import django
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "jobs.db"}})
django.setup()
from django.db import connection, connections, transaction
from treadle import Treadle
from treadle.errors import ConfigError
app = Treadle("sqlite:///jobs.db")
@app.job
def welcome(user_id: int) -> None: ...
def undone(block):
    try:
        with transaction.atomic():
            handle = block()
            raise KeyError
    except KeyError:
        return handle
told = {}
def tell(name, handle):
    told[name] = str(handle.status())
def refusal(name, **options):
    try:
        welcome.options(**options).enqueue(1)
    except ConfigError as error:
        told[name] = str(error)
"""


def test_djangos_connection_takes_jobs_with_its_atomic_block(tmp_path: Path) -> None:
    program = """
with transaction.atomic():
    kept = welcome.options(tx=connection).enqueue(1)
tell("kept", kept)
tell("undone", undone(lambda: welcome.options(tx=connections["default"]).enqueue(2)))
with transaction.atomic():
    outer = welcome.options(tx=connection).enqueue(3)
    inner = undone(lambda: welcome.options(tx=connection).enqueue(4))
tell("outer", outer)
tell("inner", inner)
refusal("outside", tx=connection)
try:
    with transaction.atomic():
        transaction.set_rollback(True)
        refusal("broken", tx=connection)
finally:
    print(json.dumps(told))
"""
    told = run(DJANGO + program, tmp_path)
    assert "commits every statement by itself" in str(told.pop("outside"))
    assert "in whose transaction a statement has failed" in str(told.pop("broken"))
    assert told == {"kept": "available", "undone": "None", "outer": "available", "inner": "None"}


def test_auto_joins_the_atomic_block_of_djangos_default_connection_where_there_is_one(tmp_path: Path) -> None:
    program = """
tell("outside", welcome.options(tx="auto").enqueue(1))
tell("awaited", asyncio.run(welcome.options(tx="auto").aenqueue(2)))
with transaction.atomic():
    inside = app.enqueue_all([welcome.new(3)], tx="auto")[0]
tell("inside", inside)
tell("undone", undone(lambda: app.enqueue("welcome", {"user_id": 4}, tx="auto")))
print(json.dumps(told))
"""
    told = run(DJANGO + program, tmp_path)
    assert told == {"outside": "available", "awaited": "available", "inside": "available", "undone": "None"}


def test_no_library_is_loaded_to_tell_what_was_lent(tmp_path: Path) -> None:
    program = """
import json, sqlite3, sys, treadle
app = treadle.Treadle("sqlite:///jobs.db")
app.enqueue("work", tx="auto")
with sqlite3.connect("jobs.db") as db:
    app.enqueue("work", tx=db)
print(json.dumps({name: name in sys.modules for name in ("sqlalchemy", "django", "psycopg", "asyncpg")}))
"""
    told = run(program, tmp_path)
    assert not any(told.values())
