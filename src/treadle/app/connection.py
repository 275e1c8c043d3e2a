"""An app's connection to its store: made and opened at its first use, lent to tests, closed by the app."""

import asyncio
import builtins
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from treadle.app.guard import refuse_while_importing
from treadle.app.lookup import store_url
from treadle.core.clock import Clock
from treadle.core.options import InLoop
from treadle.errors import BlockingCall, ConfigError
from treadle.log import Log
from treadle.stores.contract import Store
from treadle.stores.url import make_store, mask
from treadle.supervise.clock import SystemClock
from treadle.supervise.portal import Portal

T = TypeVar("T")

_log = Log("treadle.stores")


class Connection:
    """The one store of an app, the clocks that both live by, and the loop on which blocking calls reach it."""

    def __init__(self, url: str | None, sync_in_loop: InLoop) -> None:
        self.clock: Clock = SystemClock()
        self._given_url = url
        self._sync_in_loop = sync_in_loop
        self._url: str | None = None
        self._store: Store | None = None
        self._making = threading.Lock()
        self._opened = False
        self._lent = False
        self._portal = Portal()

    @property
    def url(self) -> str:
        """The URL of the store."""
        if self._url is None:
            self._url = store_url(self._given_url)
        return self._url

    @property
    def store(self) -> Store:
        """The store; it may not be open yet."""
        return self._store or self._make_store()

    async def astore(self) -> Store:
        """The open store."""
        if not self._opened:
            await self.store.open()
            self._opened = True
        return self.store

    def store_now(self) -> Store:
        """The open store, for a blocking call that was not refused."""
        if not self._opened:
            self._portal.run(self.astore())
        return self.store

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine for a blocking call that was not refused."""
        return self._portal.run(coroutine)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin a coroutine on the loop of blocking calls."""
        return self._portal.submit(coroutine)

    def blocking(self, call: str, coroutine: Coroutine[Any, Any, T], *, instead: str = "") -> T:
        """Run a coroutine for a blocking call. Raises BlockingCall on a thread whose loop runs."""
        try:
            self.refuse_to_block(call, instead or f"await a{call}")
        except ConfigError:
            coroutine.close()
            raise
        return self._portal.run(coroutine)

    def refuse_to_block(self, call: str, instead: str) -> None:
        """Raise BlockingCall on a thread whose loop runs, and ConfigError where treadle imports the calling module."""
        refuse_while_importing(call)
        # A notebook's loop waits for its cell, and a cell that waits is what its user wants.
        if self._sync_in_loop == "allow" or hasattr(builtins, "__IPYTHON__"):
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise BlockingCall(f"{call} would block the event loop that runs on this thread: use {instead} there")

    @contextmanager
    def lend(self, store: Store, clock: Clock) -> Iterator[None]:
        """Within the block jobs are kept in another store, by another clock, and whoever lent it closes it."""
        with self._making:
            if self._lent:
                raise ConfigError("expected one app.testing() at a time, got a second one while the first lasts")
            self._lent = True
        kept = self._store, self._opened, self.clock
        self._store, self._opened, self.clock = store, False, clock
        try:
            yield
        finally:
            self._store, self._opened, self.clock = kept
            self._lent = False

    def close(self) -> None:
        """Close the store, unless it is lent; the next use opens it anew."""
        self._portal.close(self.aclose)
        if self._store is not None and not self._lent:
            self._store.close()
            self._store, self._opened = None, False

    async def aclose(self) -> None:
        """Close what belongs to the running loop."""
        if self._store is not None:
            await self._store.aclose()

    def _make_store(self) -> Store:
        # Two threads may come first at the same time; what one enqueues in memory the other must find.
        with self._making:
            if self._store is None:
                self._store = make_store(self.url, self.clock)
                _log.info("the store is %s", mask(self.url))
            return self._store
