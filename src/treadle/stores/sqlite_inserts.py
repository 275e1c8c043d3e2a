"""Inserts on SQLite: those of many tasks that wait for the writer share one transaction."""

from collections import deque
from collections.abc import Callable, Sequence
from sqlite3 import Connection

from treadle.core.arguments import Shape
from treadle.core.clock import Clock
from treadle.core.job import Inserted, NewJob
from treadle.errors import StoreUnavailable, Unconfirmed
from treadle.stores.borrowed.link import Link
from treadle.stores.oban import check
from treadle.stores.sqlite_database import Database
from treadle.stores.sqlite_lent import insert_lent
from treadle.stores.sqlite_unique import insert
from treadle.stores.wishes import Wish, shared_out

# Beyond it a transaction gains nothing, and holds the file for long.
_JOBS_TOGETHER = 1_000


class Inserts:
    """Thread-safe. Jobs that cannot be written are refused before they are joined with those of others."""

    def __init__(self, database: Database, clock: Clock, shape: Shape) -> None:
        self._database = database
        self._clock = clock
        self._shape = shape
        self._wishes: deque[Wish] = deque()

    def announce(self, jobs: Sequence[NewJob]) -> Wish:
        """Say what will be wanted; whoever is served first serves it too. Raises ArgumentError."""
        check(jobs, self._shape)
        wish = Wish(jobs)
        self._wishes.append(wish)
        return wish

    def serve(self, wish: Wish) -> list[Inserted]:
        """What came of an announced wish. To be called on one thread."""
        while not wish.served:
            self._insert(self._next_wishes())
        return wish.answer()

    def now(self, jobs: Sequence[NewJob]) -> list[Inserted]:
        """Insert on the calling thread."""
        check(jobs, self._shape)
        wish = Wish(jobs)
        self._insert([wish])
        return wish.answer()

    def step(self, jobs: Sequence[NewJob]) -> Callable[[Link], list[Inserted]]:
        """What inserts on a connection that a user lent, as part of his transaction. Raises ArgumentError."""
        check(jobs, self._shape)
        return insert_lent(self._database, jobs, self._clock.now())

    def _next_wishes(self) -> list[Wish]:
        wishes: list[Wish] = []
        jobs = 0
        while self._wishes and (not wishes or jobs + len(self._wishes[0].jobs) <= _JOBS_TOGETHER):
            wishes.append(self._wishes.popleft())
            jobs += len(wishes[-1].jobs)
        return wishes

    def _insert(self, wishes: list[Wish]) -> None:
        """One transaction; every wish gets what came of its jobs, or the error."""
        drawn: list[Inserted] = []

        def step(connection: Connection) -> None:
            drawn[:] = insert(connection, [job for wish in wishes for job in wish.jobs], self._clock.now())

        try:
            self._database.write(step, inserting=True)
        except Exception as error:  # noqa: BLE001 - handed to everybody whom it concerns
            for wish, inserted in shared_out(wishes, drawn):
                # Ids were drawn, so it was the commit that failed: nobody can say whether it holds.
                ids = tuple(one.id for one in inserted if not one.conflict)
                wish.error = Unconfirmed(str(error), ids) if isinstance(error, StoreUnavailable) and ids else error
        else:
            for wish, inserted in shared_out(wishes, drawn):
                wish.inserted = inserted
