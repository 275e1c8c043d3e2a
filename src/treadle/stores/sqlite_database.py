"""One SQLite file as one process sees it: its connections, its transactions, its errors, and what a fork does to them.

Its life: 1. The first call opens the writer, switches the file to WAL and makes the tables that lack. 2. Every write
is one BEGIN IMMEDIATE transaction on that one connection, under a lock, on whichever thread calls. 3. Reads go to a
second connection, changes are noticed on a third. 4. A fork finds no connection open: they are closed before it, when
no transaction runs, and each process opens its own again. In memory there is one connection, of one process.
"""

import os
import re
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from os import fsdecode
from pathlib import Path
from typing import TypeVar

from treadle.errors import ConfigError, StoreError
from treadle.stores.borrowed.link import Runs
from treadle.stores.forks import while_alive
from treadle.stores.sqlite_errors import code_of, translated
from treadle.stores.statements import read_all, statement

BUSY_TIMEOUT = 5.0
TRIES = 3
IN_MEMORY = ":memory:"

_COLUMNS = frozenset({"id", "state", "queue", "worker", "args", "meta", "tags", "errors", "attempt", "max_attempts"})
_COLUMNS |= {"priority", "inserted_at", "scheduled_at", "attempted_at", "attempted_by"}
_COLUMNS |= {"cancelled_at", "completed_at", "discarded_at"}
_NAMED = 3
_MADE = re.compile(r"CREATE (?:UNIQUE )?(?:TABLE|INDEX|TRIGGER) IF NOT EXISTS (\w+)")

T = TypeVar("T")
Step = Callable[[sqlite3.Connection], T]


