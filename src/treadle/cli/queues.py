"""`treadle queues list`: how many jobs stand where, how long the oldest waits, and how fast they go."""

from collections.abc import Mapping, Sequence

import click

from treadle.cli.options import as_json, store_url
from treadle.cli.show import show_json, show_table
from treadle.cli.target import on_store, open_app
from treadle.core.printable import one_line
from treadle.core.states import State
from treadle.stores.contract import QueueView, Store
from treadle.stores.url import mask

Counts = Mapping[str, Mapping[State, int]]


@click.group()
def queues() -> None:
    """Look at queues."""


@queues.command("list")
@click.argument("app", required=False, metavar="[APP]")
@store_url
@as_json
def list_queues(app: str | None, url: str | None, *, as_json: bool) -> None:
    """Print every queue: its depth, how long the oldest job waits, what is completed a second, and other states."""
    target = open_app(app, url)
    address = mask(target.url)
    counts, views = on_store(target, _look)
    names = sorted(counts.keys() | {queue for queue, view in views.items() if view.rate})
    if as_json:
        show_json({queue: _told(views.get(queue, QueueView()), counts.get(queue, {})) for queue in names})
    elif names:
        _show(names, counts, views)
    else:
        click.echo(f"no jobs in {one_line(address)}")


async def _look(store: Store) -> tuple[Counts, Mapping[str, QueueView]]:
    return await store.counts(), await store.queues()


def totals(counts: Counts) -> dict[State, int]:
    """The number of jobs in each state over all queues, without states that have none."""
    found = {state: sum(states.get(state, 0) for states in counts.values()) for state in State}
    return {state: number for state, number in found.items() if number}


def _told(view: QueueView, states: Mapping[State, int]) -> dict[str, object]:
    return {"depth": states.get(State.AVAILABLE, 0), "oldest": view.age, "rate": view.rate, "states": dict(states)}


def _show(names: Sequence[str], counts: Counts, views: Mapping[str, QueueView]) -> None:
    # What is available is the depth.
    states = [state for state in totals(counts) if state is not State.AVAILABLE]
    rows = []
    for queue in names:
        view, found = views.get(queue, QueueView()), counts.get(queue, {})
        oldest = "" if view.age is None else f"{view.age:.0f} s"
        depth, *others = [str(found.get(state, 0)) for state in (State.AVAILABLE, *states)]
        rows.append([queue, depth, oldest, f"{view.rate:.1f}/s", *others])
    show_table(["queue", "depth", "oldest", "rate", *(state.value for state in states)], rows)
