"""One connection to PostgreSQL and what runs on it: opened when needed, dropped when lost, its waits limited.

Its life: 1. The first step opens it; what a pooler in transaction mode would not keep is found out there. 2. A step is
one statement, or a transaction of several; a step that lost against others (a deadlock, a lock) is run again. 3. A
connection that died while nobody used it is noticed before the next step, or by it, and replaced. 4. One that is lost,
or that stays silent for too long, is dropped; the step fails, as nobody knows whether it was carried out.
"""

import contextlib
import os
import select
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec
import psycopg
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict

from treadle.errors import ConfigError, StoreUnavailable
from treadle.stores import migrations
from treadle.stores.postgres_errors import AGAIN, HUNG_UP, NoAnswer, code_of, loses_connection, translated, unreachable
from treadle.stores.postgres_rest import Rest
from treadle.stores.shapes import TableShape
from treadle.stores.statements import ASIDE, statement_in

CONNECT_PATIENCE = 1.0
"""Seconds until a server that says nothing counts as dead."""

PATIENCE = 12.0
"""Seconds that a step's statement may take before the connection is given up; the server's own limit comes first."""

_SETTINGS = {
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    # A node that is frozen in the middle of a step lets the rows go well before its lease ends.
    "idle_in_transaction_session_timeout": "10s",
    # Where an index is out of use an estimate is high, and compiling takes longer than any statement here.
    "jit": "off",
}
# How psycopg wakes up to let a Ctrl-C through: psycopg/_connection_base.py, _WAIT_INTERVAL.
_INTERVAL = 0.1
_PAUSES = (0.0, 0.02, 0.1)
# Bytes of one reply, from which on it is worth a new connection to have their memory back: libpq keeps it.
_SWOLLEN = 8 << 20

T = TypeVar("T")


class Server(msgspec.Struct, frozen=True):
    """Where the jobs are. `options` are libpq's, `where` is the masked URL; `pooled` is None where it is not known.

    `aside` is the state of jobs that were set aside.
    """

    options: Mapping[str, str]
    schema: str
    where: str
    pooled: bool | None = None
    aside: str = ASIDE

    def __repr__(self) -> str:
        """Without its options, which may hold the password."""
        return f"Server({self.where!r}, schema={self.schema!r})"


def server_at(url: str, schema: str, where: str, *, pooled: bool | None) -> Server:
    """The server that a URL of libpq's names. Raises ConfigError."""
    try:
        options = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.Error as error:
        raise ConfigError(f"expected a URL that libpq reads, got {where}: {str(error).splitlines()[0]}") from error
    return Server(options, schema, where, pooled)


