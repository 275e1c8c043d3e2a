"""Django's connections, as `django.db.connection` or by `connections["alias"]`."""

import sys
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from treadle.stores.borrowed.link import Borrowed, Link, Values, refusal, refuse_autocommit, refuse_failed
from treadle.stores.borrowed.sqlite import SqliteLink

T = TypeVar("T")


def borrow(given: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
    """What it lends, if it is one of these."""
    wrapper = wrapper_of(given)
    return None if wrapper is None else DjangoLender(wrapper)


def in_atomic_block() -> Any:  # noqa: ANN401 - Django's wrapper of a connection
    """The default connection, where this thread is in an atomic block of it."""
    wrapper = wrapper_called("default")
    return wrapper if wrapper is not None and wrapper.in_atomic_block else None


def wrapper_called(alias: str) -> Any:  # noqa: ANN401 - Django's wrapper of a connection
    """The wrapper of this thread's connection of that alias; None for one that Django's settings do not have."""
    database = sys.modules.get("django.db")
    if database is None:
        return None
    try:
        if alias in database.connections:
            return database.connections[alias]
    except sys.modules["django.core.exceptions"].ImproperlyConfigured:
        # A program may import Django, or have it imported, and use none of it.
        pass
    return None


def wrapper_of(given: Any) -> Any:  # noqa: ANN401 - Django's wrapper of a connection
    """The wrapper of this thread's connection; None for anything else."""
    proxies, wrappers = sys.modules.get("django.utils.connection"), sys.modules.get("django.db.backends.base.base")
    if proxies is not None and isinstance(given, proxies.ConnectionProxy):
        return sys.modules["django.db"].connections[given.alias]
    return given if wrappers is not None and isinstance(given, wrappers.BaseDatabaseWrapper) else None


class DjangoLender:
    """One connection of Django's."""

    kind: Literal["blocking"] = "blocking"
    what = "a Django connection"

    def __init__(self, wrapper: Any) -> None:  # noqa: ANN401 - Django's wrapper of a connection
        self._wrapper = wrapper

    def lend(self, step: Callable[[Link], T]) -> T:
        """Run this step on it; what goes wrong is raised in Django's own errors."""
        self._wrapper.ensure_connection()
        if self._wrapper.needs_rollback:
            raise refuse_failed(self.what)
        if self._wrapper.get_autocommit() and not self._wrapper.in_atomic_block:
            raise refuse_autocommit(self.what)
        if self._wrapper.vendor != "sqlite":
            return self._lend(step)
        with self._wrapper.wrap_database_errors:
            return step(SqliteLink(self._wrapper.connection, self.what))

    def _lend(self, step: Callable[[Link], T]) -> T:
        try:
            return step(DjangoLink(self._wrapper))
        except Exception as error:
            refused = refusal(error, self.what)
            if refused is not None:
                raise refused from error
            raise


class DjangoLink:
    """Runs statements on Django's cursors, whichever driver they stand for."""

    def __init__(self, wrapper: Any) -> None:  # noqa: ANN401 - Django's wrapper of a connection
        self.engine: str = wrapper.vendor
        self.key = wrapper.connection
        self._wrapper = wrapper

    def execute(self, sql: str, values: Values = (), /) -> Any:  # noqa: ANN401 - a cursor
        """Run a statement; its cursor."""
        cursor = self._wrapper.cursor()
        cursor.execute(sql, values or None)
        return cursor

    def executemany(self, sql: str, rows: Any, /) -> Any:  # noqa: ANN401 - as a driver takes and gives
        """Run a statement for each of these rows."""
        cursor = self._wrapper.cursor()
        cursor.executemany(sql, rows)
        return cursor

    def join(self) -> None:
        """Be in the user's transaction: whoever lends it has seen to that."""
