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
    LOST,
    UNKNOWN_JOB_DELAY,
    Completed,
    Discarded,
    Failure,
    Outcome,
    Released,
    Retried,
    Verdict,
    after_failure,
    handed_over,
)
from treadle.errors import Expired, JobFailed, StoreError, UnknownJob
from treadle.hooks.events import (
    ClaimLost,
    JobReleased,
    JobStarted,
    JobStuck,
    JobUnknown,
    SettleRefused,
    WorkerFenced,
)
from treadle.runtime.attempt import Attempt, FailedInProcess, Interrupted, Stop
from treadle.runtime.audit import Audit
from treadle.runtime.claimer import Claimer
from treadle.runtime.completion import Transaction, complain
from treadle.runtime.deadlines import Deadlines
from treadle.runtime.discards import Discards
from treadle.runtime.executors import Executors
from treadle.runtime.memory import resident
from treadle.runtime.page import Page
from treadle.runtime.patience import Patience
from treadle.runtime.processes import START_LIMIT
from treadle.runtime.setting import Setting
from treadle.runtime.settler import Settler
from treadle.runtime.slots import Group, Key, Slots
from treadle.runtime.telling import tell
from treadle.stores.claim import APPLIED, Claim, Settled, Settlement
from treadle.stores.contract import Consumes

LAST_WORD = 2.0
LEAST_WORD = 0.5
LAST_CALL = 10.0
UNKNOWN_NAMES = 1000


