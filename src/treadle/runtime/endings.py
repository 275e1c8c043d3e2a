"""From the end of a body to what the store is told of it.

1. What was returned or raised becomes an outcome. 2. Before a discard the job's `on_discard` is called. 3. The attempt
leaves its place; its event is emitted and it is counted. 4. The outcome is handed on to be settled.
"""

from collections.abc import Callable
from functools import partial

from treadle.core.outcomes import LOST, Discarded, Outcome, Released, Retried, Verdict, handed_over
from treadle.errors import JobFailed
from treadle.runtime.attempt import Attempt, FailedInProcess, Stop
from treadle.runtime.completion import complain
from treadle.runtime.discards import Discards
from treadle.runtime.page import Page
from treadle.runtime.running import Running
from treadle.runtime.setting import Setting
from treadle.runtime.slots import Key
from treadle.stores.claim import APPLIED, Claim, Settled, Settlement


class Endings:
    """`settle` is called with what the store is to be told, `settled` with what it was told before, and its answer.

    `gone` is called with a claim that is ours no more. `has_heirs` says whether other processes go on after this one.
    """

    def __init__(
        self,
        setting: Setting,
        page: Page,
        running: Running,
        *,
        settle: Callable[[Settlement], None],
        settled: Callable[[Settlement, Settled], None],
        gone: Callable[[Key], None],
        has_heirs: Callable[[], bool],
    ) -> None:
        self._setting = setting
        self._page = page
        self._running = running
        self._settle = settle
        self._settled = settled
        self._gone = gone
        self._has_heirs = has_heirs
        self._discards = Discards()

    def done(self, attempt: Attempt, value: object, error: BaseException | None) -> None:
        """Its body has returned this or raised that."""
        if attempt.settled is not None:
            self._end_settled(attempt, *attempt.settled, error)
            return
        if error is not None:
            error = attempt.blamed(error)
        outcome = attempt.conclude(value, error, self._setting.jitter())
        seconds = self._setting.clock.steady() - attempt.started
        if isinstance(outcome, Discarded) and attempt.stop is not Stop.SHUTDOWN:
            self.discard(attempt, outcome, error, seconds)
        elif outcome == Discarded(LOST) and attempt.handler.on_discard and self._has_heirs():
            # No time is left to call it: another process of a node will.
            self._end(attempt, handed_over(LOST), seconds)
        else:
            self._end(attempt, outcome, seconds)

    def discard(
        self, attempt: Attempt, outcome: Discarded, error: BaseException | None = None, seconds: float = 0.0
    ) -> None:
        """It keeps its place, for it may have to run again if the process dies now, but its time has ended."""
        if not attempt.handler.on_discard:
            self._end(attempt, outcome, seconds)
            return
        self._running.stop_time(attempt)
        if error is None or isinstance(error, FailedInProcess):
            error = JobFailed(f"{outcome.failure.error_class}: {outcome.failure.message}")
        job, cut_off = Verdict.told(attempt.claim.job), Released() if Verdict.of(attempt.claim.job) else outcome
        ended = partial(self._end, attempt, seconds=seconds)
        self._discards.call(attempt.handler, job, error, lambda whole: ended(outcome=outcome if whole else cut_off))

    def conclude(self, claim: Claim, outcome: Outcome, seconds: float = 0.0) -> None:
        """This becomes of the job, after so many seconds."""
        self._setting.tell(claim.job, outcome, seconds)
        self._count(outcome)
        self._settle(Settlement(claim, outcome))

    def stop(self) -> None:
        """Cut off what `on_discard` does, and call it no more."""
        self._discards.stop()

    def _end_settled(self, attempt: Attempt, done: Settlement, answer: Settled, error: BaseException | None) -> None:
        """A transaction of the job's own has settled it."""
        self._running.leave(attempt)
        if answer == APPLIED:
            complain(attempt, error)
            self._setting.tell(done.claim.job, done.outcome, self._setting.clock.steady() - attempt.started)
            self._count(done.outcome)
        self._settled(done, answer)

    def _end(self, attempt: Attempt, outcome: Outcome | None, seconds: float) -> None:
        self._running.leave(attempt)
        if outcome is None:
            self._gone(attempt.claim.key)
        else:
            self.conclude(attempt.claim, outcome, seconds)

    def _count(self, outcome: Outcome) -> None:
        completed, failed, discarded = self._page.tally
        match outcome:
            case Retried():
                self._page.tally = completed, failed + 1, discarded
            case Discarded():
                self._page.tally = completed, failed, discarded + 1
            case _:
                self._page.tally = completed + 1, failed, discarded
