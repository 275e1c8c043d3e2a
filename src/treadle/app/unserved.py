"""Says that a job which somebody waits for stands in a queue that no live worker serves, or that is paused."""

from treadle.app.surface import App
from treadle.core.states import WAITING
from treadle.errors import ConfigError
from treadle.log import Log
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.url import is_private

PATIENCE = 2.0

_log = Log("treadle.jobs")


class Patience:
    """Of one wait for a job in a queue: looks who serves it after 2 seconds, then after 4, 8 and so on; warns once."""

    def __init__(self, app: App, job_id: str, queue: str) -> None:
        self._app = app
        self._id = job_id
        self._queue = queue
        self._began = app.clock.steady()
        self._ends = PATIENCE

    async def look(self, store: Store) -> None:
        """Look if it is time to."""
        if self._app.clock.steady() - self._began < self._ends:
            return
        self._ends *= 2
        served = {queue for worker in await store.workers() for queue in worker.queues or (self._queue,)}
        paused = {queue for queue, view in (await store.queues()).items() if view.paused}
        if self._queue in served - paused:
            return
        # Middleware may have sent it elsewhere; it may also be held by a worker that drains.
        found = await store.find(JobQuery(ids=(self._id,)))
        if found and found[0].state in WAITING and found[0].queue not in served - paused:
            self._ends = float("inf")
            queue = found[0].queue
            trouble = (
                f"is paused; resume it: treadle queues resume {queue}"
                if queue in paused
                else f"no live worker serves; {_remedy(self._app, queue)}"
            )
            _log.warning('job %s (%s) waits in queue "%s", which %s', self._id, found[0].name, queue, trouble)


def _remedy(app: App, queue: str) -> str:
    # Whoever waits in vain has the time, and a program that only enqueues never pays for the runtime.
    from treadle.app.worker import reference_of, registered_queues  # noqa: PLC0415

    if is_private(app.url):
        return "its store is in this process's memory, so run one here: with app.worker()"
    try:
        is_registered = queue in registered_queues(app)
    except ConfigError:
        is_registered = True
    command = f"treadle work {reference_of(app) or 'APP'}"
    return f"start one: {command}" if is_registered else f"start one: {command} -q {queue}"
