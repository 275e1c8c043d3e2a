"""Inserts on PostgreSQL: ids are drawn before, so that what nobody confirmed may be sent again.

Those of many tasks that wait for the connection are one insert. It is sent as it is until it is answered: whichever of
its jobs stands there already says that all do.
"""

from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from threading import Event, Lock

import psycopg

from treadle.core.clock import Clock
from treadle.core.job import Inserted, NewJob
from treadle.errors import StoreError, StoreFull, StoreUnavailable, Unconfirmed, UniqueUndecided
from treadle.stores import postgres_unique as unique
from treadle.stores.postgres_connection import Seat, Session
from treadle.stores.postgres_ids import Ids
from treadle.stores.postgres_notices import Notices
from treadle.stores.postgres_rows import copy, pages, put
from treadle.stores.wishes import Wish, shared_out

# Seconds after which a caller is told that the store is away.
PATIENCE = 1.8
# A try is given so long, and a second more for so many jobs or bytes.
_TRY = 0.8
_JOBS_A_SECOND = 2_000
_BYTES_A_SECOND = 2_000_000
# Of a try, how long it waits for who inserts the same unique job: less than it is given. Where others wait behind it, a
# moment, after which it has to go on elsewhere.
_KEY_PATIENCE = "700ms"
_MOMENT = "20ms"
_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4)
# Of many callers. Beyond it a statement gains nothing, and lets all of them wait for long.
_JOBS_TOGETHER = 1_000
_BYTES_TOGETHER = 1 << 20
# From here on COPY, at half the cost of a job, is worth its round trips.
_COPIED = 500


def insert(session: Session, jobs: Sequence[NewJob], ids: Ids) -> list[Inserted]:
    """Insert within a transaction that the caller holds, and that ends all or nothing."""
    unique_ones = _any_unique(jobs)
    if unique_ones and (found := unique.conflicts(session, jobs)) is not None:
        return found
    drawn = ids.take(session, len(jobs))
    if unique_ones:
        unique.take_keys(session, jobs)
        return _put_unique(session, jobs, drawn)
    for page in pages(list(zip(drawn, jobs, strict=True))):
        ids.give(put(session, page, ids.ahead(len(jobs))))
    return [Inserted(str(job_id)) for job_id in drawn]


class Inserts:
    """Of one store object; thread-safe."""

    def __init__(self, clock: Clock, notices: Notices) -> None:
        self.ids = Ids(clock)
        self._clock = clock
        self._notices = notices
        self._wishes: deque[Wish] = deque()
        self._lock = Lock()

    def announce(self, jobs: Sequence[NewJob]) -> Wish:
        """Say what will be wanted; whoever is served first serves it too."""
        wish = Wish(jobs)
        with self._lock:
            self._wishes.append(wish)
        return wish

    def withdraw(self, wish: Wish) -> None:
        """Nobody waits for it any more: insert it only if that has begun."""
        with self._lock, suppress(ValueError):
            self._wishes.remove(wish)

    def serve(self, seat: Seat, wish: Wish) -> list[Inserted]:
        """What came of an announced wish. To be called on one thread.

        Raises StoreFull, Unconfirmed; UniqueUndecided where it would hold up all others: try `now` elsewhere.
        """
        while not wish.served and (wishes := self._next_wishes()):
            self._insert(seat, wishes)
        return wish.answer()

    def now(self, seat: Seat, jobs: Sequence[NewJob], *, hurried: bool = False) -> list[Inserted]:
        """Insert on the calling thread."""
        with self._notices.sparing(jobs) as silent:
            return _Insert(jobs, self.ids, self._clock, silent, hurried=hurried).run(seat)

    def _next_wishes(self) -> list[Wish]:
        """Unique jobs go alone: they may have to wait for others' transactions."""
        wishes: list[Wish] = []
        jobs = size = 0
        with self._lock:
            while self._wishes:
                following = self._wishes[0].jobs
                jobs, size = jobs + len(following), size + _size(following)
                many = jobs > _JOBS_TOGETHER or size > _BYTES_TOGETHER
                if wishes and (many or _any_unique(wishes[0].jobs) or _any_unique(following)):
                    break
                wishes.append(self._wishes.popleft())
        return wishes

    def _insert(self, seat: Seat, wishes: Sequence[Wish]) -> None:
        """Every wish gets what came of its jobs, or the error."""
        try:
            jobs = [job for wish in wishes for job in wish.jobs]
            inserted = self.now(seat, jobs, hurried=True)
        except Unconfirmed as error:
            for wish, ids in shared_out(wishes, error.ids):
                wish.error = Unconfirmed(str(error), tuple(ids))
        except Exception as error:  # noqa: BLE001 - handed to everybody whom it concerns
            if len(wishes) > 1 and not isinstance(error, StoreUnavailable | StoreFull):
                # The server refused one of them, and nothing was inserted.
                for wish in wishes:
                    self._insert(seat, [wish])
                return
            for wish in wishes:
                wish.error = error
        else:
            for wish, mine in shared_out(wishes, inserted):
                wish.inserted = mine


