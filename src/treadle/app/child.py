"""A worker process of a node.

Life: 1. It takes its plan from its parent, imports the app and begins its lifespan; what these raise ends it. 2. It
says that it is ready, and which store and queues it has. 3. Its parent enrols it and says go: it claims. 4. It works
until its parent tells it to drain or is gone, or a dashboard asks. 5. The lifespan ends, and it ends without joining
threads; what it still holds its parent gives back.

`python -m treadle.app.child REFERENCE LINE PAGE`, the last two as numbers of descriptors.
"""

import asyncio
import os
import signal
import socket
import sys
import traceback
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import msgspec

from treadle.app.load import load_app
from treadle.app.shown import shown_text
from treadle.app.treadle import Treadle
from treadle.app.worker import (
    broadcasts,
    build_worker,
    helper_command,
    new_loop,
    registered_queues,
    reporting,
    telling_names,
)
from treadle.core.cron_entry import CronEntry
from treadle.errors import ConfigError, StoreError
from treadle.hooks.events import WorkerReady, WorkerStopped
from treadle.hooks.logs import log_events, setup_logging
from treadle.log import Log
from treadle.runtime.channel import Channel
from treadle.runtime.heart import BEATS_PER_LEASE, STALE
from treadle.runtime.metrics import Attempts
from treadle.runtime.page import Page
from treadle.runtime.plan import Plan
from treadle.runtime.pulses import pulse_of
from treadle.runtime.reporter import Reporter
from treadle.runtime.slots import Group, Slots
from treadle.runtime.stall import StallWatch
from treadle.runtime.traces import stacks
from treadle.runtime.worker import Worker
from treadle.stores.url import is_private
from treadle.supervise.clock import jitter
from treadle.supervise.periodic import Periodic

TELL_EVERY = 1.0

_log = Log("treadle.worker")


def main() -> None:
    """Import the app and work; ends the process."""
    reference, line, page = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        code = runner.run(_work(reference, socket.socket(fileno=int(line)), int(page)))
        # A thread whose job does not stop must not hold up the end, nor must a disk that is full.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


async def _work(reference: str, line: socket.socket, page: int) -> int:
    channel = await Channel.over(line)
    order = await channel.receive()
    if order is None:
        return 1
    plan = msgspec.convert(order["plan"], Plan)
    async with AsyncExitStack() as stack:
        try:
            app = load_app(reference)
            app.load()
            process = _Process(app, reference, channel, Page(page, order["slots"]), plan)
            process.serve(int(order["index"]), alone=order["alone"])
            setup_logging(plan.log_format, plan.log_level)
            log_events(app.events, partial(shown_text, app) if plan.log_args else None)
            await stack.enter_async_context(app.living())
        except ConfigError as error:
            sys.stderr.write(f"treadle: {error}\n")
            return 1
        except BaseException:  # noqa: BLE001 - user code: whatever an import or a lifespan raises is shown whole
            traceback.print_exc()
            return 1
        await process.run()
    await channel.close()
    return 0


