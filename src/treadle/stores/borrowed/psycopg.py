"""Connections and cursors of psycopg 3."""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal, TypeVar

from treadle.stores.borrowed.link import Borrowed, Link, Values, refuse_autocommit, refuse_closed, refuse_failed

T = TypeVar("T")


def borrow(psycopg: ModuleType, given: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
    """What it lends, if it is one of these; of a cursor, its connection."""
    what = f"a psycopg.{type(given).__name__}"
    if isinstance(given, psycopg.Cursor | psycopg.AsyncCursor):
        given = given.connection
    if isinstance(given, psycopg.Connection):
        return PsycopgLender(psycopg, given, what)
    if isinstance(given, psycopg.AsyncConnection):
        return AsyncPsycopgLender(psycopg, given, what)
    return None


class PsycopgLender:
    """A connection of blocking code."""

    kind: Literal["blocking"] = "blocking"

    def __init__(self, psycopg: ModuleType, connection: Any, what: str) -> None:  # noqa: ANN401 - a psycopg.Connection
        self.what = what
        self._link = PsycopgLink(psycopg, connection, what)

    def lend(self, step: Callable[[Link], T]) -> T:
        """Run this step on it."""
        return step(self._link)


class PsycopgLink:
    """Runs statements on a cursor of its own, of psycopg's plain kind."""

    engine = "postgresql"

    def __init__(self, psycopg: ModuleType, connection: Any, what: str) -> None:  # noqa: ANN401 - a psycopg.Connection
        self.key = connection
        self._psycopg = psycopg
        self._what = what

    def execute(self, sql: str, values: Values = (), /) -> Any:  # noqa: ANN401 - a cursor
        """Run a statement; its cursor."""
        cursor = self._psycopg.Cursor(self.key, row_factory=self._psycopg.rows.tuple_row)
        return cursor.execute(sql, values or None)

    def executemany(self, sql: str, rows: Any, /) -> Any:  # noqa: ANN401 - a cursor
        """Run a statement for each of these rows."""
        cursor = self._psycopg.Cursor(self.key, row_factory=self._psycopg.rows.tuple_row)
        cursor.executemany(sql, rows)
        return cursor

    def join(self) -> None:
        """Be in the user's transaction: without autocommit psycopg begins one by itself."""
        check(self._psycopg, self.key, self._what)


class AsyncPsycopgLender:
    """A connection of a loop."""

    kind: Literal["driver"] = "driver"
    engine = "postgresql"

    def __init__(self, psycopg: ModuleType, connection: Any, what: str) -> None:  # noqa: ANN401 - an AsyncConnection
        self.what = what
        self.key = connection
        self._psycopg = psycopg

    def join(self) -> None:
        """Be in the user's transaction."""
        check(self._psycopg, self.key, self.what)

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement; the rows that it gives."""
        async with self._psycopg.AsyncCursor(self.key, row_factory=self._psycopg.rows.tuple_row) as cursor:
            await cursor.execute(sql, values or None)
            rows: Sequence[Sequence[Any]] = await cursor.fetchall() if cursor.description else ()
            return rows


def check(psycopg: ModuleType, connection: Any, what: str) -> None:  # noqa: ANN401 - sync or async
    """Raise ConfigError for a connection on which a statement would not be part of a transaction."""
    status, known = connection.info.transaction_status, psycopg.pq.TransactionStatus
    if connection.closed:
        raise refuse_closed(what)
    if status == known.INERROR:
        raise refuse_failed(what)
    if connection.autocommit and status == known.IDLE:
        raise refuse_autocommit(what)
