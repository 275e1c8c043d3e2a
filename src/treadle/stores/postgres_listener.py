"""Hears what others tell on a schema's channels: inserts, signals, who leads, who is there.

Its life: 1. A thread opens a connection of its own and listens. 2. What comes is read and handed to who wants it, all
that came together at once; what cannot be read, or whose hearer raises, is one line in the log. 3. A connection on
which nothing comes is tried now and then; one that was lost is opened anew after a pause, and then whatever may have
been missed is looked for. 4. Behind a pooler in transaction mode nothing would come: there the thread ends. Nothing
depends on it: who waits looks by himself.
"""

import os
import select
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from treadle.core.clock import Clock
from treadle.log import Log
from treadle.stores.oban_notices import channel, read, write
from treadle.stores.postgres_connection import Link, Server, dial, is_pooled
from treadle.stores.postgres_rest import by_chance

PROBE_EVERY = 15.0
"""Seconds without a notification after which the connection is tried."""

PATIENCE = 5.0
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between tries to connect, by chance more or less; the last one over and over."""

ANSWER_EVERY = 5.0
"""Seconds between two answers to nodes that ask who is there."""

Message = Mapping[str, Any]
Hear = Callable[[Sequence[Message]], None]

log = Log("treadle.stores.postgres")


class Listener:
    """One thread. `hears` maps the names of channels to who is called with their messages, on that thread.

    `missed` is called whenever something may have been missed. `node` is the name under which we are there. While it is
    `deaf`, changes must be looked for.
    """

    def __init__(
        self,
        server: Server,
        hears: Mapping[str, Hear],
        *,
        missed: Callable[[], None],
        node: str,
        clock: Clock,
        draw: Callable[[int], bytes],
    ) -> None:
        self._server = server
        self.deaf = True
        self._hears = {channel(server.schema, name): hear for name, hear in hears.items()}
        self._sonar = channel(server.schema, "sonar")
        self._missed = missed
        self._node = node
        self._clock = clock
        self._draw = draw
        self._answered: float | None = None
        self._came: deque[tuple[str, str]] = deque()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._waker: _Waker | None = None

    def start(self) -> None:
        """Begin to listen; a second call does nothing."""
        with self._starting:
            if self._thread is None:
                self._waker = _Waker()
                self._thread = threading.Thread(
                    target=self._run, args=(self._waker,), name="treadle-postgres-listen", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """End the thread; from then on nothing is heard until it is started again."""
        with self._starting:
            thread, self._thread, waker = self._thread, None, self._waker
        if thread is not None and waker is not None:
            waker.wake()
            if thread is not threading.current_thread():
                thread.join(PATIENCE)

    def _run(self, waker: "_Waker") -> None:
        failures = 0
        while not waker.woken:
            try:
                with dial(self._server, {"application_name": "treadle listen"}) as link:
                    link.patience = PATIENCE
                    if self._server.pooled or is_pooled(link):
                        log.info("PgBouncer hands no notifications on: changes by others are looked for each second")
                        return
                    self._listen(link)
                    if failures:
                        log.info("notifications of PostgreSQL are heard again")
                    failures = 0
                    self.deaf = False
                    self._missed()
                    self._hear(link, waker)
            except psycopg.Error as error:
                self.deaf = True
                if not failures:
                    log.warning(
                        "no notifications of PostgreSQL are heard, changes are looked for each second: %s", error
                    )
                waker.wait(by_chance(PAUSES[min(failures, len(PAUSES) - 1)], self._draw))
                failures += 1

    def _listen(self, link: Link) -> None:
        # Called while a statement runs, when no other may: what came is kept until it has ended.
        link.add_notify_handler(lambda notice: self._came.append((notice.channel, notice.payload)))
        for name in (*self._hears, self._sonar):
            link.execute(sql.SQL("LISTEN {}").format(sql.Identifier(name)))

    def _hear(self, link: Link, waker: "_Waker") -> None:
        """Hand on what comes until somebody wakes us. Raises psycopg.Error where the connection is lost."""
        poll = select.poll()
        poll.register(link.fileno(), select.POLLIN)
        poll.register(waker.fileno(), select.POLLIN)
        while not waker.woken:
            if not poll.poll(PROBE_EVERY * 1000):
                link.execute("SELECT 1")
            link.pgconn.consume_input()
            # Again after an answer, which takes in what came meanwhile: no poll would tell of that.
            while messages := self._read(link):
                for name in messages:
                    if name == self._sonar:
                        self._answer(link, messages[name])
                    else:
                        self._tell(name, messages[name])

    def _read(self, link: Link) -> dict[str, list[Message]]:
        """What came, by channel. What is no message is left out."""
        found: dict[str, list[Message]] = {}
        while notice := link.pgconn.notifies():
            self._came.append((notice.relname.decode(), notice.extra.decode("utf-8", "replace")))
        while self._came:
            name, payload = self._came.popleft()
            message = read(payload)
            if message is not None:
                found.setdefault(name, []).append(message)
        return found

    def _tell(self, name: str, messages: Sequence[Message]) -> None:
        try:
            self._hears[name](messages)
        except Exception as error:  # noqa: BLE001 - who hears must not deafen the others
            log.warning("a notification on %s was of no use: %r", name, error)

    def _answer(self, link: Link, messages: Sequence[Message]) -> None:
        """Tell nodes that ask who is there that we are; an Elixir node that hears nobody takes itself for alone."""
        now = self._clock.steady()
        if all(message.get("node") == self._node for message in messages):
            return
        if self._answered is not None and now - self._answered < ANSWER_EVERY:
            return
        self._answered = now
        # Without a time, which an Elixir node would compare with a clock of its own.
        link.execute("SELECT pg_notify(%s, %s)", (self._sonar, write({"node": self._node, "ping": True})))


class _Waker:
    """Wakes a thread that waits for a socket; for once and all."""

    def __init__(self) -> None:
        self.woken = False
        self._hears, self._wakes = os.pipe()
        # Not at exit: the listener may be told to end after that.
        weakref.finalize(self, _close, (self._hears, self._wakes)).atexit = False

    def fileno(self) -> int:
        return self._hears

    def wake(self) -> None:
        self.woken = True
        os.write(self._wakes, b"\0")

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or when somebody wakes us."""
        poll = select.poll()
        poll.register(self._hears, select.POLLIN)
        poll.poll(seconds * 1000)


def _close(ends: Sequence[int]) -> None:
    for end in ends:
        os.close(end)