class _Process:
    """This worker process."""

    def __init__(self, app: Treadle, reference: str, channel: Channel, page: Page, plan: Plan) -> None:
        self._app = app
        self._reference = reference
        self._channel = channel
        self._page = page
        self._plan = plan
        self._slots = Slots(())
        self._crons: Sequence[CronEntry] = ()
        self._worker: Worker | None = None
        self._reporter: Reporter | None = None
        self._draining: asyncio.Task[None] | None = None
        self._attempts = Attempts()
        self._started = 0.0
        self._pulse: Periodic | None = None
        self._periodics: list[Periodic] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._closing: asyncio.Future[None] | None = None
        self._orphan = False
        self._stall = StallWatch(page, app.clock, app.events)

    def serve(self, index: int, *, alone: bool) -> None:
        """Decide which queues to serve, with how many slots. Raises ConfigError for what was declared wrong."""
        if is_private(self._app.url):
            raise ConfigError(f"expected a store that processes can share, got {self._app.url} in memory; name a file")
        self._crons = self._app.crons.declared()
        groups = self._plan.groups(registered_queues(self._app), index)
        if alone:
            groups = (Group(tuple(queue for group in groups for queue in group.queues), 1),)
        self._slots = Slots(groups, alone=alone)

    async def run(self) -> None:
        """Until it has drained."""
        queues, tells = registered_queues(self._app), telling_names(self._app)
        self._channel.send("ready", url=self._app.url, queues=queues, crons=self._crons, tells=tells)
        self._handle_signals()
        listening = asyncio.create_task(self._listen(), name="treadle line")
        listening.add_done_callback(self._heard_last)
        await self._ended.wait()
        if listening.done():
            listening.result()
        listening.cancel()

    def _heard_last(self, listening: "asyncio.Task[None]") -> None:
        """A process that cannot obey any more must not look alive."""
        if not listening.cancelled() and listening.exception() is not None:
            self._ended.set()

    async def _listen(self) -> None:
        while (message := await self._channel.receive()) is not None:
            await self._obey(message)
        # The parent is gone, and nobody beats any more: end well before the lease does.
        self._orphan = True
        self._drain(min(self._plan.grace, self._plan.lease * (1 - STALE)))

    async def _obey(self, message: dict[str, Any]) -> None:
        match message["kind"]:
            case "serve":
                self._serve(msgspec.convert(message["groups"], list[Group]), message["paused"])
                # A claim call may be open for long, and the next message must not wait for it.
                self._keep(self._tell_held(message["number"]))
            case "go":
                self._slots.apart = message["apart"]
                await self._go(message["owner"], message["node"], quiet=message["quiet"])
            case "join" if self._worker is not None:
                self._worker.join()
            case "drain":
                self._drain(message["grace"])
            case "quiet":
                self._signalled("TSTP")
            case "forgotten" if self._worker is not None:
                self._worker.on_forgotten()
            case "look" if self._reporter is not None:
                self._reporter.hasten()
            case "stacks":
                self._signalled("TTIN")

    def _serve(self, groups: list[Group], paused: list[str]) -> None:
        if self._worker is None or self._reporter is None:
            self._slots.regroup(groups, paused)
            self._page.grow(self._slots.capacity)
        else:
            self._worker.regroup(groups, paused)
            self._reporter.hasten()
            if self._pulse is not None:
                self._pulse.hasten()

    async def _tell_held(self, number: int) -> None:
        """Tell how much is held of what has limits, now and as long as it is more than they allow."""
        if self._worker is not None:
            await self._worker.between_calls()
        slots = self._slots

        def tell(queues: Iterable[str]) -> None:
            self._channel.send("held", number=number, held={queue: slots.of(queue) for queue in queues})
            over = [queue for queue, limit in slots.limits.items() if slots.of(queue) > limit]
            slots.tell_falls(over, lambda queue: tell([queue]))

        tell(slots.limits)

    async def _go(self, owner: str, node: str, *, quiet: bool) -> None:
        app = self._app
        await app.astore()
        limit = max(2, self._slots.limit // 2)
        helper = helper_command(self._reference, self._plan.log_format, self._plan.log_level)
        worker = build_worker(app, owner, self._slots, self._page, helper=helper, stuck_limit=limit)
        worker.beat_limit = self._plan.lease * STALE
        self._started = app.clock.now()
        reporter = Reporter(app.store, worker, node, self._started, self._asked)
        reporter.quiet = quiet
        self._periodics = self._made_periodics(reporter)
        if quiet:
            await worker.quiet()
        else:
            worker.start()
        self._worker, self._reporter = worker, reporter
        self._stall.start()
        for periodic in self._periodics:
            periodic.start()
        self._keep(self._watch(worker))
        app.events.emit(WorkerReady(owner=owner, queues=self._slots.queues, concurrency=self._slots.limit))

    def _made_periodics(self, reporter: Reporter) -> list[Periodic]:
        events = self._app.events
        on_error = reporting(events)
        made = [reporter.periodic(self._plan.lease / BEATS_PER_LEASE, jitter, on_error)]
        if broadcasts(self._app.store):
            self._pulse = Periodic("pulse", self._beat, every=TELL_EVERY, jitter=jitter, on_error=on_error)
            made.append(self._pulse)
        if self._plan.listen is not None:
            self._attempts.listen(events, timed=True)
            made.append(Periodic("metrics", self._tell, every=TELL_EVERY, jitter=jitter, on_error=on_error))
        return made

    async def _tell(self) -> None:
        # A parent that is frozen reads nothing: what is not told now is told together with what follows.
        if self._attempts.series and self._channel.idle:
            self._channel.send("attempts", delta=self._attempts.take())

    async def _beat(self) -> None:
        if self._worker is not None and self._reporter is not None and self._channel.idle:
            self._channel.send("pulse", pulse=pulse_of(self._worker, self._started, quiet=self._reporter.quiet))

    async def _watch(self, worker: Worker) -> None:
        await worker.ended.wait()
        self._channel.send("fenced" if worker.fenced else "recycle", owner=worker.owner)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("TERM", "TSTP", "TTIN"):
            loop.add_signal_handler(signal.Signals[f"SIG{name}"], self._signalled, name)

    def _asked(self, name: str) -> None:
        _log.warning("a dashboard sent %s", name)
        self._signalled(name)

    def _signalled(self, name: str) -> None:
        match name:
            case "TERM":
                self._channel.send("leave")
            case "TTIN":
                _log.warning("stacks of this process:\n%s", stacks())
            case "TSTP" if self._worker is not None and self._reporter is not None:
                self._reporter.quiet = True
                self._keep(self._worker.quiet())

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drain(self, grace: float) -> None:
        """Drain, then end the loop of messages; a second time does what is left with its own, shorter grace."""
        if self._draining is not None:
            self._draining.cancel()
        self._draining = asyncio.create_task(self._end(grace), name="treadle drain")

    async def _end(self, grace: float) -> None:
        if self._worker is not None:
            await self._worker.drain(grace)
            self._closing = self._closing or asyncio.ensure_future(self._close(self._worker))
            await asyncio.shield(self._closing)
        self._ended.set()

    async def _close(self, worker: Worker) -> None:
        for periodic in self._periodics:
            await periodic.stop()
        await worker.close()
        await self._tell()
        self._stall.stop()
        if self._orphan:
            # Else the parent does it, when this process is gone.
            try:
                await self._app.store.leave(worker.owner)
            except StoreError as error:
                _log.warning("could not give back what %s held, a rescue will: %s", worker.owner, error)
        self._app.events.emit(WorkerStopped(owner=worker.owner))


if __name__ == "__main__":
    main()
