"""`treadle queues list`: how many jobs stand where."""

from collections.abc import Mapping

import click

from treadle.cli.options import as_json, store_url
from treadle.cli.show import show_json, show_table
from treadle.cli.target import on_store, open_app
from treadle.core.printable import one_line
from treadle.core.states import State
from treadle.stores.url import mask


@click.group()
def queues() -> None:
    """Look at queues."""


@queues.command("list")
@click.argument("app", required=False, metavar="[APP]")
@store_url
@as_json
def list_queues(app: str | None, url: str | None, *, as_json: bool) -> None:
    """Print every queue with the number of its jobs in each state."""
    target = open_app(app, url)
    address = mask(target.url)
    counts = on_store(target, lambda store: store.counts())
    if as_json:
        show_json({queue: dict(states) for queue, states in sorted(counts.items())})
    elif counts:
        _show(counts)
    else:
        click.echo(f"no jobs in {one_line(address)}")


def totals(counts: Mapping[str, Mapping[State, int]]) -> dict[State, int]:
    """The number of jobs in each state over all queues, without states that have none."""
    found = {state: sum(states.get(state, 0) for states in counts.values()) for state in State}
    return {state: number for state, number in found.items() if number}


def _show(counts: Mapping[str, Mapping[State, int]]) -> None:
    shown = list(totals(counts))
    rows = [[queue, *(str(states.get(state, 0)) for state in shown)] for queue, states in sorted(counts.items())]
    show_table(["queue", *(state.value for state in shown)], rows)