class _Insert:
    """It knows its ids as soon as they are drawn, and is repeated with them until a deadline."""

    def __init__(
        self, jobs: Sequence[NewJob], ids: Ids, clock: Clock, silent: Collection[str], *, hurried: bool = False
    ) -> None:
        self._hurried = hurried
        self._jobs = jobs
        self._ids = ids
        self._clock = clock
        self._silent = silent
        self._end = clock.steady() + PATIENCE
        self._drawn: list[int] = []
        self._sent = False
        self._need = _TRY + len(jobs) / _JOBS_A_SECOND + _size(jobs) / _BYTES_A_SECOND

    def run(self, seat: Seat) -> list[Inserted]:
        """What came of each job, in order.

        Raises StoreFull, UniqueUndecided; Unconfirmed where the jobs may stand in the store.
        """
        failure: StoreError | None = None
        for pause in _PAUSES:
            if pause:
                Event().wait(pause)
            left = self._end - self._clock.steady()
            if failure is not None and left < _TRY:
                break
            try:
                return seat.run(self._step, patience=max(self._need, 0.1), inserting=True)
            except (StoreUnavailable, UniqueUndecided) as error:
                failure = error
                if isinstance(error, UniqueUndecided) and self._may_leave:
                    raise
        if self._sent:
            raise Unconfirmed(str(failure), tuple(map(str, self._drawn))) from failure
        raise failure or AssertionError("unreachable: the first try returns or raises")

    @property
    def _may_leave(self) -> bool:
        # What may stand in the store has to be repeated with its own ids.
        return self._hurried and not self._sent

    def _step(self, session: Session) -> list[Inserted]:
        unique_ones, again = _any_unique(self._jobs), self._sent
        # Once it was sent, what stands in the way may be what was sent.
        if unique_ones and not again and (found := unique.conflicts(session, self._jobs)) is not None:
            return found
        if not self._drawn:
            self._drawn = self._ids.take(session, len(self._jobs))
        try:
            if unique_ones:
                return self._with_unique(session, again=again)
            self._sent = True
            self._put_all(session)
        except psycopg.errors.UniqueViolation as error:
            if not again:
                raise StoreError(
                    f"expected new ids from the sequence of oban_jobs, got {self._drawn[0]}, or one after it, which a "
                    f"job has already: was the table restored without it? Set it to the highest id, with setval()"
                ) from error
        return [Inserted(str(job_id)) for job_id in self._drawn]

    def _put_all(self, session: Session) -> None:
        rows = list(zip(self._drawn, self._jobs, strict=True))
        if len(rows) >= _COPIED and all(job.at is None and not job.delay for job in self._jobs):
            with session.together():
                copy(session, rows, silent=self._silent)
            return
        parts = list(pages(rows))
        if len(parts) == 1:
            self._ids.give(put(session, rows, self._ids.ahead(len(rows)), silent=self._silent))
            return
        with session.together():
            for page in parts:
                put(session, page, silent=self._silent)

    def _with_unique(self, session: Session, *, again: bool) -> list[Inserted]:
        with session.together():
            try:
                unique.take_keys(session, self._jobs, _MOMENT if self._may_leave else _KEY_PATIENCE)
            except psycopg.errors.LockNotAvailable as error:
                raise UniqueUndecided(_undecided(self._jobs)) from error
            self._sent = True
            done = unique.before(session, self._jobs, self._drawn) if again else None
            return done or _put_unique(session, self._jobs, self._drawn, self._silent)


def _any_unique(jobs: Sequence[NewJob]) -> bool:
    return any(job.unique is not None for job in jobs)


def _size(jobs: Sequence[NewJob]) -> int:
    return sum(len(job.args) for job in jobs)


def _undecided(jobs: Sequence[NewJob]) -> str:
    name = next(job.name for job in jobs if job.unique is not None)
    return (
        f'job "{name}": expected to know within {PATIENCE:g} s whether the same unique job is enqueued already, got '
        f"another transaction that holds its key and does not end: commit that sooner, or enqueue there with "
        f"after_commit= instead of tx="
    )


def _put_unique(
    session: Session, jobs: Sequence[NewJob], ids: Sequence[int], silent: Collection[str] = ()
) -> list[Inserted]:
    """Insert those that are not one too many; their keys are taken."""
    planned = unique.plan(session, jobs, ids)
    for page in pages([(job_id, job) for job_id, job, _ in planned.jobs]):
        put(session, page, silent=silent)
    unique.keep(session, planned)
    return list(planned.answers)
