"""`treadle work`: run the jobs of an app."""

import asyncio
import os
from typing import Any

import click

from treadle.app.lookup import resolve, split_queues
from treadle.app.node import build_node
from treadle.app.worker import new_loop
from treadle.cli.exits import Exit
from treadle.cli.options import settings
from treadle.cli.queues import totals
from treadle.cli.signals import Signals
from treadle.hooks.events import Events
from treadle.hooks.logs import log_events, setup_logging
from treadle.runtime.node import Node
from treadle.runtime.notify import Notifier
from treadle.runtime.plan import Plan


@click.command()
@click.argument("app", required=False, metavar="[APP]")
@settings
@click.option("--drain", is_flag=True, help="Work until nothing is left to do, print the jobs by state, and end.")
def work(app: str | None, *, drain: bool, **given: Any) -> int:
    """Run the jobs of APP until told to stop.

    Serves every queue that a job of the app names; -q narrows. TERM, INT, HUP or QUIT drains, a second one stops at
    once and gives back what runs; TSTP claims no more; TTIN writes the stacks of all threads and tasks to the log.
    """
    values = resolve({"app": app, **given})
    reference = values.pop("app")
    if reference is None:
        raise click.UsageError("expected an APP such as shop.jobs:app, or TREADLE_APP, got neither")
    plan = Plan(drain=drain, **values | split_queues(values["queues"]))
    setup_logging(plan.log_format, plan.log_level)
    events = Events()
    log_events(events)
    node = build_node(reference, plan, events, Notifier.from_environment(os.environ))
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(_run(node, drain=drain))


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
