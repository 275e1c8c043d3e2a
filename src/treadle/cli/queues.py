"""`treadle queues`: how many jobs stand where and how fast they go; and queues paused and resumed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import click

from treadle.app.treadle import Treadle
from treadle.cli.options import as_json, store_url
from treadle.cli.show import show_json, show_table
from treadle.cli.target import on_store, open_app, split
from treadle.core.controls import EVERY_QUEUE
from treadle.core.printable import one_line
from treadle.core.states import State
from treadle.stores.contract import QueueView, Store
from treadle.stores.url import mask

Counts = Mapping[str, Mapping[State, int]]


@click.group()
def queues() -> None:
    """Look at queues, and tell them what to do."""


@queues.command("list")
@click.argument("app", required=False, metavar="[APP]")
@store_url
@as_json
def list_queues(app: str | None, url: str | None, *, as_json: bool) -> None:
    """Print every queue: its depth, how long the oldest job waits, what is completed a second, and other states."""
    target = open_app(app, url)
    address = mask(target.url)
    counts, views = on_store(target, _look)
    names = sorted(counts.keys() | {queue for queue, view in views.items() if view.rate or view.paused})
    if as_json:
        show_json({queue: _told(views.get(queue, QueueView()), counts.get(queue, {})) for queue in names})
    elif names:
        _show(names, counts, views)
    else:
        click.echo(f"no jobs in {one_line(address)}")


def _takes_a_queue(command: Callable[..., None]) -> Callable[..., None]:
    """What every command takes that tells a queue something."""
    return store_url(click.argument("words", nargs=-1, required=True, metavar="[APP] NAME")(command))


@queues.command()
@_takes_a_queue
def pause(words: tuple[str, ...], url: str | None) -> None:
    """Let nothing of a queue be claimed until it is resumed, by any worker; what runs goes on. "*": every queue."""
    _tell(words, url, lambda app, queue: app.queues.apause(queue), "paused")


@queues.command()
@_takes_a_queue
def resume(words: tuple[str, ...], url: str | None) -> None:
    """Let workers claim from a paused queue again. "*": every queue."""
    _tell(words, url, lambda app, queue: app.queues.aresume(queue), "resumed")


def _tell(words: tuple[str, ...], url: str | None, step: Callable[[Treadle, str], Awaitable[None]], done: str) -> None:
    # A queue's name may look like an app's: the last word is the queue.
    *before, queue = words
    reference, more = split(before)
    if more:
        raise click.UsageError(f"expected one NAME, got {len(words)}")
    app = open_app(reference, url)
    on_store(app, lambda _: step(app, queue))
    click.echo(f"{'every queue' if queue == EVERY_QUEUE else f'queue {one_line(queue)}'} {done}")


async def _look(store: Store) -> tuple[Counts, Mapping[str, QueueView]]:
    return await store.counts(), await store.queues()


def totals(counts: Counts) -> dict[State, int]:
    """The number of jobs in each state over all queues, without states that have none."""
    found = {state: sum(states.get(state, 0) for states in counts.values()) for state in State}
    return {state: number for state, number in found.items() if number}


def _told(view: QueueView, states: Mapping[State, int]) -> dict[str, object]:
    return {
        "depth": states.get(State.AVAILABLE, 0),
        "oldest": view.age,
        "rate": view.rate,
        "paused": view.paused,
        "states": dict(states),
    }


def _show(names: Sequence[str], counts: Counts, views: Mapping[str, QueueView]) -> None:
    # What is available is the depth.
    states = [state for state in totals(counts) if state is not State.AVAILABLE]
    paused = ["paused"] if any(view.paused for view in views.values()) else []
    rows = []
    for queue in names:
        view, found = views.get(queue, QueueView()), counts.get(queue, {})
        oldest = "" if view.age is None else f"{view.age:.0f} s"
        depth, *others = [str(found.get(state, 0)) for state in (State.AVAILABLE, *states)]
        marks = ["yes" if view.paused else "" for _ in paused]
        rows.append([queue, depth, oldest, f"{view.rate:.1f}/s", *marks, *others])
    show_table(["queue", "depth", "oldest", "rate", *paused, *(state.value for state in states)], rows)