class Database:
    """Thread-safe. `sync` is "normal" or "full"; a try to write waits `busy_timeout` seconds for other processes."""

    def __init__(self, path: str, sync: str, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path if path == IN_MEMORY else str(Path(path).absolute())
        self.in_memory = path == IN_MEMORY
        self._sync = sync
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._watcher: sqlite3.Connection | None = None
        self._make_locks()
        # SQLite keeps its locks by process and by file: a child that opens a file which it also inherited open would
        # believe to hold locks that it has not, and closing the inherited handle would write. So none is inherited.
        os.register_at_fork(
            before=while_alive(self._before_fork),
            after_in_parent=while_alive(self._after_fork_in_parent),
            after_in_child=while_alive(self._after_fork_in_child),
        )

    def open(self) -> None:
        """Open the file and make the tables that lack. Raises ConfigError for a folder that is not there."""
        self.write(_nothing)

    def write(self, step: Step[T], *, inserting: bool = False) -> T:
        """Run a step in a transaction of its own, and again where another process held the file for too long.

        Raises StoreUnavailable, after which nothing was written, and StoreFull if `inserting`.
        """
        with self._writing:
            for tries_left in reversed(range(TRIES)):
                try:
                    return self._transaction(self._write_connection(), step)
                except sqlite3.Error as error:
                    if code_of(error) == sqlite3.SQLITE_IOERR:
                        self._drop_writer()
                    if code_of(error) != sqlite3.SQLITE_BUSY or not tries_left:
                        raise translated(error, self.path, inserting=inserting) from error
        raise AssertionError("unreachable: the last try returns or raises")

    def read(self, step: Step[T]) -> T:
        """Run a step that only reads; it sees all that was committed before."""
        with self._reading:
            try:
                return step(self._read_connection())
            except sqlite3.Error as error:
                raise translated(error, self.path, inserting=False) from error

    def version(self) -> int:
        """A number that differs after any connection of any process, other than this call's own, changed the file."""
        if self.in_memory:
            return 0
        with self._watching:
            try:
                if self._watcher is None:
                    self._check_process()
                    self._watcher = _connect(self.path, timeout=0.0)
                return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error:
                # Whatever ails the file, the caller's next look at it will say so.
                return -1

    def close(self) -> None:
        """Close every connection; the next call opens them again. What was in memory is gone."""
        with self._reading, self._writing, self._watching:
            self._close_all()

    def _make_locks(self) -> None:
        self._writing = threading.RLock()
        self._reading = self._writing if self.in_memory else threading.RLock()
        self._watching = threading.Lock()

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise StoreError(
                f"expected the store {self.path} to be used by process {self._pid} that made it, got process "
                f"{os.getpid()}: a store in memory does not pass a fork; make a store of its own in the child"
            )

    def _write_connection(self) -> sqlite3.Connection:
        self._check_process()
        if self._writer is None:
            self._check_folder()
            read_all("sqlite")
            try:
                self._writer = self._prepared(_connect(self.path, timeout=self._busy_timeout))
            except sqlite3.Error as error:
                if code_of(error) == sqlite3.SQLITE_BUSY:
                    raise
                raise translated(error, self.path, inserting=False) from error
        return self._writer

    def _read_connection(self) -> sqlite3.Connection:
        if self.in_memory:
            return self._write_connection()
        if self._reader is None:
            if self._writer is None:
                with self._writing:
                    self._write_connection()
            self._check_process()
            self._reader = _connect(self.path, timeout=self._busy_timeout)
            self._reader.execute("PRAGMA query_only = ON")
            # People look at rows of any origin: what is no UTF-8 is shown as well as it can be.
            self._reader.text_factory = partial(str, encoding="utf-8", errors="replace")
        return self._reader

    def _prepared(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            self._check_kind(connection)
            if not self.in_memory:
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                if mode != "wal":
                    raise StoreError(
                        f"expected {self.path} to take write-ahead logging, got journal mode {mode!r}: "
                        f"put it on a local disk"
                    )
                connection.execute(f"PRAGMA synchronous = {'FULL' if self._sync == 'full' else 'NORMAL'}")
            self._transaction(connection, make_lacking_tables)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_folder(self) -> None:
        if self.in_memory:
            return
        folder = Path(self.path).parent
        if not folder.is_dir():
            raise ConfigError(f"expected the folder of the store {self.path} to exist, got none: make {folder} first")
        if Path(self.path).is_dir():
            raise ConfigError(f"expected the store {self.path} to be a file, got a folder: name a file in it")

    def _check_kind(self, connection: sqlite3.Connection) -> None:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(oban_jobs)")}
        lacking = sorted(_COLUMNS - columns)
        if columns and lacking:
            more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
            raise StoreError(
                f"expected the table oban_jobs in {self.path} to be that of Oban's Lite engine, got one without "
                f"{', '.join(lacking[:_NAMED])}{more}: name another file, or migrate the table first"
            )

    def _transaction(self, connection: sqlite3.Connection, step: Step[T]) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = step(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        return result

    def _drop_writer(self) -> None:
        # After an I/O error SQLite's own picture of the file may be wrong: look at it afresh.
        if not self.in_memory and self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None

    def _close_all(self) -> None:
        for connection in (self._watcher, self._reader, self._writer):
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
        self._watcher = self._reader = self._writer = None

    def _before_fork(self) -> None:
        self._reading.acquire()
        self._writing.acquire()
        self._watching.acquire()
        if not self.in_memory and self._pid == os.getpid():
            self._close_all()

    def _after_fork_in_parent(self) -> None:
        self._watching.release()
        self._writing.release()
        self._reading.release()

    def _after_fork_in_child(self) -> None:
        self._make_locks()
        if not self.in_memory:
            self._pid = os.getpid()


def _connect(path: str, *, timeout: float) -> sqlite3.Connection:
    # Autocommit: no statement opens a transaction behind our back; only BEGIN IMMEDIATE does.
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False, cached_statements=256)


def _nothing(_connection: sqlite3.Connection) -> None:
    """The step of a write that only opens."""


def make_lacking_tables(connection: Runs) -> None:
    """Make the tables and indexes that lack; a file that has them all is only read."""
    # A user's connection may give bytes for text.
    found = {fsdecode(row[0]) for row in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    for name, part in _schema():
        if name not in found:
            connection.execute(part)


@cache
def _schema() -> tuple[tuple[str, str], ...]:
    """What each statement makes, and the statement."""
    lines = statement("sqlite/schema").splitlines()
    parts = "\n".join(line for line in lines if not line.startswith("--")).split(";")
    made = ((_MADE.search(part), part) for part in parts if part.strip())
    return tuple((name.group(1) if name else "", part) for name, part in made)
