"""A worker inside a program: `async with app.worker()` on the program's own loop, `with app.worker()` on one of ours.

It beats from a thread, so that a body that holds the loop does not look dead, and touches no signal handler.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Self

from treadle.app.guard import refuse_while_importing
from treadle.app.surface import App
from treadle.app.worker import (
    build_broadcaster,
    build_services,
    check_findable,
    helper_command,
    new_loop,
    node_name,
    owner_name,
    reference_of,
    registered_queues,
    reporting,
    worker_setting,
)
from treadle.core.controls import CRONTAB, CancelRequest, CrontabChange, Order, QueueControl, names_of
from treadle.errors import ConfigError, StoreError
from treadle.hooks.events import QueueControlled, WorkerReady, WorkerStopped
from treadle.hooks.logs import log_events
from treadle.log import Log
from treadle.runtime.courier import Courier
from treadle.runtime.heart import BEATS_PER_LEASE, STALE, Heart
from treadle.runtime.page import Page, new_page
from treadle.runtime.patience import Patience
from treadle.runtime.plan import Plan
from treadle.runtime.pulses import pulse_of
from treadle.runtime.reporter import Reporter
from treadle.runtime.safety import check_company, check_store
from treadle.runtime.served import Served
from treadle.runtime.slots import Slots
from treadle.runtime.worker import Worker
from treadle.stores.broadcasts import Pulse
from treadle.stores.contract import Store
from treadle.supervise.clock import jitter
from treadle.supervise.periodic import Periodic, hasten
from treadle.supervise.portal import Portal

_log = Log("treadle.processes")


class EmbeddedWorker:
    """Claims from the moment it is entered; leaving it drains for the plan's grace and gives back what still runs.

    An interruption while it is left (Ctrl-C, a cancellation) gives back at once what runs. When it was left it may be
    entered again, on any thread or loop.
    """

    def __init__(self, app: App, plan: Plan) -> None:
        self._app = app
        self._plan = plan
        self._entered = threading.Lock()
        self._stay: _Stay | None = None
        self._portal: Portal | None = None

    async def __aenter__(self) -> Self:
        stay = self._enter()
        try:
            await stay.start()
        except BaseException:
            self._entered.release()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._stay is not None:
            try:
                await self._stay.stop()
            finally:
                self._entered.release()

    def __enter__(self) -> Self:
        self._app.refuse_to_block("with app.worker()", "async with app.worker()")
        stay = self._enter()
        self._portal = Portal(new_loop())
        try:
            self._portal.attend(stay.start())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._stay is not None and self._portal is not None:
            try:
                self._portal.attend(self._stay.stop())
            finally:
                self._portal.close(self._stay.aclose)
                self._entered.release()

    def _enter(self) -> "_Stay":
        refuse_while_importing("app.worker()")
        stay = _Stay(self._app, self._plan)
        if not self._entered.acquire(blocking=False):
            raise ConfigError(
                "expected this worker to be entered once at a time, got a second entry; make another by app.worker()"
            )
        self._stay = stay
        return stay


class _Stay:
    """From one entry to its exit, on one loop. A start that raises leaves nothing; a stop may be repeated."""

    def __init__(self, app: App, plan: Plan) -> None:
        self._app = app
        self._plan = plan
        self._store: Store = app.store
        self._patience = Patience(app.clock, app.events, jitter)
        self._beating = Portal()
        self._services: list[Periodic] = []
        self._courier: Courier | None = None
        self._node = node_name(os.getpid())
        self._served = Served(plan, ("default",))
        self._worker: Worker | None = None
        self._pulse: Callable[[], Pulse] | None = None
        self._reporter: Reporter | None = None
        self._started = asyncio.Event()
        self._guard: asyncio.Task[None] | None = None
        self._hurried = False

    async def start(self) -> None:
        """Return when it claims."""
        self._app.load()
        check_findable(self._app)
        crons = self._app.crons.declared()
        self._store = await self._app.astore()
        await check_store(self._store, self._app.events, unsafe=self._plan.unsafe)
        self._served = Served(self._plan, registered_queues(self._app))
        await check_company(self._store, self._served.queues, self._plan.share)
        log_events(self._app.events)
        self._courier = Courier(self._store, self._obey, reporting(self._app.events))
        await self._courier.open()
        self._courier.start()
        self._services = build_services(self._store, self._app.events, self._plan, crons)
        self._services += build_broadcaster(self._store, self._app.events, self._node, self._pulses, crons)
        for service in self._services:
            service.start()
        self._guard = asyncio.create_task(self._run(), name="treadle embedded worker")
        started = asyncio.create_task(self._started.wait())
        try:
            await asyncio.wait([self._guard, started], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.stop()
            raise
        finally:
            started.cancel()
        if self._guard.done():
            await self.stop()

    async def stop(self) -> None:
        """Drain and end; a cancellation meanwhile hurries. Raises what ended it before."""
        guard, self._guard = self._guard, None
        try:
            if guard is not None:
                await self._end(guard)
        finally:
            if self._courier is not None:
                await self._courier.stop()
            for service in self._services:
                await service.stop()
            self._beating.close()
            if self._app.store is not self._store:
                # The app was closed meanwhile, and would not know this one any more.
                self._store.close()

    async def _end(self, guard: "asyncio.Task[None]") -> None:
        interruption: asyncio.CancelledError | None = None
        guard.cancel()
        while not guard.done():
            try:
                await asyncio.wait([guard])
            except asyncio.CancelledError as error:
                if not self._hurried:
                    self._hurried = True
                    guard.cancel()
                interruption = error
        if interruption is not None:
            raise interruption
        if not guard.cancelled():
            guard.result()

    async def aclose(self) -> None:
        """End what the store has on this loop."""
        await self._store.aclose()

    async def _run(self) -> None:
        async with self._app.living():
            while True:
                await self._work()

    async def _work(self) -> None:
        """As one owner until it must be replaced: one that was declared dead is never used again."""
        slots = Slots(self._served.groups(self._served.limits))
        slots.regroup(self._served.groups(self._served.limits), self._served.paused)
        page = new_page(slots.limit)
        setting = worker_setting(self._app, helper_command(reference_of(self._app)), sys.maxsize)
        worker = Worker(self._store, owner_name(os.getpid()), slots, page, setting)
        beats = _Beats(self._app, self._store, worker, page, self._plan.lease)
        try:
            await self._enroll(beats)
            await self._live(worker)
        finally:
            await self._retire(worker, beats)
            page.close()

    async def _enroll(self, beats: "_Beats") -> None:
        while True:
            try:
                await self._beating.aattend(beats.start())
            except StoreError as error:
                if not self._started.is_set():
                    raise
                await self._patience.wait(error)
            else:
                self._patience.reset()
                return

    async def _live(self, worker: Worker) -> None:
        worker.beat_limit = self._plan.lease * STALE
        worker.start()
        events, slots = self._app.events, worker.slots
        self._worker = worker
        started = self._app.clock.now()
        self._pulse = partial(pulse_of, worker, started, quiet=False)
        reporter = self._reporter = Reporter(self._store, worker, self._node, started)
        reports = reporter.periodic(self._plan.lease / BEATS_PER_LEASE, jitter, reporting(events))
        reports.start()
        events.emit(WorkerReady(owner=worker.owner, queues=slots.queues, concurrency=slots.limit))
        self._started.set()
        try:
            await worker.ended.wait()
        finally:
            self._pulse = None
            await reports.stop()

    def _pulses(self) -> list[Pulse]:
        return [] if self._pulse is None else [self._pulse()]

    def _obey(self, order: Order) -> None:
        worker, reporter = self._worker, self._reporter
        match order:
            case CancelRequest() if worker is not None and reporter is not None and order.owner == worker.owner:
                reporter.hasten()
            case CrontabChange():
                hasten(self._services, CRONTAB)
            case QueueControl() if order.concerns(names_of(self._node, [worker.owner] if worker is not None else [])):
                self._change(order)

    def _change(self, control: QueueControl) -> None:
        worker, reporter, served = self._worker, self._reporter, self._served
        if served.is_about(control):
            given = QueueControlled(action=control.action, queue=control.queue, limit=control.limit)
            self._app.events.emit(given)
        # Where nobody works yet, who begins asks what is served.
        if served.obey(control) and worker is not None and reporter is not None:
            worker.regroup(served.groups(served.limits), served.paused)
            reporter.hasten()

    async def _retire(self, worker: Worker, beats: "_Beats") -> None:
        try:
            await worker.drain(0.0 if worker.fenced or self._hurried else self._plan.grace)
        except asyncio.CancelledError:
            await worker.drain(0.0)
        await worker.close()
        await self._beating.aattend(beats.stop())
        if beats.begun and not worker.fenced:
            await self._leave(worker.owner)
        self._app.events.emit(WorkerStopped(owner=worker.owner))

    async def _leave(self, owner: str) -> None:
        try:
            await self._store.leave(owner)
        except StoreError as error:
            _log.warning("could not give back what %s held, a rescue will: %s", owner, error)


class _Beats:
    """The beats of one embedded worker; its methods run on the beating thread."""

    def __init__(self, app: App, store: Store, worker: Worker, page: Page, lease: float) -> None:
        loop = asyncio.get_running_loop()

        def fenced(_: str) -> None:
            loop.call_soon_threadsafe(worker.on_fenced)

        def forgotten(_: str) -> None:
            loop.call_soon_threadsafe(worker.on_forgotten)

        self.begun = False
        self._store = store
        self._heart = Heart(store, lease, app.clock, app.events, fenced=fenced, forgotten=forgotten)
        self._owner, self._page = worker.owner, page
        self._periodic = Periodic(
            "heart", self._heart.beat, every=self._heart.every, jitter=jitter, on_error=reporting(app.events)
        )

    async def start(self) -> None:
        """Enrol and beat. Once it was `begun` the store may know the owner, however this ends."""
        self.begun = True
        await self._heart.add(self._owner, self._page)
        self._periodic.start()

    async def stop(self) -> None:
        self._heart.remove(self._owner)
        await self._periodic.stop()
        await self._store.aclose()
