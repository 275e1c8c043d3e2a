"""Jobs come: one by one and in bulk, in a user's transaction, by the crontab, and unique ones."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple, precondition, rule

from tests.stores.machine.ground import Ground, delays, ids
from treadle.core.arguments import Shape
from treadle.core.cron_entry import CronEntry
from treadle.core.job import Inserted
from treadle.core.uniqueness import Arguments, Unique, Uniqueness
from treadle.stores.borrowed.recognise import borrow
from treadle.stores.ticks import Firing

UNIQUE = Unique(period=1e7, until="success")


class Producing(Ground):
    """Everything that inserts."""

    @initialize()
    def begin(self) -> None:
        self.run(self.store.open())
        self.position = self.run(self.store.orders(None, wait=0.0)).position
        self.enqueue(4, 0.0, rerun=True)
        self.enqueue(2, 0.0, rerun=False)

    @rule(target=ids, count=st.integers(1, 4), delay=delays, rerun=st.booleans())
    def enqueue(self, count: int, delay: float, *, rerun: bool) -> Any:  # noqa: ANN401 - Hypothesis' own type is private
        job = self.new(delay=delay or None, rerun=rerun)
        inserted = [one.id for one in self.run(self.store.insert([job] * count))]
        for job_id in inserted:
            assert job_id not in self.model.jobs
            self.model.insert(job_id, delay, rerun=rerun)
        return multiple(*inserted)

    @precondition(lambda self: self.place_that_lends())
    @rule(target=ids, count=st.integers(1, 4), delay=delays, commits=st.booleans())
    def enqueue_in_a_transaction(self, count: int, delay: float, *, commits: bool) -> Any:  # noqa: ANN401 - as above
        place = self.place_that_lends()
        job = self.new(delay=delay or None)
        with place.lend() as lender:
            inserted = [one.id for one in self.store.insert_now([job] * count, tx=borrow(lender))]
            if not commits:
                lender.rollback()
                return multiple()
            lender.commit()
        for job_id in inserted:
            assert job_id not in self.model.jobs
            self.model.insert(job_id, delay, rerun=True)
        return multiple(*inserted)

    @rule(target=ids, count=st.integers(1, 3), delay=delays)
    def tick(self, count: int, delay: float) -> Any:  # noqa: ANN401 - as above
        job = self.new(delay=delay or None)
        entry = CronEntry(name="nightly", expr="@daily", job=job)
        if "nightly" not in (table := self.run(self.store.crontab())).rows:
            self.run(self.store.put_cron(entry))
            table = self.run(self.store.crontab())
        # Which tick comes next is the caller's business: earlier ones are always at hand.
        last = table.rows["nightly"].last_tick
        coming = min(last, int(table.now)) - 60
        firing = Firing("nightly", last, coming, (entry.job_at(coming),) * count)
        inserted = [one.id for one in self.run(self.store.fire_cron(firing)) or ()]
        assert len(inserted) == count
        # The reply was lost: it is sent once more.
        assert self.run(self.store.fire_cron(firing)) is None
        for job_id in inserted:
            assert job_id not in self.model.jobs
            self.model.insert(job_id, delay, rerun=True)
        return multiple(*inserted)

    def place_that_lends(self) -> Any:  # noqa: ANN401 - a LendingPlace, or None
        """Where a user's own connection comes from, on a store that shares transactions."""
        return None

    @rule(target=ids, key=st.sampled_from(["1", "2"]), delay=delays)
    def enqueue_unique(self, key: str, delay: float) -> Any:  # noqa: ANN401 - as above
        args = b"[%b]" % key.encode() if self.store.shape is Shape.LIST else b'{"key":%b}' % key.encode()
        job = self.new(args, delay=delay or None, unique=Uniqueness(UNIQUE, Arguments(("key",))))
        holder = self.model.holder(key)
        (one,) = self.run(self.store.insert([job]))
        if holder is not None:
            assert one == Inserted(holder, conflict=True)
            return multiple()
        assert not one.conflict
        assert one.id not in self.model.jobs
        self.model.insert(one.id, delay, key=key)
        return multiple(one.id)
