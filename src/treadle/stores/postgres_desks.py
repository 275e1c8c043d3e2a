"""What a PostgreSQL store works with in one process: its connections, each with its thread, and what is heard on one.

Three connections at most serve the loops of a process, each on a thread of its own: claims, settlements and beats on
one, inserts on another, all else on the third. Up to eight more serve threads that enqueue. One more hears what others
tell, once somebody waits for it, and one tells of inserts that came too fast to tell of each.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty, LifoQueue
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

from treadle.core.clock import Clock
from treadle.errors import StoreUnavailable
from treadle.stores.bell import Bell
from treadle.stores.lane import Lane
from treadle.stores.large import AtHand
from treadle.stores.postgres_connection import Seat, Server, Session
from treadle.stores.postgres_hearing import Signals, listener_of
from treadle.stores.postgres_hints import Hints
from treadle.stores.postgres_inserts import PATIENCE, Inserts
from treadle.stores.postgres_lent import LentInserts, identity
from treadle.stores.postgres_notices import Notices
from treadle.stores.postgres_rest import Rest

P = ParamSpec("P")
T = TypeVar("T")

# Claims and beats must not stand behind a settlement that waits for a row. Every statement here goes by an index, one
# row after the other; a plan that was made while the table was small must not go by another way for ever.
_FRONT_SETTINGS = {
    "lock_timeout": "250ms",
    **dict.fromkeys(("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"), "off"),
}
# Connections for threads that enqueue; more threads take turns.
_THREAD_SEATS = 8


class Desks:
    """All of them. What is closed opens again at its next use; a child of a fork makes its own."""

    def __init__(self, server: Server, clock: Clock, draw: Callable[[int], bytes]) -> None:
        self.bell = Bell(lambda: 0, alone=True)
        self.hints = Hints(clock)
        self.large = AtHand()
        self.front = Desk("treadle-postgres", server, self.bell.ring, _FRONT_SETTINGS)
        self.inserting = Desk("treadle-postgres-insert", server, self.bell.ring)
        self.back = Desk("treadle-postgres-back", server, self._changed_behind, rest=Rest(clock, draw))
        self.threads = Seats(server)
        self._telling, self._turn = Seat(server), Lock()
        own_now = partial(self.threads.call, lambda seat: seat.run(identity))
        self.notices = Notices(clock, self._tell)
        self.inserts = Inserts(clock, self.notices)
        self.lent = LentInserts(server, own_now, partial(self.back.run, identity), self.inserts.ids)
        self.signals = Signals()
        self.listener = listener_of(server, self.bell, self.threads.call, clock, self.signals, draw=draw)

    def close(self) -> None:
        """End the threads and close the connections."""
        self.notices.close()
        with self._turn:
            self._telling.close()
        for desk in (self.listener, self.front, self.inserting, self.back, self.threads):
            desk.close()

    def _tell(self, queues: Sequence[str]) -> None:
        # A connection for this alone: it must not wait until no thread enqueues.
        with self._turn:
            self._telling.run(lambda session: session.rows("tell", {"queues": queues}))

    def _changed_behind(self) -> None:
        """Jobs may have come back where claims do not look first."""
        self.hints.forget()
        self.bell.ring()


class Desk:
    """A connection with a thread of its own, for every loop of the process."""

    def __init__(
        self,
        name: str,
        server: Server,
        changed: Callable[[], None],
        settings: Mapping[str, str] | None = None,
        rest: Rest | None = None,
    ) -> None:
        self._lane = Lane(name)
        self._seat = Seat(server, settings, rest)
        self._changed = changed

    async def run(self, step: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The step's result. Raises StoreError."""
        return await self._lane.run(lambda: self._seat.run(lambda session: step(session, *args, **kwargs)))

    async def change(self, step: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a step after which somebody may find work, or a result: that is told to who waits."""
        done = await self.run(step, *args, **kwargs)
        self._changed()
        return done

    async def call(self, job: Callable[[Seat], T]) -> T:
        """What is more than one step. Raises StoreError."""
        return await self._lane.run(partial(job, self._seat))

    def close(self) -> None:
        """End the thread and close the connection."""
        self._lane.stop()
        self._seat.close()


class Seats:
    """Connections for threads; the one that was used last is lent first."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._free: LifoQueue[Seat] = LifoQueue()
        for _ in range(_THREAD_SEATS):
            self._free.put(Seat(server))
        self._closings = 0

    def call(self, job: Callable[[Seat], T]) -> T:
        """The job's result, on one of the connections. Raises StoreError, StoreUnavailable where none is free."""
        try:
            seat = self._free.get(timeout=PATIENCE)
        except Empty:
            raise StoreUnavailable(
                f"expected one of {_THREAD_SEATS} connections to PostgreSQL at {self._server.where} to be free within "
                f"{PATIENCE:g} s, got none: too many threads enqueue at once, or the server is slow"
            ) from None
        closings = self._closings
        try:
            return job(seat)
        finally:
            if closings != self._closings:
                # Nobody else could close it while it was lent.
                seat.close()
            self._free.put(seat)

    def close(self) -> None:
        """Close them; one that is lent, when it comes back."""
        self._closings += 1
        free = []
        while not self._free.empty():
            free.append(self._free.get())
        for seat in free:
            seat.close()
            self._free.put(seat)
