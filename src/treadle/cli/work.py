"""`treadle work`: run the jobs of an app."""

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from treadle.app.node import build_node
from treadle.app.worker import new_loop
from treadle.cli.exits import Exit
from treadle.cli.options import count, positive_seconds, queue_limit, seconds
from treadle.cli.queues import totals
from treadle.cli.signals import Signals
from treadle.hooks.events import Events
from treadle.hooks.logs import log_events, setup_logging
from treadle.runtime.node import Node
from treadle.runtime.plan import CONCURRENCY, GRACE, NODE_LEASE, Plan


@click.command()
@click.argument("app", metavar="APP")
@click.option(
    "-q",
    "--queue",
    "queues",
    type=queue_limit,
    multiple=True,
    metavar="NAME[=LIMIT]",
    help="Serve this queue, and no other that is not named so.  =LIMIT gives a queue slots of its own over all "
    "processes, beside those that the others share.",
)
@click.option(
    "--processes",
    type=count,
    envvar="TREADLE_PROCESSES",
    show_envvar=True,
    default=1,
    show_default=True,
    metavar="N",
    help="Worker processes.",
)
@click.option(
    "--concurrency",
    type=count,
    envvar="TREADLE_CONCURRENCY",
    show_envvar=True,
    default=CONCURRENCY,
    show_default=True,
    metavar="N",
    help="Jobs at once in each process.",
)
@click.option(
    "--grace",
    type=seconds,
    envvar="TREADLE_GRACE",
    show_envvar=True,
    default=GRACE,
    show_default=True,
    metavar="SECONDS",
    help="How long running jobs may go on when the worker is told to stop.",
)
@click.option(
    "--lease", type=positive_seconds, envvar="TREADLE_LEASE", default=NODE_LEASE, hidden=True, metavar="SECONDS"
)
@click.option(
    "--unsafe", is_flag=True, help="Accept a store that may throw jobs away, such as a Redis that evicts keys."
)
@click.option("--drain", is_flag=True, help="Work until nothing is left to do, print the jobs by state, and end.")
@click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    envvar="TREADLE_LOG_FORMAT",
    show_envvar=True,
    default="console",
    show_default=True,
    help="Lines of the log, which goes to stderr.",
)
def work(app: str, queues: Sequence[tuple[str, int | None]], **given: Any) -> int:
    """Run the jobs of APP until told to stop.

    Serves every queue that a job of the app names; -q narrows. TERM, INT, HUP or QUIT drains, a second one stops at
    once and gives back what runs; TSTP claims no more; TTIN writes the stacks of all threads and tasks to the log.
    """
    plan = _plan(queues, **given)
    setup_logging(plan.log_format)
    events = Events()
    log_events(events)
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(_run(build_node(app, plan, events), drain=plan.drain))


def _plan(queues: Sequence[tuple[str, int | None]], **given: Any) -> Plan:
    limits = {name: limit for name, limit in queues if limit is not None}
    # A queue with a limit narrows nothing by itself: it takes its slots from nobody.
    narrowed = tuple(dict.fromkeys(name for name, _ in queues)) if len(limits) < len(queues) else ()
    return Plan(queues=narrowed, limits=limits, **given)


async def _run(node: Node, *, drain: bool) -> int:
    signals = Signals(node)
    signals.listen()
    code = await node.run()
    if code:
        return code
    if drain:
        await _report(node)
    if signals.interrupted:
        return Exit.INTERRUPTED
    return Exit.DISCARDED if drain and node.tally[2] else Exit.OK


async def _report(node: Node) -> None:
    if node.store is None:
        return
    try:
        left = totals(await node.store.counts())
    finally:
        await node.store.aclose()
    for state, number in left.items():
        click.echo(f"{state:<10} {number}")
    if not left:
        click.echo("no jobs")
