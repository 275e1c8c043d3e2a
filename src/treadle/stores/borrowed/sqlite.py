"""Connections and cursors of `sqlite3`, which is not imported here: a program that lends none need not have it."""

import sys
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from treadle.stores.borrowed.link import Borrowed, Link, Values, refuse_autocommit, refuse_closed

T = TypeVar("T")


def borrow(given: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
    """What it lends, if it is one of these; of a cursor, its connection."""
    driver = sys.modules.get("sqlite3")
    if driver is None:
        return None
    if isinstance(given, driver.Cursor):
        given = given.connection
    return SqliteLender(given) if isinstance(given, driver.Connection) else None


class SqliteLender:
    """A user's connection; it is used on the calling thread."""

    kind: Literal["blocking"] = "blocking"
    what = "a sqlite3.Connection"

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a sqlite3.Connection
        self._connection = connection

    def lend(self, step: Callable[[Link], T]) -> T:
        """Run this step on it."""
        return step(SqliteLink(self._connection, self.what))


class SqliteLink:
    """Its transactions are the driver's: what an INSERT of the user's would begin, a job begins."""

    engine: str = "sqlite"
    key: object = None

    def __init__(self, connection: Any, what: str) -> None:  # noqa: ANN401 - a sqlite3.Connection
        self._connection = connection
        self._what = what

    def execute(self, sql: str, values: Values = (), /) -> Any:  # noqa: ANN401 - a cursor
        """Run a statement; its cursor."""
        return self._cursor().execute(sql, values)

    def executemany(self, sql: str, rows: Any, /) -> Any:  # noqa: ANN401 - as the driver takes and gives
        """Run a statement for each of these rows."""
        return self._cursor().executemany(sql, rows)

    def join(self) -> None:
        """Be in the user's transaction."""
        begin(self._connection, self, self._what)

    def _cursor(self) -> Any:  # noqa: ANN401 - a cursor
        try:
            cursor = self._connection.cursor()
        except sys.modules["sqlite3"].ProgrammingError as error:
            if "closed" in str(error):
                raise refuse_closed(self._what) from error
            raise
        cursor.row_factory = None
        return cursor


def begin(driver: Any, link: Link, what: str) -> None:  # noqa: ANN401 - or aiosqlite's, which tells the same
    """Begin what the driver would begin at the INSERT that follows. Raises ConfigError where it would begin nothing."""
    link.execute("SELECT 1").fetchall()
    if driver.in_transaction:
        return
    if driver.isolation_level is None or getattr(driver, "autocommit", -1) is True:
        raise refuse_autocommit(what)
    link.execute("BEGIN IMMEDIATE")
