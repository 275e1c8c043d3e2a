"""What `treadle work` does, called from a script: `app.work(processes=4, drain=True)`.

The node lives on a thread of its own, so that it beats whatever the calling loop does; its children are exec'ed.
"""

import asyncio
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from treadle.app.guard import refuse_while_importing
from treadle.app.lookup import plan_queues, resolve
from treadle.app.node import build_node
from treadle.app.surface import App
from treadle.app.worker import reference_of
from treadle.core.options import WorkSettings, check_flag, check_known
from treadle.errors import ConfigError
from treadle.hooks.events import Events
from treadle.hooks.logs import log_events, setup_logging
from treadle.log import Log
from treadle.runtime.node import Node
from treadle.runtime.plan import Plan
from treadle.stores.url import is_private
from treadle.supervise.portal import Portal

_log = Log("treadle.processes")


def plan_of(given: WorkSettings) -> Plan:
    """The plan of these options and, where they say nothing, of the settings. Raises ConfigError."""
    check_known(given, WorkSettings.__annotations__, "of app.work()")
    asked = {name: given.get(name) for name in WorkSettings.__annotations__ if name not in {"queues", "drain"}}
    # A script's log is the script's: unlike a server's, it is set up only where that is asked for.
    values = resolve(asked, log_format="console" if "log_level" in given else "")
    drain = check_flag(given.get("drain", False), "drain")
    return Plan(**plan_queues(given.get("queues")), **values, drain=drain)


def work(app: App, plan: Plan) -> Counter[str]:
    """Run the node until it ends; how many jobs its store then has in each state.

    KeyboardInterrupt drains it, a second one stops it at once; it is raised when the node has ended. TERM does the same
    on the main thread where nobody handles it, as SystemExit(143).
    """
    app.refuse_to_block("app.work()", "await app.awork()")
    portal = Portal()
    try:
        with _term_as_exit():
            return portal.attend(_work(*_node_of(app, plan)))
    finally:
        portal.close()


async def awork(app: App, plan: Plan) -> Counter[str]:
    """The same from a coroutine, whose cancellation drains the node, and a second one stops it at once."""
    refuse_while_importing("app.awork()")
    portal = Portal()
    try:
        return await portal.aattend(_work(*_node_of(app, plan)))
    finally:
        portal.close()


def _node_of(app: App, plan: Plan) -> tuple[Node, str]:
    if is_private(app.url):
        raise ConfigError(f"expected a store that processes can share, got {app.url} in memory; name a file")
    reference = reference_of(app)
    if not reference:
        raise ConfigError(
            "expected an app that worker processes can import, got one that is no variable of any file's module (an "
            "interactive session, a notebook, python -c, a function); put it into a file, and import it from there"
        )
    setup_logging(plan.log_format, plan.log_level)
    # The node's own: what it hangs on the bus ends with it.
    events = Events()
    log_events(events)
    return build_node(reference, plan, events), reference


async def _work(node: Node, reference: str) -> Counter[str]:
    try:
        code = await _run(node)
        if node.failure is not None:
            raise node.failure
        if code or node.store is None:
            raise ConfigError(
                f"expected worker processes to start with {reference}, got none that did; what they wrote to stderr "
                f"says why"
            )
        counts: Counter[str] = Counter()
        for states in (await node.store.counts()).values():
            counts.update({state.value: number for state, number in states.items()})
        return counts
    finally:
        if node.store is not None:
            await node.store.aclose()
            node.store.close()


async def _run(node: Node) -> int:
    """Its exit code; a cancellation drains it, the next one stops it at once."""
    running = asyncio.create_task(node.run(), name="treadle node")
    interruption: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            if interruption is None:
                _log.info("told to stop: draining; once more stops now")
                node.stop()
            else:
                _log.warning("told to stop again: stopping now")
                node.stop_now()
            interruption = error
    if interruption is not None:
        raise interruption
    return running.result()


@contextmanager
def _term_as_exit() -> Iterator[None]:
    """What no handler of the program's would see must not end the node unheard."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
