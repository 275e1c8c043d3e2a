"""One worker process: claims jobs, runs them, settles them.

Life: 1. `start` claims, for an owner that is enrolled. 2. Claims become attempts and go to the executor of their job.
3. Outcomes go to the settler; its answers free slots, which the claimer fills. 4. `drain` stops claiming, gives back
what has not begun, waits for what runs, then stops it. 5. `close` ends the executors; claims that are still held go
back with their owner, which whoever enrolled it makes leave.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from math import inf

from treadle.core.outcomes import (
    UNKNOWN_JOB_DELAY,
    Completed,
    Discarded,
    Failure,
    Released,
    Verdict,
    after_failure,
)
from treadle.errors import Expired, StoreError, UnknownJob
from treadle.hooks.events import (
    ClaimLost,
    JobReleased,
    JobStarted,
    JobStuck,
    JobUnknown,
    SettleRefused,
    WorkerFenced,
)
from treadle.runtime.attempt import Attempt, Interrupted, Stop
from treadle.runtime.audit import Audit
from treadle.runtime.claimer import Claimer
from treadle.runtime.completion import Transaction
from treadle.runtime.endings import Endings
from treadle.runtime.executors import Executors
from treadle.runtime.memory import resident
from treadle.runtime.page import Page
from treadle.runtime.patience import Patience
from treadle.runtime.processes import START_LIMIT
from treadle.runtime.running import Running
from treadle.runtime.setting import Setting
from treadle.runtime.settler import Settler
from treadle.runtime.slots import Group, Key, Slots
from treadle.stores.claim import Claim, Settled, Settlement
from treadle.stores.contract import Consumes

LAST_WORD = 2.0
"""Seconds that a body has to end in when it was told to, and the store to hear of the last outcomes."""

LEAST_WORD = 0.5
"""The same where no grace is left."""

LAST_CALL = 10.0
"""Seconds for which the end of an open claim call is waited for."""

UNKNOWN_NAMES = 1000
"""How many names of jobs that nobody answers to are told apart."""


class Worker:
    """Runs jobs for one owner. `ended` is set when it must be replaced: it was fenced, or too many jobs are stuck."""

    def __init__(self, store: Consumes, owner: str, slots: Slots, page: Page, setting: Setting) -> None:
        self.owner = owner
        self.slots = slots
        self.counts = setting.counts
        self.fenced = False
        self.ended = asyncio.Event()
        self.done: Counter[str] = Counter()
        """How many jobs of each queue were completed."""
        self.beat_limit: float | None = None
        """Nothing is claimed when the last accepted beat is so many seconds ago; None where nobody beats."""
        self._page = page
        self._setting = setting
        self._waiting: dict[Key, Attempt] = {}
        self._running = Running(page, slots.capacity, setting.clock, self._expired)
        self._unknown: set[str] = set()
        self._endings = Endings(
            setting,
            page,
            self._running,
            settle=self._settle,
            settled=self._settled,
            gone=self._give,
            has_heirs=lambda: self.beat_limit is not None,
        )
        self._loop = asyncio.get_running_loop()
        patience = Patience(setting.clock, setting.events, setting.jitter)
        self._settler = Settler(store, owner, patience, self._settled, self._refused)
        self._claimer = Claimer(
            store,
            owner,
            slots,
            patience,
            arrived=self._arrived,
            fenced=self.on_fenced,
            forgotten=self.on_forgotten,
            may=self._may_claim,
            owes=self._owes_a_look,
        )
        self._audit = Audit(store, owner, slots, self._claimer, lost=self._lost, cancel=self._cancelled)
        self._executors = Executors(
            slots.capacity,
            begin=self._begin,
            begun=self._running.count_time,
            done=self._endings.done,
            around=setting.around,
            process_command=setting.process_command,
            overrides=setting.overrides,
        )

    @property
    def running(self) -> list[Claim]:
        """The claims whose bodies run now."""
        return [attempt.claim for attempt in self._running]

    @property
    def tally(self) -> tuple[int, int, int]:
        """How many attempts ended well, failed with another to come, and failed for good."""
        return self._page.tally

    def weigh(self) -> int:
        """KiB of memory that this process occupies now, for its parent to see as well."""
        self._page.rss = resident()
        return self._page.rss

    def start(self) -> None:
        """Begin to claim; the owner must be enrolled."""
        self._claimer.start()

    def regroup(self, groups: Sequence[Group], paused: Collection[str]) -> None:
        """Claim for these groups from now on; a call that is open may bring what those before allowed."""
        self.slots.regroup(groups, paused)
        self._running.grow(self.slots.capacity)
        self._executors.grow(self.slots.capacity)
        self._claimer.changed()

    async def between_calls(self) -> None:
        """Return when no claim call is open."""
        await self._claimer.between_calls(LAST_CALL)

    def join(self) -> None:
        """Claim for the groups that are `own` as well: nobody else holds their part of a limit any more."""
        self.slots.apart = False
        self._claimer.room()

    async def audit(self, *, hastened: bool = False) -> None:
        """Compare with the store; see Audit."""
        await self._audit.look(hastened=hastened)

    async def quiet(self) -> None:
        """Claim no more; what is held goes on."""
        await self._claimer.stop()

    async def drain(self, grace: float) -> None:
        """Claim no more, give back what has not begun, and let the rest run for `grace` seconds; then stop it."""
        await self._claimer.stop()
        self._release_waiting()
        await self._wait_for_end(grace)
        self._endings.stop()
        for attempt in self._running:
            self._stop(attempt, Stop.SHUTDOWN)
        # One that was told to stop at once does not wait long for threads that do not.
        await self._wait_for_end(min(LAST_WORD, max(grace, LEAST_WORD)) if self._running else 0.0)

    async def close(self) -> None:
        """End the executors and send what can still be sent. Claims that are held go back with the owner."""
        await self._executors.close()
        self._running.close()
        try:
            async with asyncio.timeout(LAST_WORD):
                await self._settler.flush()
        except TimeoutError:
            pass
        await self._settler.close()

    def _may_claim(self) -> bool:
        beat = self._page.beat
        return self.beat_limit is None or self._setting.clock.steady() - beat < self.beat_limit

    def _owes_a_look(self, owes: bool) -> None:  # noqa: FBT001 - the claimer's word
        self._page.fetched = self._setting.clock.steady() if owes else inf

    def _arrived(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            handler = self._setting.resolve(claim.job.name)
            if handler is None:
                self._refuse(claim)
                continue
            attempt = Attempt(claim, handler)
            attempt.transaction = partial(Transaction, attempt, self.owner, self._setting.transacts)
            self._waiting[claim.key] = attempt
            self._executors.submit(attempt)

    def _refuse(self, claim: Claim) -> None:
        """Put a job back whose name nobody answers to, for another worker, or let it fail as peers do."""
        job = claim.job
        if self._setting.unknown == "release":
            # Names may be forged: they must not fill the memory.
            first = job.name not in self._unknown and len(self._unknown) < UNKNOWN_NAMES
            if first:
                self._unknown.add(job.name)
            self._setting.events.emit(JobUnknown(job=job, after=UNKNOWN_JOB_DELAY, first=first))
            self._settler.add(Settlement(claim, Released(UNKNOWN_JOB_DELAY)), hurry=False)
            return
        failure = Failure.of(UnknownJob(f'job "{job.name}" is not registered in this app'))
        self._endings.conclude(claim, after_failure(job, failure, jitter=self._setting.jitter()))

    def _begin(self, attempt: Attempt) -> bool:
        key = attempt.claim.key
        if attempt.stop is not None or key not in self._waiting:
            return False
        del self._waiting[key]
        self._running.enter(attempt)
        job, expires = attempt.claim.job, attempt.handler.options.expires
        if (verdict := Verdict.of(job)) is not None:
            self._endings.discard(attempt, Discarded(verdict.failure))
            return False
        if expires is not None and job.waited > expires:
            text = f"expected to start within {expires:g} s of when it was due, got {job.waited:.1f} s"
            self._endings.done(attempt, None, Expired(text))
            return False
        # A process job's time is counted again from when its process is ready.
        self._running.count_time(attempt, START_LIMIT if attempt.handler.options.executor == "process" else 0.0)
        if self._setting.events.wanted(JobStarted):
            self._setting.events.emit(JobStarted(job=job))
        return True

    def _settle(self, settlement: Settlement) -> None:
        self._settler.add(settlement, hurry=not self._waiting)

    def _give(self, key: Key) -> None:
        """The store holds this claim for us no more."""
        self._running.known(key)
        self.slots.give(key)
        self._claimer.room()

    def _settled(self, settlement: Settlement, answer: Settled) -> None:
        self._give(settlement.claim.key)
        if answer.answer == "gone":
            self._setting.events.emit(ClaimLost(job=settlement.claim.job, state=answer.state))
        elif isinstance(settlement.outcome, Completed):
            self.done[settlement.claim.job.queue] += 1

    def _refused(self, settlement: Settlement, error: Exception) -> None:
        text = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
        self._setting.events.emit(SettleRefused(job=settlement.claim.job, error=text))

    def _stop(self, attempt: Attempt, why: Stop) -> None:
        if attempt.stop is None:
            attempt.stop = why
            self._executors.stop(attempt)

    def _expired(self, attempt: Attempt) -> None:
        self._stop(attempt, Stop.TIMEOUT)
        self._loop.call_later(LAST_WORD, self._abandon, attempt)

    def _abandon(self, attempt: Attempt) -> None:
        if attempt.ending:
            # It may be committed by now, and will know.
            self._loop.call_later(LAST_WORD, self._abandon, attempt)
        elif self._running.get(attempt.claim.key) is attempt and self._executors.abandon(attempt):
            self._setting.events.emit(JobStuck(job=attempt.claim.job, stuck=self._executors.stuck))
            self._endings.done(attempt, None, Interrupted())
            if self._executors.stuck >= self._setting.stuck_limit:
                self.ended.set()

    def _lost(self, key: Key) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.stop = Stop.GONE
            self.slots.give(key)
            self._claimer.room()
        running = waiting or self._running.get(key)
        if running is not None and running.settled is None and not running.ending:
            self._setting.events.emit(ClaimLost(job=running.claim.job, state=None))
            self._stop(running, Stop.GONE)

    def _cancelled(self, claim: Claim) -> None:
        running = self._running.get(claim.key)
        if running is not None:
            self._stop(running, Stop.CANCEL)

    def on_fenced(self) -> None:
        """This owner was declared dead: stop everything, and settle nothing."""
        if self.fenced:
            return
        self.fenced = True
        self._endings.stop()
        self._setting.events.emit(WorkerFenced(owner=self.owner))
        self._waiting.clear()
        for attempt in self._running:
            self._stop(attempt, Stop.GONE)
        self.ended.set()

    def on_forgotten(self) -> None:
        """The store lost its data: what runs may end, though nobody will record it."""
        self._audit.forgive()

    def _release_waiting(self) -> None:
        self._executors.drop_waiting()
        # The newest first: each goes to the head of its queue.
        for attempt in reversed(self._waiting.values()):
            attempt.stop = Stop.SHUTDOWN
            self._setting.events.emit(JobReleased(job=attempt.claim.job, reason=Stop.SHUTDOWN.value))
            self._settler.add(Settlement(attempt.claim, Released()), hurry=True)
        self._waiting.clear()

    async def _wait_for_end(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self._running or self._settler.owed:  # noqa: ASYNC110 - two counts, near a process's end
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return
