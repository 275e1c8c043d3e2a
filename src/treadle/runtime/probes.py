"""What a node shows of itself over HTTP: whether it lives, whether it is ready, and its metrics.

Everything but the depth of the queues is in this process's memory, so that a page answers while the store does not.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Protocol

from treadle.core.clock import Clock
from treadle.errors import StoreError
from treadle.runtime.exposition import KIND, Exposition, Labels
from treadle.runtime.health import Health
from treadle.runtime.listener import Answer, Page
from treadle.runtime.metrics import Attempts, Series
from treadle.runtime.place import Place
from treadle.stores.views import QueueView

QUEUES_KEPT = 5.0
QUEUES_DEADLINE = 2.0

_COUNTERS = {
    "deaths": ("treadle_worker_deaths_total", "Worker processes that died by themselves."),
    "restarts": ("treadle_worker_restarts_total", "Worker processes that were started in the place of another."),
    "fenced": ("treadle_workers_fenced_total", "Worker processes that were declared dead while they lived."),
    "rescued": ("treadle_jobs_rescued_total", "Jobs of dead owners, of any node, that this node gave back."),
}


class Queues(Protocol):
    """The one verb of a store that is needed here."""

    async def queues(self) -> Mapping[str, QueueView]:
        """How the queues do."""
        ...


class Probes:
    """`attempts` and `counts` are the node's; `store` is set when it is open, `stopping` when the node drains."""

    def __init__(self, health: Health, places: Collection[Place], clock: Clock) -> None:
        self.attempts = Attempts()
        self.counts: Counter[str] = Counter()
        self.store: Queues | None = None
        self.stopping = False
        self._health = health
        self._places = places
        self._clock = clock
        self._queues: Mapping[str, QueueView] = {}
        self._looked = -QUEUES_KEPT
        self._looking = asyncio.Lock()

    @property
    def pages(self) -> Mapping[str, Page]:
        """The pages by their paths."""
        return {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._metrics}

    async def _livez(self) -> Answer:
        return _verdict("; ".join(self._health.stalls()))

    async def _readyz(self) -> Answer:
        return _verdict("the node is draining" if self.stopping else self._health.unready())

    async def _metrics(self) -> Answer:
        page = Exposition()
        self._show_attempts(page)
        self._show_processes(page)
        await self._look()
        _show_queues(page, self._queues)
        return Answer(page.text, kind=KIND)

    def _show_attempts(self, page: Exposition) -> None:
        labelled: list[tuple[Labels, Series]] = [
            ({"queue": queue, "name": name}, series) for (queue, name), series in self.attempts.series.items()
        ]
        page.counter(
            "treadle_jobs_total",
            "Attempts by their outcome.",
            (
                ({**labels, "outcome": outcome}, number)
                for labels, series in labelled
                for outcome, number in series.outcomes.items()
            ),
        )
        timed = [(labels, series) for labels, series in labelled if any(series.ran.counts)]
        ran = ((labels, series.ran) for labels, series in timed)
        waited = ((labels, series.waited) for labels, series in timed)
        page.histogram("treadle_job_run_seconds", "How long attempts ran.", ran)
        page.histogram("treadle_job_queue_seconds", "How long jobs that were due waited for their attempt.", waited)

    def _show_processes(self, page: Exposition) -> None:
        children = [place.child for place in self._places if place.child and place.child.page.turned]
        pages = [child.page for child in children]
        page.gauge("treadle_workers", "Worker processes that work.", [({}, len(pages))])
        slots = sum(child.slots for child in children)
        page.gauge("treadle_slots", "How many jobs they can run at once.", [({}, slots)])
        running = sum(mark != 0 for one in pages for mark in one.marks)
        page.gauge("treadle_jobs_running", "How many jobs run now.", [({}, running)])
        for name, (metric, meaning) in _COUNTERS.items():
            page.counter(metric, meaning, [({}, self.counts[name])])

    async def _look(self) -> None:
        """Ask the store, at most each five seconds; a store that is away leaves the queues out."""
        async with self._looking:
            if self.store is None or self._clock.steady() - self._looked < QUEUES_KEPT:
                return
            self._looked = self._clock.steady()
            try:
                async with asyncio.timeout(QUEUES_DEADLINE):
                    self._queues = await self.store.queues()
            except (StoreError, TimeoutError):
                self._queues = {}


def _verdict(trouble: str) -> Answer:
    return Answer(f"{trouble}\n", HTTPStatus.SERVICE_UNAVAILABLE) if trouble else Answer("ok\n")


def _show_queues(page: Exposition, queues: Mapping[str, QueueView]) -> None:
    depths = [({"queue": name}, view.available) for name, view in queues.items()]
    # Where jobs wait and the store cannot tell since when, 0 would be a lie.
    told = {name: view.age or 0.0 for name, view in queues.items() if view.age is not None or not view.available}
    ages = [({"queue": name}, age) for name, age in told.items()]
    paused = [({"queue": name}, int(view.paused)) for name, view in queues.items()]
    page.gauge("treadle_queue_paused", "Whether nothing of the queue is claimed until it is resumed.", paused)
    page.gauge("treadle_queue_depth", "Jobs that wait for a worker.", depths)
    page.gauge("treadle_queue_oldest_seconds", "How long the one that waits longest has been due.", ages)
