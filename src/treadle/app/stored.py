"""The jobs in an app's store, asked for from anywhere: `app.jobs`."""

from typing import Literal

from treadle.app.asked import asked
from treadle.app.handle import Handle
from treadle.app.surface import App
from treadle.core.found import Page
from treadle.core.options import check_count, check_seconds
from treadle.core.query import EVERY_JOB
from treadle.errors import QueryError
from treadle.stores.job_query import JobQuery

LIMIT = 50
WITHIN = 10.0
"""Seconds."""


class StoredJobs:
    """The jobs that stand in the store of an app.

    Those of many are named by a query, such as "state:retryable queue:mail age:>5m"; raises QueryError for one that
    cannot be read.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def get(self, job_id: str) -> Handle:
        """The handle of a job of which only the id is known; nothing is looked up."""
        return Handle(self._app, job_id)

    def find(self, query: str = "", *, limit: int = LIMIT, after: str | None = None, within: float = WITHIN) -> Page:
        """The jobs that a query means, newest first, at most `limit`; an empty one means every job.

        It looks for about `within` seconds at the most. `after` is the cursor of an earlier page, where it goes on.
        """
        coroutine = self.afind(query, limit=limit, after=after, within=within)
        return self._app.blocking("find", coroutine, instead="await app.jobs.afind")

    async def afind(
        self, query: str = "", *, limit: int = LIMIT, after: str | None = None, within: float = WITHIN
    ) -> Page:
        """The jobs that a query means; see `find`."""
        check_count(limit, "limit of a search for jobs")
        check_seconds(within, "within of a search for jobs")
        store = await self._app.astore()
        return await store.find(JobQuery(where=asked(self._app, query), limit=limit, after=after, within=within))

    def count(self, query: str = "") -> int:
        """How many jobs a query means; all are looked at, however long it takes."""
        return self._app.blocking("count", self.acount(query), instead="await app.jobs.acount")

    async def acount(self, query: str = "") -> int:
        """How many jobs a query means; see `count`."""
        store = await self._app.astore()
        tally = await store.tally(JobQuery(where=asked(self._app, query)))
        return sum(tally.states.values())

    def retry(self, query: str) -> int:
        """Make all jobs that a query means available now; how many were. Those that wait or run stay as they are."""
        return self._app.blocking("retry", self.aretry(query), instead="await app.jobs.aretry")

    async def aretry(self, query: str) -> int:
        """Make all jobs that a query means available now; see `retry`."""
        return await self._act("retry", query)

    def cancel(self, query: str) -> int:
        """Cancel all jobs that a query means, the running ones by request; how many were cancelled or asked to end."""
        return self._app.blocking("cancel", self.acancel(query), instead="await app.jobs.acancel")

    async def acancel(self, query: str) -> int:
        """Cancel all jobs that a query means; see `cancel`."""
        return await self._act("cancel", query)

    def delete(self, query: str) -> int:
        """Delete all jobs that a query means for good; how many were. Those that run stay."""
        return self._app.blocking("delete", self.adelete(query), instead="await app.jobs.adelete")

    async def adelete(self, query: str) -> int:
        """Delete all jobs that a query means; see `delete`."""
        return await self._act("delete", query)

    async def _act(self, action: Literal["retry", "cancel", "delete"], query: str) -> int:
        where = asked(self._app, query)
        if where == EVERY_JOB:
            raise QueryError(f"expected a query that says which jobs to {action}, got none: name:* means every job")
        store = await self._app.astore()
        return await store.act(action, JobQuery(where=where))
