"""`treadle dev`: run the jobs of an app while its code is being written."""

import asyncio
from pathlib import Path

import click

from treadle.app.lookup import resolve, split_queues
from treadle.app.node import build_node
from treadle.app.project import project_folder
from treadle.app.worker import new_loop
from treadle.cli.exits import Exit
from treadle.cli.signals import Signals
from treadle.cli.sources import changes, source_folders
from treadle.hooks.events import Events
from treadle.hooks.logs import log_events, setup_logging
from treadle.log import Log
from treadle.runtime.node import Node
from treadle.runtime.plan import Plan

GRACE = 2.0
SETTINGS = ("queues", "concurrency", "lease", "share", "unsafe", "log_level", "log_args")

_log = Log("treadle.processes")


@click.command()
@click.argument("app", required=False, metavar="[APP]")
def dev(app: str | None) -> int:
    """Run the jobs of APP, and start again when its code changes.

    One worker process runs them, with a log for people. Every Python file of the project counts; a job that runs then
    has 2 seconds to end, or goes back to its queue. Code that cannot be imported is waited for. Ctrl-C ends it.
    """
    values = resolve(dict.fromkeys(SETTINGS), log_format="console") | resolve({"app": app})
    reference = values.pop("app")
    if reference is None:
        raise click.UsageError("expected an APP such as shop.jobs:app, or TREADLE_APP, got neither")
    plan = Plan(grace=GRACE, **values | split_queues(values["queues"]))
    setup_logging(plan.log_format, plan.log_level)
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(_Development(reference, plan).run())


class _Development:
    """One node after the other.

    Life: 1. A node runs until a source changes; it drains, and a new one takes its place. 2. A node that could not
    start has said why; the next change is waited for. 3. A signal ends the node, and this.
    """

    def __init__(self, reference: str, plan: Plan) -> None:
        self._reference = reference
        self._plan = plan
        self._events = Events()
        log_events(self._events)
        self._node: Node | None = None
        self._changed: Path | None = None
        self._stopping = False
        self._news = asyncio.Event()

    async def run(self) -> int:
        """Until it is told to stop; the exit code."""
        signals = Signals(self)
        signals.listen()
        watching = asyncio.create_task(self._watch(), name="treadle sources")
        try:
            await self._go_on()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        return Exit.INTERRUPTED if signals.interrupted else Exit.OK

    def stop(self) -> None:
        """Drain and end."""
        self._stopping = True
        self._news.set()

    def stop_now(self) -> None:
        """Stop what runs at once."""
        if self._node is not None:
            self._node.stop_now()

    def quiet(self) -> None:
        """Claim no more until the next start."""
        if self._node is not None:
            self._node.quiet()

    def show_stacks(self) -> None:
        """Have the stacks of the worker process logged."""
        if self._node is not None:
            self._node.show_stacks()

    async def _go_on(self) -> None:
        while not self._stopping:
            code = await self._work()
            if code:
                await self._wait_for_change()
            if self._changed is None or self._stopping:
                return
            _log.info("restarted because %s changed", _shown(self._changed))

    async def _work(self) -> int:
        """One node, until there is news or it ends by itself; its exit code."""
        self._changed = None
        self._news.clear()
        self._node = build_node(self._reference, self._plan, self._events)
        running = asyncio.create_task(self._node.run(), name="treadle node")
        running.add_done_callback(lambda _: self._news.set())
        await self._news.wait()
        self._node.stop()
        code = await running
        if self._node.store is not None:
            self._node.store.close()
        return code

    async def _wait_for_change(self) -> None:
        _log.info("waiting for a change")
        while self._changed is None and not self._stopping:
            self._news.clear()
            await self._news.wait()

    async def _watch(self) -> None:
        place = self._reference.partition(":")[0]
        async for path in changes(source_folders(place, project_folder(), Path.cwd())):
            self._changed = path
            self._news.set()


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
