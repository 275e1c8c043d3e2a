"""A transaction on an SQLite file for the body of a job; while it lasts, nobody else writes to the file."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

from treadle.core.clock import Clock
from treadle.errors import ConfigError
from treadle.stores.claim import APPLIED, Settled, Settlement
from treadle.stores.sqlite_errors import translated
from treadle.stores.sqlite_settle import ended, settle
from treadle.stores.transactions import InDoubt

_BUSY_TIMEOUT = 5.0


class SqliteOpened:
    """A connection of its own. `ring` is called after a commit."""

    def __init__(self, path: str, owner: str, clock: Clock, ring: Callable[[], None]) -> None:
        self._path = path
        self._owner = owner
        self._clock = clock
        self._ring = ring
        try:
            # A loop's is begun and ended on other threads, one at a time.
            self.connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise translated(error, path, inserting=False) from error

    def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back."""
        sent = False
        try:
            if not self.connection.in_transaction:
                raise ConfigError("expected the block of transaction() to leave it open, got one that has ended it")
            self.connection.row_factory = None
            self.connection.text_factory = str
            (answer,) = settle(self.connection, self._owner, [settlement], self._clock.now())
            if answer == APPLIED:
                sent = True
                self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            told = translated(error, self._path, inserting=False)
            raise InDoubt(str(told)) if sent else told from error
        finally:
            self.rollback()
        self._ring()
        return answer

    def ended(self, settlement: Settlement) -> Settled | None:
        """What became of a commit that failed: its disk may have kept it all the same."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT, isolation_level=None)) as connection:
                return ended(connection, self._owner, settlement)
        except sqlite3.Error as error:
            raise translated(error, self._path, inserting=False) from error

    def rollback(self) -> None:
        """Close the connection; what is not committed goes with it."""
        with suppress(sqlite3.Error):
            self.connection.close()


class AsyncSqliteOpened:
    """The same for a loop, whose connection is used on the loop's own thread by the body."""

    def __init__(self, opened: SqliteOpened) -> None:
        self._opened = opened
        self.connection = opened.connection

    async def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back."""
        return await asyncio.to_thread(partial(self._opened.complete, settlement))

    async def ended(self, settlement: Settlement) -> Settled | None:
        """What became of a commit that failed."""
        return await asyncio.to_thread(partial(self._opened.ended, settlement))

    async def rollback(self) -> None:
        """Roll back."""
        self._opened.rollback()
