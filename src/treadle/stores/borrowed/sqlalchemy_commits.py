"""The commits of SQLAlchemy's sessions and connections, told by its events.

A session tells of a commit after it, a connection before it. So at a connection's commit the statement COMMIT is sent
first, by the connection itself, with its own errors where it fails; what SQLAlchemy then sends finds nothing to commit.
"""

import sys
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from treadle.errors import ConfigError
from treadle.stores.borrowed.link import has_failed

_KEY = "treadle_after_commit"


class Act(Protocol):
    """What is to be done."""

    def now(self) -> None:
        """Do it, blocking."""
        ...

    def later(self) -> Coroutine[Any, Any, None]:
        """Do it from the loop."""
        ...


def on_session(session: Any, act: Act) -> None:  # noqa: ANN401 - a Session
    """Do it when the outermost transaction of this session is committed."""
    waiting = session.info.get(_KEY)
    # What stands in `info` may be that of the session that it was copied from.
    if waiting is None or waiting.session is not session:
        waiting = session.info[_KEY] = _OfSession(session)
    waiting.add(act)


def on_connection(connection: Any, act: Act) -> None:  # noqa: ANN401 - a Connection
    """Do it when the outermost transaction of this connection is committed. Raises ConfigError for two phases."""
    waiting = connection.get_execution_options().get(_KEY)
    if waiting is None or waiting.connection is not connection:
        waiting = _OfConnection(connection)
        connection.execution_options(**{_KEY: waiting})
    waiting.add(act)


class _OfSession:
    """What waits, by the transaction or savepoint in which it was asked for."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - a Session
        self.session = session
        self._waiting: dict[Any, list[Act]] = {}
        self._due: list[Act] = []
        listen = sys.modules["sqlalchemy"].event.listen
        listen(session, "before_commit", self._before)
        listen(session, "after_commit", self._committed)
        listen(session, "after_transaction_end", self._ended)

    def add(self, act: Act) -> None:
        # As any use of the session does: without a transaction, a rollback would tell nothing.
        transaction = self.session.get_nested_transaction() or self.session.get_transaction() or self.session.begin()
        self._waiting.setdefault(transaction, []).append(act)

    def _before(self, session: Any) -> None:  # noqa: ANN401 - a Session
        if not self._waiting or session.in_nested_transaction():
            return
        try:
            connection = session.connection()
        except sys.modules["sqlalchemy"].exc.UnboundExecutionError:
            # It has several engines, and none for everything.
            return
        if _is_lost(connection):
            self._waiting.clear()

    def _committed(self, session: Any) -> None:  # noqa: ANN401 - a Session
        savepoint = session.get_nested_transaction()
        done = self._waiting.pop(savepoint or session.get_transaction(), [])
        if savepoint is None:
            self._due += done
        else:
            self._waiting.setdefault(savepoint.parent, []).extend(done)

    def _ended(self, _session: Any, transaction: Any) -> None:  # noqa: ANN401 - a Session and its transaction
        self._waiting.pop(transaction, None)
        # Not at the commit itself: an error there would leave the session between two states.
        if transaction.parent is None and self._due:
            due, self._due = self._due, []
            _do(due)


class _OfConnection:
    """What waits, by the savepoint in which it was asked for; those from before it was first asked have no name."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a Connection
        self.connection = connection
        self._frames: list[tuple[str | None, list[Act]]] = [("", [])]
        listen = sys.modules["sqlalchemy"].event.listen
        listen(connection, "commit", self._committing)
        listen(connection, "rollback", lambda _: self._take(""))
        listen(connection, "savepoint", self._savepoint)
        listen(connection, "release_savepoint", lambda _, name, __: self._release(name))
        listen(connection, "rollback_savepoint", lambda _, name, __: self._take(name))

    def add(self, act: Act) -> None:
        transaction = self.connection.get_transaction() or self.connection.begin()
        if isinstance(transaction, sys.modules["sqlalchemy.engine"].TwoPhaseTransaction):
            raise ConfigError("expected after_commit= to be in a transaction of one phase, got one of two phases")
        self._frames[-1][1].append(act)

    def _committing(self, connection: Any) -> None:  # noqa: ANN401 - a Connection
        due = self._take("")
        if due and not _is_lost(connection):
            # SQLite has no transaction, and says so, where nothing was written.
            if getattr(connection.connection.driver_connection, "in_transaction", True):
                connection.exec_driver_sql("COMMIT")
            _do(due)

    def _savepoint(self, _connection: Any, name: str | None) -> None:  # noqa: ANN401 - a Connection
        self._name_last()
        self._frames.append((name, []))

    def _name_last(self) -> None:
        # SQLAlchemy names a savepoint after it has told of it.
        name, acts = self._frames[-1]
        if name is None:
            self._frames[-1] = getattr(self.connection.get_nested_transaction(), "_savepoint", None), acts

    def _release(self, name: str) -> None:
        done = self._take(name)
        self._frames[-1][1].extend(done)

    def _take(self, name: str) -> list[Act]:
        """What was asked for since this savepoint, which has ended: since ever, where its name is not known."""
        self._name_last()
        names = [known for known, _ in self._frames]
        start = names.index(name) if name in names else 0
        taken = [act for _, acts in self._frames[start:] for act in acts]
        self._frames = self._frames[:start] or [("", [])]
        return taken


def _is_lost(connection: Any) -> bool:  # noqa: ANN401 - a Connection
    """Whether its transaction has failed: PostgreSQL answers a COMMIT then with a rollback, and no error."""
    if connection.dialect.name != "postgresql":
        return False
    try:
        connection.exec_driver_sql("SELECT 1")
    except sys.modules["sqlalchemy"].exc.DBAPIError as error:
        if has_failed(error):
            return True
        raise
    return False


def _do(acts: Sequence[Act]) -> None:
    """Do all of them; the first error is raised when all were tried."""
    errors: list[Exception] = []
    concurrency = sys.modules["sqlalchemy.util"].concurrency
    for act in acts:
        try:
            if concurrency.in_greenlet():
                concurrency.await_only(act.later())
            else:
                act.now()
        except Exception as error:  # noqa: BLE001 - raised below, when the others had their turn
            errors.append(error)
    if errors:
        raise errors[0]
