"""Inserts on SQLite in a user's own transaction: all or none of the jobs of a call, whatever becomes of the others."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from os import fsdecode
from pathlib import Path
from typing import TypeVar

from treadle.core.job import Inserted, NewJob
from treadle.errors import ConfigError
from treadle.stores.borrowed.link import Borrowed, Link, refuse_engine
from treadle.stores.sqlite_database import Database, make_lacking_tables
from treadle.stores.sqlite_unique import insert

T = TypeVar("T")


def insert_lent(database: Database, jobs: Sequence[NewJob], now: float) -> Callable[[Link], list[Inserted]]:
    """The step that inserts these jobs. What the driver says of the user's own transaction comes through as it is."""

    def step(link: Link) -> list[Inserted]:
        if link.engine != "sqlite":
            raise refuse_engine("SQLite", link.engine)
        # First: what is refused is not to hold the lock of a file.
        _check_file(database, link)
        link.join()
        return _whole(link, lambda: _insert(link, jobs, now))

    return step


def on_blocking(borrowed: Borrowed, step: Callable[[Link], T]) -> T:
    """Run a step on what blocking code lends. Raises ConfigError for what a loop lends."""
    if borrowed.kind == "blocking":
        return borrowed.lend(step)
    raise refuse_engine("SQLite", borrowed.what)


async def on_loop(borrowed: Borrowed, step: Callable[[Link], T]) -> T:
    """Run a step on what a loop lends. Raises ConfigError for what blocking code lends."""
    if borrowed.kind == "loop":
        return await borrowed.lend(step)
    raise refuse_engine("SQLite", borrowed.what)


def _check_file(database: Database, link: Link) -> None:
    files = {row[1]: row[2] for row in link.execute("PRAGMA database_list").fetchall()}
    path = next((fsdecode(file) for name, file in files.items() if name in {"main", b"main"}), "")
    try:
        same = bool(path) and Path(path).samefile(database.path)
    except FileNotFoundError:
        same = False
    if not same:
        raise ConfigError(
            f"expected tx= to be a connection to the store {database.path}, got one to {path or 'a database in memory'}"
        )


def _insert(link: Link, jobs: Sequence[NewJob], now: float) -> list[Inserted]:
    # Not by the store's own connection: the user's transaction may hold the lock that it would wait for.
    make_lacking_tables(link)
    return insert(link, jobs, now)


def _whole(link: Link, step: Callable[[], T]) -> T:
    """Leave nothing of a step that fails, so that the user may go on with his transaction."""
    link.execute("SAVEPOINT treadle")
    try:
        done = step()
    except BaseException:
        # Some errors end the whole transaction, and the savepoint with it; they are raised all the same.
        with suppress(Exception):
            link.execute("ROLLBACK TO treadle")
            link.execute("RELEASE treadle")
        raise
    link.execute("RELEASE treadle")
    return done
