"""What the runtime knows of a registered job: how to read its arguments, how to run it, what to do when it fails."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from treadle.core.arguments import Signature
from treadle.core.inject import Source
from treadle.core.job import Job
from treadle.core.options import JobOptions
from treadle.core.outcomes import COMPLETED, Completed, Discarded, Failure, Outcome, after_error, after_failure
from treadle.core.results import ReturnedValue
from treadle.runtime.traces import user_traceback

RESULT_LIMIT = 1024 * 1024


# Called with the job and the error of its last attempt; may be async.
OnDiscard = Callable[[Job, BaseException], Any]


class Handler(msgspec.Struct, frozen=True):
    """A registered job.

    `sources`: where the values of its injected parameters come from; see core/inject.py. `result`: how the value that
    its function returns is kept; None where it is not.
    """

    name: str
    function: Callable[..., Any]
    signature: Signature
    options: JobOptions
    is_async: bool
    on_discard: Sequence[OnDiscard] = ()
    sources: Mapping[str, Source | None] = {}
    result: ReturnedValue | None = None

    def returned(self, value: object) -> Outcome:
        """The outcome of a body that returned.

        A recorded value that cannot be kept ends the job as discarded: to run its effects again would not mend it.
        """
        if self.result is None:
            return COMPLETED
        try:
            result = self.result.write(value)
        except Exception as error:  # noqa: BLE001 - user code: a value may be of a class of the user's
            return Discarded(Failure.of(error))
        if len(result) > RESULT_LIMIT:
            text = f'job "{self.name}": expected a result of at most {RESULT_LIMIT} bytes, got {len(result)}'
            return Discarded(Failure("ArgumentError", text))
        return Completed(result)

    def raised(self, job: Job, error: BaseException, jitter: float) -> Outcome:
        """The outcome of a body that raised; a wait of which no seconds can be made is reported, and replaced."""
        failure = Failure.of(error, user_traceback(error))
        try:
            return after_error(job, error, failure, self.options, jitter=jitter)
        except BaseException as broken:  # noqa: BLE001 - user code: the back-off function, or a signal's seconds
            text = f"{failure.traceback}\nits next run could not be timed:\n{user_traceback(broken)}"
            return after_failure(job, Failure.of(error, text), jitter=jitter)


Resolve = Callable[[str], Handler | None]
