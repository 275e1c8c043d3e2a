"""Connections and sessions of SQLAlchemy, on whatever driver they are: statements go through SQLAlchemy itself.

So a transaction that it begins lazily begins, and what it logs, traces and translates it does.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

from treadle.stores.borrowed.link import (
    Borrowed,
    Link,
    Values,
    named,
    refusal,
    refuse_autocommit,
    refuse_closed,
)
from treadle.stores.borrowed.placeholders import positional
from treadle.stores.borrowed.sqlite import begin

T = TypeVar("T")


def borrow(given: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
    """What it lends, if it is one of these."""
    given = plain(given)
    what = named(type(given).__name__)
    if is_one_of(given, "sqlalchemy.ext.asyncio", ("AsyncSession", "AsyncConnection")):
        return AsyncSqlalchemyLender(given, what)
    if is_one_of(given, "sqlalchemy.orm", ("Session",)) or is_one_of(given, "sqlalchemy.engine", ("Connection",)):
        return SqlalchemyLender(given, what)
    return None


def plain(given: Any) -> Any:  # noqa: ANN401 - whatever the user gave
    """The session of a registry of them, such as Flask-SQLAlchemy's `db.session`; anything else as it is."""
    scoped = is_one_of(given, "sqlalchemy.orm", ("scoped_session",))
    if scoped or is_one_of(given, "sqlalchemy.ext.asyncio", ("async_scoped_session",)):
        return given()
    return given


def sync_twin(given: Any) -> Any:  # noqa: ANN401 - whatever the user gave
    """The session or connection that an asynchronous one stands before; anything else as it is."""
    if is_one_of(given, "sqlalchemy.ext.asyncio", ("AsyncSession",)):
        return given.sync_session
    return given.sync_connection if is_one_of(given, "sqlalchemy.ext.asyncio", ("AsyncConnection",)) else given


def is_one_of(given: object, module: str, names: Iterable[str]) -> bool:
    """Whether this is an instance of one of these classes; what was never imported has none."""
    known = sys.modules.get(module)
    return known is not None and isinstance(given, tuple(getattr(known, name) for name in names))


class SqlalchemyLender:
    """A Session or a Connection."""

    kind: Literal["blocking"] = "blocking"

    def __init__(self, given: Any, what: str) -> None:  # noqa: ANN401 - one of these
        self.what = what
        self._given = given

    def lend(self, step: Callable[[Link], T]) -> T:
        """Run this step on it."""
        return _run(self._given, step, self.what)


class AsyncSqlalchemyLender:
    """An AsyncSession or an AsyncConnection."""

    kind: Literal["loop"] = "loop"

    def __init__(self, given: Any, what: str) -> None:  # noqa: ANN401 - one of these
        self.what = what
        self._given = given

    async def lend(self, step: Callable[[Link], T]) -> T:
        """Run this step on it."""
        if getattr(self._given, "closed", False):
            raise refuse_closed(self.what)
        value: T = await self._given.run_sync(_run, step, self.what)
        return value


class SqlalchemyLink:
    """A Connection. Its engine's driver says which placeholders are sent."""

    def __init__(self, connection: Any, what: str) -> None:  # noqa: ANN401 - a Connection
        self.engine: str = connection.dialect.name
        self._connection = connection
        self._what = what
        self.key = connection.connection.driver_connection if self.engine == "postgresql" else None

    def execute(self, sql: str, values: Values = (), /) -> Any:  # noqa: ANN401 - a cursor's equal
        """Run a statement; its result."""
        if not values:
            return self._connection.exec_driver_sql(sql)
        if self._connection.dialect.paramstyle == "numeric_dollar" and isinstance(values, dict):
            sql, values = positional(sql, values)
        return self._connection.exec_driver_sql(sql, values)

    def executemany(self, sql: str, rows: Any, /) -> Any:  # noqa: ANN401 - as a driver takes and gives
        """Run a statement for each of these rows."""
        return self._connection.exec_driver_sql(sql, list(rows))

    def join(self) -> None:
        """Be in the user's transaction; SQLAlchemy begins one where there is none."""
        driver = self._connection.connection.driver_connection
        if self.engine == "sqlite":
            begin(driver, self, self._what)
        elif getattr(self._connection.connection.dbapi_connection, "autocommit", False):
            raise refuse_autocommit(self._what)


def _run(given: Any, step: Callable[[Link], T], what: str) -> T:  # noqa: ANN401 - a Session or a Connection
    if getattr(given, "closed", False):
        raise refuse_closed(what)
    connection = given.connection() if is_one_of(given, "sqlalchemy.orm", ("Session",)) else given
    try:
        return step(SqlalchemyLink(connection, what))
    except Exception as error:
        refused = refusal(error, what)
        if refused is not None:
            raise refused from error
        raise
