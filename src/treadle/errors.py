"""The whole exception tree: is it your call, is it worth trying again, is it lost."""


class TreadleError(Exception):
    """Every error that treadle itself raises."""


class ConfigError(TreadleError):
    """A setting, an option or a call is wrong; the text names what was expected, what came and where to change it."""


class BlockingCall(ConfigError):
    """A blocking call on a thread whose event loop runs; the text names the async twin."""


class QueryError(ConfigError):
    """A query for jobs cannot be read, or cannot be asked of this store; the text says where it stumbles."""


class ArgumentError(TreadleError, TypeError):
    """Arguments do not bind to the job's signature, are not of its types, or are nothing that JSON carries exactly."""


class UnknownJob(TreadleError, LookupError):
    """No job of that name is registered in this app."""


class UnknownQueue(TreadleError, LookupError):
    """No job, no live worker and no registered job is of a queue of that name."""


class UnknownCron(TreadleError, LookupError):
    """No entry of the crontab has that name."""


class UnknownNode(TreadleError, LookupError):
    """No live node answers to that name, or none lives."""


class StoreError(TreadleError):
    """The store answered, and refused: wrong schema, wrong type of key, missing right."""


class StoreUnavailable(StoreError):
    """The store could not be reached or did not answer in time; the call may be sent again."""


class Unconfirmed(StoreUnavailable):
    """An insert whose reply was lost: the jobs may or may not stand in the store, under `ids`."""

    def __init__(self, message: str, ids: tuple[str, ...]) -> None:
        super().__init__(message)
        self.ids = ids


class UniqueUndecided(StoreError):
    """Another open transaction holds the key of a unique job; nothing was enqueued, the call may be sent again."""


class StoreFull(StoreError):
    """The store has no room for new jobs; what is queued goes on."""


class NotEnrolled(StoreError):
    """The store does not know this owner: its data was lost, or the owner never enrolled."""


class Fenced(StoreError):
    """This owner was declared dead and its claims were taken back; it must not claim or run anything any more."""


class JobFailed(TreadleError):
    """The awaited job was discarded: its last attempt failed. The text is that failure's."""


class JobCancelled(TreadleError):
    """The awaited job was cancelled."""


class ResultGone(TreadleError):
    """The awaited job is gone from the store, and its value too: somebody pruned or deleted it."""


class JobTimeout(TreadleError, TimeoutError):
    """The attempt ran longer than the job's `timeout`."""


class Expired(TreadleError):
    """The job could not be started within `expires` seconds of when it was due."""


class Signal(TreadleError):
    """What a job raises to say what shall happen to it."""


class Snooze(Signal):
    """Not now: run this job again after `seconds`; no attempt is consumed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"snoozed for {seconds} s")
        self.seconds = seconds


class Cancel(Signal):
    """Not at all: end this job as cancelled, for `reason`; it is no failure."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "cancelled by its job")
        self.reason = reason


class Retry(Signal):
    """This attempt failed; the next one, if one is left, comes after `seconds` whatever the back-off says."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"retry in {seconds} s")
        self.seconds = seconds