class Worker:
    """Runs jobs for one owner. `ended` is set when it must be replaced: it was fenced, or too many jobs are stuck."""

    def __init__(self, store: Consumes, owner: str, slots: Slots, page: Page, setting: Setting) -> None:
        self.owner = owner
        self.slots = slots
        self.fenced = False
        self.ended = asyncio.Event()
        self.done: Counter[str] = Counter()
        """How many jobs of each queue were completed."""
        self._store = store
        self._page = page
        self._setting = setting
        self._attempts: dict[Key, Attempt] = {}
        self._running: dict[Key, Attempt] = {}
        self._free = list(range(slots.capacity))
        # The slots of jobs that must not run again: until the store knows their outcome they may have run.
        self._marked: dict[Key, int] = {}
        self._unknown: set[str] = set()
        self._discards = Discards()
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
        self._deadlines = Deadlines(setting.clock.steady, self._loop.call_later, self._expired, self._earliest)
        self._executors = Executors(
            slots.capacity,
            begin=self._begin,
            begun=self._count_time,
            done=self._done,
            around=setting.around,
            process_command=setting.process_command,
            overrides=setting.overrides,
        )
        self.beat_limit: float | None = None

    @property
    def running(self) -> list[Claim]:
        """The claims whose bodies run now."""
        return [attempt.claim for attempt in self._running.values()]

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
        before = self.slots.capacity
        self.slots.regroup(groups, paused)
        self._page.grow(self.slots.capacity)
        self._free.extend(range(before, self.slots.capacity))
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
        self._discards.stop()
        for attempt in list(self._running.values()):
            self._stop(attempt, Stop.SHUTDOWN)
        # One that was told to stop at once does not wait long for threads that do not.
        await self._wait_for_end(min(LAST_WORD, max(grace, LEAST_WORD)) if self._running else 0.0)

    async def close(self) -> None:
        """End the executors and send what can still be sent. Claims that are held go back with the owner."""
        await self._executors.close()
        self._deadlines.close()
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
            self._attempts[claim.key] = attempt
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
        self._settle(claim, after_failure(job, failure, jitter=self._setting.jitter()))

    def _begin(self, attempt: Attempt) -> bool:
        key = attempt.claim.key
        if attempt.stop is not None or key not in self._attempts:
            return False
        del self._attempts[key]
        self._running[key] = attempt
        attempt.slot = self._free.pop()
        self._page.marks[attempt.slot] = attempt.claim.mark
        attempt.started = self._setting.clock.steady()
        job, expires = attempt.claim.job, attempt.handler.options.expires
        if (verdict := Verdict.of(job)) is not None:
            self._discard(attempt, Discarded(verdict.failure), None, 0.0)
            return False
        if expires is not None and job.waited > expires:
            text = f"expected to start within {expires:g} s of when it was due, got {job.waited:.1f} s"
            self._done(attempt, None, Expired(text))
            return False
        # A process job's time is counted again from when its process is ready.
        self._count_time(attempt, START_LIMIT if attempt.handler.options.executor == "process" else 0.0)
        if self._setting.events.wanted(JobStarted):
            self._setting.events.emit(JobStarted(job=job))
        return True

    def _count_time(self, attempt: Attempt, allowance: float = 0.0) -> None:
        timeout = attempt.handler.options.timeout
        if timeout is not None:
            if attempt.deadline:
                self._deadlines.remove(attempt)
            attempt.deadline = self._setting.clock.steady() + timeout + allowance
            self._deadlines.add(attempt)

    def _done(self, attempt: Attempt, value: object, error: BaseException | None) -> None:
        if attempt.settled is not None:
            self._end_settled(attempt, *attempt.settled, error)
            return
        if error is not None:
            error = attempt.blamed(error)
        outcome = attempt.conclude(value, error, self._setting.jitter())
        seconds = self._setting.clock.steady() - attempt.started
        if isinstance(outcome, Discarded) and attempt.stop is not Stop.SHUTDOWN:
            self._discard(attempt, outcome, error, seconds)
        elif outcome == Discarded(LOST) and attempt.handler.on_discard and self.beat_limit is not None:
            # No time is left to call it: another process of a node will.
            self._end(attempt, handed_over(LOST), seconds)
        else:
            self._end(attempt, outcome, seconds)

    def _end_settled(self, attempt: Attempt, done: Settlement, answer: Settled, error: BaseException | None) -> None:
        """A transaction of the job's own has settled it."""
        self._leave_slot(attempt)
        if answer == APPLIED:
            complain(attempt, error)
            tell(self._setting.events, done.claim.job, done.outcome, self._setting.clock.steady() - attempt.started)
            self._count(done.outcome)
        self._settled(done, answer)

    def _discard(self, attempt: Attempt, outcome: Discarded, error: BaseException | None, seconds: float) -> None:
        """It keeps its slot, for it may have to run again if the process dies now, but its time has ended."""
        if not attempt.handler.on_discard:
            self._end(attempt, outcome, seconds)
            return
        if attempt.deadline:
            self._deadlines.remove(attempt)
            attempt.deadline = 0.0
        if error is None or isinstance(error, FailedInProcess):
            error = JobFailed(f"{outcome.failure.error_class}: {outcome.failure.message}")
        job, cut_off = Verdict.told(attempt.claim.job), Released() if Verdict.of(attempt.claim.job) else outcome
        ended = partial(self._end, attempt, seconds=seconds)
        self._discards.call(attempt.handler, job, error, lambda whole: ended(outcome=outcome if whole else cut_off))

    def _end(self, attempt: Attempt, outcome: Outcome | None, seconds: float) -> None:
        self._leave_slot(attempt)
        if outcome is None:
            self._give(attempt.claim.key)
        else:
            self._settle(attempt.claim, outcome, seconds)

    def _settle(self, claim: Claim, outcome: Outcome, seconds: float = 0.0) -> None:
        tell(self._setting.events, claim.job, outcome, seconds)
        self._count(outcome)
        self._settler.add(Settlement(claim, outcome), hurry=not self._attempts)

    def _count(self, outcome: Outcome) -> None:
        completed, failed, discarded = self._page.tally
        match outcome:
            case Retried():
                self._page.tally = completed, failed + 1, discarded
            case Discarded():
                self._page.tally = completed, failed, discarded + 1
            case _:
                self._page.tally = completed + 1, failed, discarded

    def _leave_slot(self, attempt: Attempt) -> None:
        if self._running.pop(attempt.claim.key, None) is None:
            return
        if attempt.claim.job.rerun:
            self._clear(attempt.slot)
        else:
            self._marked[attempt.claim.key] = attempt.slot
        if attempt.deadline:
            self._deadlines.remove(attempt)

    def _clear(self, slot: int) -> None:
        self._page.marks[slot] = 0
        self._free.append(slot)

    def _give(self, key: Key) -> None:
        """The store holds this claim for us no more."""
        if self._marked and key in self._marked:
            self._clear(self._marked.pop(key))
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
            self._done(attempt, None, Interrupted())
            if self._executors.stuck >= self._setting.stuck_limit:
                self.ended.set()

    def _earliest(self, attempt: Attempt | None) -> None:
        self._page.overdue = (attempt.deadline, attempt.claim.mark) if attempt else (0.0, 0)

    def _lost(self, key: Key) -> None:
        if (waiting := self._attempts.pop(key, None)) is not None:
            waiting.stop = Stop.GONE
            self.slots.give(key)
            self._claimer.room()
        running = waiting or self._running.get(key)
        if running is not None and running.settled is None and not running.ending:
            self._setting.events.emit(ClaimLost(job=running.claim.job, state=None))
            self._stop(running, Stop.GONE)

    def _cancelled(self, claim: Claim) -> None:
        if (running := self._running.get(claim.key)) is not None:
            self._stop(running, Stop.CANCEL)

    def on_fenced(self) -> None:
        """This owner was declared dead: stop everything, and settle nothing."""
        if self.fenced:
            return
        self.fenced = True
        self._discards.stop()
        self._setting.events.emit(WorkerFenced(owner=self.owner))
        self._attempts.clear()
        for attempt in list(self._running.values()):
            self._stop(attempt, Stop.GONE)
        self.ended.set()

    def on_forgotten(self) -> None:
        """The store lost its data: what runs may end, though nobody will record it."""
        self._audit.forgive()

    def _release_waiting(self) -> None:
        self._executors.drop_waiting()
        # The newest first: each goes to the head of its queue.
        for attempt in reversed(self._attempts.values()):
            attempt.stop = Stop.SHUTDOWN
            self._setting.events.emit(JobReleased(job=attempt.claim.job, reason=Stop.SHUTDOWN.value))
            self._settler.add(Settlement(attempt.claim, Released()), hurry=True)
        self._attempts.clear()

    async def _wait_for_end(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self._running or self._settler.owed:  # noqa: ASYNC110 - two counts, near a process's end
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return
