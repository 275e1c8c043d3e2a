"""Notices of inserts: of each queue at most one every 50 ms, and always one that comes after the last insert.

PostgreSQL commits all that notifies one after the other, under a lock of the whole server. So an insert tells of its
queues only where none was told of a moment ago; what it kept to itself a timer tells, when it is committed and the
moment is over. Whoever dies before that leaves the job to those who look each second.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from math import inf

from treadle.core.clock import Clock
from treadle.core.job import NewJob
from treadle.errors import StoreError
from treadle.log import Log

EVERY = 0.05
"""Seconds between two notices of a queue."""

_REMEMBERED = 1000

log = Log("treadle.stores.postgres")


class Notices:
    """Of one store object; thread-safe. `send` tells of these queues, in a transaction of its own."""

    def __init__(self, clock: Clock, send: Callable[[Sequence[str]], None]) -> None:
        self._clock = clock
        self._send = send
        self._told: dict[str, float] = {}
        self._owed: set[str] = set()
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    @contextmanager
    def sparing(self, jobs: Sequence[NewJob]) -> Iterator[Collection[str]]:
        """The queues of which the insert of these jobs, done within, shall not tell: they are told of after it."""
        silent = self._silent({job.queue for job in jobs if job.at is None and not job.delay})
        try:
            yield silent
        finally:
            # Also where it failed: the jobs may stand in the table all the same.
            if silent:
                self._owe(silent)

    def close(self) -> None:
        """Tell now what was to be told later."""
        with self._lock:
            timer, self._timer = self._timer, None
            owed = self._due(inf)
        if timer is not None:
            timer.cancel()
        self._tell(owed)

    def _silent(self, queues: Collection[str]) -> list[str]:
        now = self._clock.steady()
        with self._lock:
            silent = [queue for queue in queues if now < self._told.get(queue, -inf) + EVERY]
            if len(self._told) > _REMEMBERED:
                self._told = {queue: at for queue, at in self._told.items() if now < at + EVERY or queue in self._owed}
            self._told |= dict.fromkeys(set(queues).difference(silent), now)
        return silent

    def _owe(self, queues: Collection[str]) -> None:
        with self._lock:
            self._owed.update(queues)
            started = self._timer is not None or self._start()
        if not started:
            self.close()

    def _start(self) -> bool:
        """Begin to wait for the first that is due; False where the interpreter ends and starts no thread any more."""
        due = min(self._told.get(queue, -inf) for queue in self._owed) + EVERY
        self._timer = threading.Timer(max(due - self._clock.steady(), 0.0), self._ring)
        self._timer.name, self._timer.daemon = "treadle-postgres-tell", True
        try:
            self._timer.start()
        except RuntimeError:
            return False
        return True

    def _ring(self) -> None:
        with self._lock:
            if self._timer is not threading.current_thread():
                return
            self._timer = None
            owed = self._due(self._clock.steady())
            if self._owed:
                self._start()
        self._tell(owed)

    def _due(self, now: float) -> list[str]:
        """What is owed by now, and from now on is not."""
        due = sorted(queue for queue in self._owed if self._told.get(queue, -inf) + EVERY <= now)
        self._owed.difference_update(due)
        if now < inf:
            self._told |= dict.fromkeys(due, now)
        return due

    def _tell(self, queues: Sequence[str]) -> None:
        if queues:
            try:
                self._send(queues)
            except StoreError as error:
                log.warning("nobody was told of new jobs, they are found by who looks: %s", error)
