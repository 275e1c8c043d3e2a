"""Connections and cursors of psycopg 3."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal, TypeVar

from treadle.errors import ConfigError
from treadle.stores.borrowed.link import (
    Borrowed,
    Link,
    Values,
    refusal,
    refuse_autocommit,
    refuse_closed,
    refuse_failed,
)

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
        with refusing(self._psycopg, self.key, self._what):
            cursor.execute(sql, values or None)
        self._synchronize()
        return cursor

    def executemany(self, sql: str, rows: Any, /) -> Any:  # noqa: ANN401 - a cursor
        """Run a statement for each of these rows."""
        cursor = self._psycopg.Cursor(self.key, row_factory=self._psycopg.rows.tuple_row)
        cursor.executemany(sql, rows)
        return cursor

    def join(self) -> None:
        """Be in the user's transaction: without autocommit psycopg begins one by itself."""
        self._synchronize()
        check(self._psycopg, self.key, self._what)

    def _synchronize(self) -> None:
        """In a pipeline of the user's, wait for the answers to what was sent."""
        if is_pipeline(self._psycopg, self.key):
            with self.key.pipeline():
                pass


class AsyncPsycopgLender:
    """A connection of a loop."""

    kind: Literal["driver"] = "driver"
    engine = "postgresql"

    def __init__(self, psycopg: ModuleType, connection: Any, what: str) -> None:  # noqa: ANN401 - an AsyncConnection
        self.what = what
        self.key = connection
        self._psycopg = psycopg

    def join(self) -> None:
        """Be in the user's transaction; in a pipeline that is known when its answers have come."""
        if not is_pipeline(self._psycopg, self.key):
            check(self._psycopg, self.key, self.what)

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement; the rows that it gives."""
        piped = is_pipeline(self._psycopg, self.key)
        if piped:
            await self._synchronize()
            check(self._psycopg, self.key, self.what)
        async with self._psycopg.AsyncCursor(self.key, row_factory=self._psycopg.rows.tuple_row) as cursor:
            with refusing(self._psycopg, self.key, self.what):
                await cursor.execute(sql, values or None)
            if piped:
                await self._synchronize()
            rows: Sequence[Sequence[Any]] = await cursor.fetchall() if cursor.description else ()
            return rows

    async def _synchronize(self) -> None:
        async with self.key.pipeline():
            pass


def is_pipeline(psycopg: ModuleType, connection: Any) -> bool:  # noqa: ANN401 - sync or async
    """Whether the answers to its statements come only when they are asked for."""
    return bool(connection.pgconn.pipeline_status != psycopg.pq.PipelineStatus.OFF)


@contextmanager
def refusing(psycopg: ModuleType, connection: Any, what: str) -> Iterator[None]:  # noqa: ANN401 - sync or async
    """Raise ConfigError where this transaction cannot take jobs, or has no bytes for a text of theirs."""
    try:
        yield
    except psycopg.Error as error:
        refused = refusal(error, what)
        if refused is not None:
            raise refused from error
        raise
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"expected the client_encoding of tx= to have every character of its jobs, as UTF8 has, got {what} in "
            f"{connection.info.encoding}, which has not"
        ) from error


def check(psycopg: ModuleType, connection: Any, what: str) -> None:  # noqa: ANN401 - sync or async
    """Raise ConfigError for a connection on which a statement would not be part of a transaction."""
    status, known = connection.info.transaction_status, psycopg.pq.TransactionStatus
    if connection.closed:
        raise refuse_closed(what)
    if status == known.INERROR:
        raise refuse_failed(what)
    if connection.autocommit and status == known.IDLE:
        raise refuse_autocommit(what)
