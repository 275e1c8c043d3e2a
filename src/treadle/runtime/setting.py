"""What a worker is given by whoever puts it together."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from treadle.core.clock import Clock
from treadle.core.inject import Provider
from treadle.core.job import Job
from treadle.core.options import Unknown
from treadle.core.outcomes import Outcome
from treadle.hooks.events import Events
from treadle.hooks.middleware import AroundPerform
from treadle.runtime.handler import Resolve
from treadle.runtime.pulses import AttemptCounts
from treadle.runtime.telling import tell
from treadle.stores.transactions import Transacts


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is given by whoever puts it together.

    `stuck_limit`: recycle the process at so many stuck jobs. `overrides`: values that take the place of a provider's.
    `unknown`: what becomes of a job that `resolve` does not know. `transacts`: the store, where it shares transactions.
    `counts`: where to count attempts that ended, if somebody wants to know.
    """

    resolve: Resolve
    events: Events
    around: Sequence[AroundPerform]
    clock: Clock
    jitter: Callable[[], float]
    process_command: Sequence[str]
    stuck_limit: int
    overrides: Mapping[Provider, object] = {}
    unknown: Unknown = "release"
    transacts: Transacts | None = None
    counts: AttemptCounts | None = None

    def tell(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """An attempt has ended, `seconds` after it began."""
        tell(self.events, job, outcome, seconds)
        if self.counts is not None:
            self.counts.count(job, outcome, seconds)
