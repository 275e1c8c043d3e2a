"""The jobs in an app's store, asked for from anywhere: `app.jobs`."""

from treadle.app.handle import Handle
from treadle.app.surface import App


class StoredJobs:
    """The jobs that stand in the store of an app."""

    def __init__(self, app: App) -> None:
        self._app = app

    def get(self, job_id: str) -> Handle:
        """The handle of a job of which only the id is known; nothing is looked up."""
        return Handle(self._app, job_id)
