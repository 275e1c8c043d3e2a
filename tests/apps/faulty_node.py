"""A node as `treadle work` runs it, whose plan is JSON and whose events stand in the ledger.

`python -m tests.apps.faulty_node APP PLAN`
"""

import asyncio
import os
import signal
import sys

import msgspec

from tests.apps import ledger
from treadle.app.node import build_node
from treadle.app.worker import new_loop
from treadle.hooks import events as happened
from treadle.hooks.events import Events
from treadle.hooks.logs import log_events, setup_logging
from treadle.runtime.node import Node
from treadle.runtime.notify import Notifier
from treadle.runtime.plan import Plan


async def _run(node: Node) -> int:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, node.stop)
    loop.add_signal_handler(signal.SIGTSTP, node.quiet)
    return await node.run()


def _node(reference: str, plan: str, events: Events) -> Node:
    return build_node(reference, msgspec.json.decode(plan, type=Plan), events, Notifier.from_environment(os.environ))


def main() -> int:
    """Run until SIGTERM or, with `drain` in the plan, until nothing is left to do."""
    reference, plan = sys.argv[1:]
    setup_logging("console")
    events = Events()
    log_events(events)
    ledger.write_events(
        events,
        happened.ChildDied,
        happened.ChildKilled,
        happened.ChildRecycled,
        happened.CronFired,
        happened.CronMissed,
        happened.JobDiscarded,
        happened.JobRetried,
        happened.OwnersRescued,
        happened.ServiceFailed,
        happened.StoreReset,
    )
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(_run(_node(reference, plan, events)))


if __name__ == "__main__":
    sys.exit(main())
