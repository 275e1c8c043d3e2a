"""A worker inside a program that has a loop of its own: `async with app.worker()`.

It beats from a thread, so that a body that holds the loop does not look dead, and touches no signal handler.
"""

import asyncio
import os
import sys
from typing import Self

from treadle.app.surface import App
from treadle.app.worker import build_services, build_worker, owner_name, reference_of, registered_queues, reporting
from treadle.hooks.events import WorkerReady, WorkerStopped
from treadle.runtime.heart import BEATS_PER_LEASE, STALE, Heart
from treadle.runtime.page import Page, new_page
from treadle.runtime.plan import Plan
from treadle.runtime.reporter import Reporter
from treadle.runtime.safety import check_store
from treadle.runtime.slots import Slots
from treadle.runtime.worker import Worker
from treadle.supervise.clock import jitter
from treadle.supervise.periodic import Periodic
from treadle.supervise.portal import Portal


class EmbeddedWorker:
    """Claims from the moment it is entered; leaving it drains for the plan's grace and gives back what still runs."""

    def __init__(self, app: App, plan: Plan) -> None:
        self._app = app
        self._plan = plan
        self._beating = Portal()
        self._services: list[Periodic] = []
        self._guard: asyncio.Task[None] | None = None
        self._worker: Worker | None = None

    async def __aenter__(self) -> Self:
        store = await self._app.astore()
        await check_store(store, self._app.events, unsafe=self._plan.unsafe)
        self._services = build_services(store, self._app.events, self._plan.lease)
        for service in self._services:
            service.start()
        started = asyncio.Event()
        self._guard = asyncio.create_task(self._run(started), name="treadle embedded worker")
        waiting = asyncio.create_task(started.wait())
        try:
            await asyncio.wait([self._guard, waiting], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.__aexit__()
            raise
        finally:
            waiting.cancel()
        if self._guard.done():
            await self._stop_services()
            self._guard.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._guard is not None:
            self._guard.cancel()
            await asyncio.wait([self._guard])
            if not self._guard.cancelled() and self._guard.exception() is not None:
                self._guard.result()
        await self._stop_services()

    async def _stop_services(self) -> None:
        for service in self._services:
            await service.stop()
        await asyncio.to_thread(self._beating.close)

    async def _run(self, started: asyncio.Event) -> None:
        """One owner after the other: one that was declared dead is never used again."""
        while True:
            slots = Slots(self._plan.groups(registered_queues(self._app)))
            page = new_page(slots.limit)
            owner = owner_name(os.getpid())
            reference = reference_of(self._app)
            worker = build_worker(self._app, owner, slots, page, reference=reference, stuck_limit=sys.maxsize)
            beats = _Beats(self._app, worker, page, self._plan.lease)
            enrolling = asyncio.create_task(asyncio.to_thread(self._beating.run, beats.start()))
            try:
                await asyncio.shield(enrolling)
                await self._life(worker, started)
            finally:
                # A thread cannot be cancelled: what it has begun is undone when it has ended.
                await asyncio.shield(asyncio.wait([enrolling]))
                await asyncio.shield(self._end(worker, beats, enrolled=enrolling.exception() is None))
                page.close()

    async def _life(self, worker: Worker, started: asyncio.Event) -> None:
        worker.beat_limit = self._plan.lease * STALE
        worker.start()
        reporter = Reporter(self._app.store, worker, self._app.clock.now())
        every = self._plan.lease / BEATS_PER_LEASE
        reporting_on = reporter.periodic(every, jitter, reporting(self._app.events))
        reporting_on.start()
        events, slots = self._app.events, worker.slots
        events.emit(WorkerReady(owner=worker.owner, queues=slots.queues, concurrency=slots.limit))
        started.set()
        try:
            await worker.ended.wait()
        finally:
            await reporting_on.stop()

    async def _end(self, worker: Worker, beats: "_Beats", *, enrolled: bool) -> None:
        await worker.drain(0.0 if worker.fenced else self._plan.grace)
        await worker.close()
        await asyncio.to_thread(self._beating.run, beats.stop())
        if enrolled and not worker.fenced:
            await self._app.store.leave(worker.owner)
        self._app.events.emit(WorkerStopped(owner=worker.owner))


class _Beats:
    """The beats of one embedded worker; its methods run on the beating thread."""

    def __init__(self, app: App, worker: Worker, page: Page, lease: float) -> None:
        loop = asyncio.get_running_loop()

        def fenced(_: str) -> None:
            loop.call_soon_threadsafe(worker.on_fenced)

        def forgotten(_: str) -> None:
            loop.call_soon_threadsafe(worker.on_forgotten)

        self._store = app.store
        self._heart = Heart(app.store, lease, app.clock, app.events, fenced=fenced, forgotten=forgotten)
        self._owner, self._page = worker.owner, page
        self._periodic = Periodic(
            "heart", self._heart.beat, every=self._heart.every, jitter=jitter, on_error=reporting(app.events)
        )

    async def start(self) -> None:
        await self._heart.add(self._owner, self._page)
        self._periodic.start()

    async def stop(self) -> None:
        self._heart.remove(self._owner)
        await self._periodic.stop()
        await self._store.aclose()
