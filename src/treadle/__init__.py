"""Background jobs on SQLite, PostgreSQL and Redis, exchanged with Sidekiq, Exq, Resque and Oban."""

from treadle.app.function import JobFunction
from treadle.app.handle import Handle, ResultHandle
from treadle.app.jobs import Jobs
from treadle.app.treadle import Treadle
from treadle.core.inject import Inject
from treadle.core.job import Job
from treadle.core.uniqueness import Unique
from treadle.errors import Cancel, Retry, Snooze, TreadleError
from treadle.hooks.current import current_job
from treadle.hooks.records import JobContext

__version__ = "0.1.0"

__all__ = [
    "Cancel",
    "Handle",
    "Inject",
    "Job",
    "JobContext",
    "JobFunction",
    "Jobs",
    "ResultHandle",
    "Retry",
    "Snooze",
    "Treadle",
    "TreadleError",
    "Unique",
    "current_job",
]