class Link(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits `patience` seconds in all for an answer, and not for ever."""

    patience = PATIENCE

    def wait(self, gen: Generator[Any, Any, T], *given: Any, **more: Any) -> T:
        """Run a generator of psycopg's."""
        return super().wait(_limited(gen, self.patience), *given, **more)

    @classmethod
    def _connect_gen(cls, *given: Any, **more: Any) -> Generator[Any, Any, Any]:
        # libpq's own time-out takes whole seconds, at least two.
        return _limited(super()._connect_gen(*given, **more), CONNECT_PATIENCE)


class AsyncLink(psycopg.AsyncConnection[tuple[Any, ...]]):
    """The same for a loop."""

    patience = PATIENCE

    async def wait(self, gen: Generator[Any, Any, T], *given: Any, **more: Any) -> T:
        """Run a generator of psycopg's."""
        return await super().wait(_limited(gen, self.patience), *given, **more)

    @classmethod
    def _connect_gen(cls, *given: Any, **more: Any) -> Generator[Any, Any, Any]:
        return _limited(super()._connect_gen(*given, **more), CONNECT_PATIENCE)


class JsonText:
    """A parameter that is JSON already; however long it is, it is not copied on its way to libpq."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


class _AsItIs(Dumper):
    def dump(self, obj: JsonText) -> bytes:
        return obj.raw


class Executes(Protocol):
    """What a session sends its statements on."""

    def execute(self, query: bytes, params: Mapping[str, Any] | None = None, /, *, prepare: bool | None = None) -> Any:  # noqa: ANN401
        """Run a statement; its cursor."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """What is executed within is done as a whole or not at all."""
        ...


class Session:
    """What a step works with: the statements of treadle's PostgreSQL store on one connection."""

    def __init__(self, link: Executes, schema: str, aside: str = ASIDE) -> None:
        self._link = link
        self._schema = schema
        self._aside = aside
        # The connection has grown by what it read, and does not shrink.
        self.swollen = False

    def rows(
        self, name: str, values: Mapping[str, Any] | None = None, *, prepare: bool | None = None, where: str = ""
    ) -> list[Any]:
        """Run a statement by its name; its rows. With `prepare` False it is planned for these very values.

        `where` is the condition of a statement that leaves a place for one; it holds no value, only their names.
        """
        text = statement_in(self._schema, name, self._aside).replace(b"{where}", where.encode())
        cursor = self._link.execute(text, values, prepare=prepare)
        return cursor.fetchall() if cursor.description else []

    def row(self, name: str, values: Mapping[str, Any] | None = None, *, prepare: bool | None = None) -> Any:  # noqa: ANN401
        """Its only row."""
        return self.rows(name, values, prepare=prepare)[0]

    def binary_rows(self, name: str, values: Mapping[str, Any], *, large: int) -> list[Any]:
        """The same without a detour by text: what is large, in this column, is copied as seldom as can be."""
        cursor = self._own().execute(statement_in(self._schema, name, self._aside), values, binary=True)
        rows = cursor.fetchall()
        self.swollen |= sum([len(row[large] or b"") for row in rows]) > _SWOLLEN
        return rows

    def copy(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Send rows by a statement that copies them in."""
        with self._own().cursor().copy(statement_in(self._schema, name)) as copy:
            for row in rows:
                copy.write_row(row)

    def install(self) -> TableShape:
        """Make the tables that lack; how the job table was made. Raises StoreError for one of another kind."""
        return migrations.install(self._own(), self._schema).shape

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What runs within is done as a whole or not at all."""
        with self._link.transaction():
            yield

    def _own(self) -> Link:
        if not isinstance(self._link, Link):
            raise TypeError("expected a connection of the store's own, got one that a user lent")
        return self._link


class Seat:
    """A place for one connection; to be used by one thread at a time."""

    def __init__(self, server: Server, settings: Mapping[str, str] | None = None, rest: Rest | None = None) -> None:
        self._server = server
        self._settings = {**_SETTINGS, **(settings or {})}
        self._rest = rest
        self._pooled = server.pooled
        self._link: Link | None = None
        self._pid = os.getpid()

    def run(self, step: Callable[[Session], T], *, patience: float = PATIENCE, inserting: bool = False) -> T:
        """The step's result. Raises StoreError; after StoreUnavailable the step may have been carried out."""
        for tries_left, pause in zip(reversed(range(len(_PAUSES))), _PAUSES, strict=True):
            if pause:
                threading.Event().wait(pause)
            link, idled = self._living()
            link.patience = patience
            try:
                return self._run_on(link, step)
            except psycopg.Error as error:
                if loses_connection(error) or link.closed:
                    self.close()
                again = code_of(error) in AGAIN or (idled and code_of(error) in HUNG_UP)
                if not again or not tries_left:
                    raise translated(error, self._server.where, inserting=inserting) from error
            except BaseException:
                if link.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    self.close()
                raise
        raise AssertionError("unreachable: the last try returns or raises")

    def close(self) -> None:
        """Close the connection; the next step opens another."""
        # In a child of a fork the socket is its parent's, who would be hung up on.
        if self._link is not None and self._pid == os.getpid():
            self._link.close()
            self._link = None

    def _run_on(self, link: Link, step: Callable[[Session], T]) -> T:
        session = Session(link, self._server.schema, self._server.aside)
        result = self._in_transaction(link, session, step) if self._pooled else step(session)
        if session.swollen:
            self.close()
        return result

    def _in_transaction(self, link: Link, session: Session, step: Callable[[Session], T]) -> T:
        limits = [f"SET LOCAL {name} = '{value}'" for name, value in self._settings.items()]
        link.execute("; ".join(["START TRANSACTION", *limits]).encode())
        try:
            result = step(session)
            link.execute(b"COMMIT")
        except BaseException:
            if not link.closed:
                with contextlib.suppress(psycopg.Error):
                    link.execute(b"ROLLBACK")
            raise
        return result

    def _living(self) -> tuple[Link, bool]:
        """A connection, and whether it had been idle."""
        if self._link is not None and _is_dead(self._link):
            self.close()
        if self._link is not None:
            return self._link, True
        self._link = self._opened() if self._rest is None else self._opened_after(self._rest)
        return self._link, False

    def _opened_after(self, rest: Rest) -> Link:
        rest.check()
        try:
            return self._opened()
        except StoreUnavailable as error:
            rest.begin(error)
            raise

    def _opened(self) -> Link:
        try:
            if self._pooled:
                return self._dial({})
            try:
                limits = [f"-c {name}={value}" for name, value in self._settings.items()]
                link = self._dial({"options": " ".join([*limits, self._server.options.get("options", "")])})
            except psycopg.OperationalError as error:
                if self._pooled is False or "unsupported startup parameter" not in str(error):
                    raise
                self._pooled = True
                return self._dial({})
            if self._pooled is None:
                with closed_unless_done(link):
                    self._pooled = is_pooled(link)
                link.prepare_threshold = None if self._pooled else link.prepare_threshold
        except psycopg.Error as error:
            raise unreachable(error, self._server.where) from error
        return link

    def _dial(self, more: Mapping[str, str]) -> Link:
        link = dial(self._server, more)
        if self._pooled:
            # A prepared statement would stand in another server process than the next transaction.
            link.prepare_threshold = None
        return link


_DEFAULTS = {
    "client_encoding": "UTF8",
    "application_name": "treadle",
    "connect_timeout": "2",
    "target_session_attrs": "read-write",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}


def dial(server: Server, more: Mapping[str, str]) -> Link:
    """A new connection in autocommit, with `more` of libpq's options. Raises psycopg.Error."""
    link = Link.connect(autocommit=True, **{**libpq_options(server), **more})
    link.adapters.register_dumper(JsonText, _AsItIs)
    return link


@contextlib.contextmanager
def closed_unless_done(link: "psycopg.Connection[Any]") -> Iterator[None]:
    """A connection that nobody has yet is closed where what is done first on it fails."""
    try:
        yield
    except BaseException:
        link.close()
        raise


def libpq_options(server: Server) -> dict[str, Any]:
    """What libpq is to be given for a connection to this server."""
    return {**_DEFAULTS, **server.options}


def is_pooled(link: Link) -> bool:
    """Whether something between us and the server lends its processes out: it makes up the number of ours."""
    return link.execute(b"SELECT pg_backend_pid()").fetchall() != [(link.info.backend_pid,)]


def _limited(gen: Generator[Any, Any, T], patience: float) -> Generator[Any, Any, T]:
    """A generator of psycopg's that ends with NoAnswer when it has waited so long for nothing."""
    left = patience
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready:
                left -= _INTERVAL
                if left <= 0:
                    raise NoAnswer(f"it stayed silent for {patience:g} s")
            wanted = gen.send(ready)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return] # what the generator returns


def _is_dead(link: Link) -> bool:
    """Whether the server hung up while nobody used the connection: to one that is idle it has nothing else to say."""
    if link.closed:
        return True
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    return bool(poll.poll(0))
