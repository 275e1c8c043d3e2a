"""`treadle queues`: how many jobs stand where and how fast they go; and queues told what to do."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import click
import msgspec

from treadle.app.treadle import Treadle
from treadle.cli.options import as_json, count, store_url
from treadle.cli.show import show_json, show_table
from treadle.cli.target import on_store, open_app, split
from treadle.core.controls import EVERY_QUEUE
from treadle.core.printable import one_line
from treadle.core.states import State
from treadle.stores.contract import Store
from treadle.stores.url import mask
from treadle.stores.views import QueueView

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
    rows = on_store(target, _look)
    if as_json:
        show_json({row.name: row.told for row in rows})
    elif rows:
        _show(rows)
    else:
        click.echo(f"no jobs in {one_line(address)}")


on_node = click.option("--node", metavar="NAME", help="Only on this live node, as host:pid or by its host.")


def _takes_a_queue(command: Callable[..., None]) -> Callable[..., None]:
    """What every command takes that tells a queue something."""
    return store_url(click.argument("words", nargs=-1, required=True, metavar="[APP] NAME")(on_node(command)))


@queues.command()
@_takes_a_queue
def pause(words: tuple[str, ...], url: str | None, node: str | None) -> None:
    """Let nothing of a queue be claimed until it is resumed, by any worker; what runs goes on. "*": every queue."""
    _tell(words, url, lambda app, queue: app.queues.apause(queue, node=node), _done("paused", node))


@queues.command()
@_takes_a_queue
def resume(words: tuple[str, ...], url: str | None, node: str | None) -> None:
    """Let workers claim from a paused queue again. "*": every queue."""
    _tell(words, url, lambda app, queue: app.queues.aresume(queue, node=node), _done("resumed", node))


@queues.command()
@_takes_a_queue
@click.option("--limit", type=count, metavar="N", required=True, help="How many slots.")
def scale(words: tuple[str, ...], url: str | None, node: str | None, limit: int) -> None:
    """Give a queue slots of its own on every live node that serves it, until the node ends."""
    done = _done(f"has {limit} {'slot' if limit == 1 else 'slots'} of its own", node)
    _tell(words, url, lambda app, queue: app.queues.ascale(queue, limit, node=node), done)


@queues.command()
@_takes_a_queue
@click.option("--limit", type=count, metavar="N", help="Slots of its own.  [default: those that are shared]")
def start(words: tuple[str, ...], url: str | None, node: str | None, limit: int | None) -> None:
    """Let live nodes serve one queue more, until they end."""
    _tell(words, url, lambda app, queue: app.queues.astart(queue, limit=limit, node=node), _done("started", node))


@queues.command()
@_takes_a_queue
def stop(words: tuple[str, ...], url: str | None, node: str | None) -> None:
    """Let live nodes not serve a queue any more; what runs goes on."""
    _tell(words, url, lambda app, queue: app.queues.astop(queue, node=node), _done("stopped", node))


def _done(done: str, node: str | None) -> str:
    return done if node is None else f"{done} on {one_line(node)}"


def _tell(words: tuple[str, ...], url: str | None, step: Callable[[Treadle, str], Awaitable[None]], done: str) -> None:
    # A queue's name may look like an app's: the last word is the queue.
    *before, queue = words
    reference, more = split(before)
    if more:
        raise click.UsageError(f"expected one NAME, got {len(words)}")
    app = open_app(reference, url)
    on_store(app, lambda _: step(app, queue))
    click.echo(f"{'every queue' if queue == EVERY_QUEUE else f'queue {one_line(queue)}'} {done}")


class _Row(msgspec.Struct, frozen=True):
    """A queue as it is listed: `limits` are its own slots by node, `paused_on` the nodes on which it is paused."""

    name: str
    view: QueueView
    states: Mapping[State, int]
    limits: Mapping[str, int]
    paused_on: tuple[str, ...]

    @property
    def told(self) -> dict[str, object]:
        """As JSON."""
        return {
            "depth": self.states.get(State.AVAILABLE, 0),
            "oldest": self.view.age,
            "rate": self.view.rate,
            "paused": self.view.paused,
            "paused_on": self.paused_on,
            "limits": self.limits,
            "states": self.states,
        }

    @property
    def paused(self) -> str:
        """Whether, or where, it is paused."""
        return "yes" if self.view.paused else f"on {', '.join(self.paused_on)}" if self.paused_on else ""

    @property
    def limit(self) -> str:
        """Its own slots over all nodes."""
        return str(sum(self.limits.values())) if self.limits else ""


async def _look(store: Store) -> list[_Row]:
    counts, views = await store.counts(), await store.queues()
    limits: dict[str, Counter[str]] = {}
    paused: dict[str, set[str]] = {}
    for worker in await store.workers():
        for queue, limit in worker.limits.items():
            limits.setdefault(queue, Counter())[worker.node] += limit
        for queue in worker.paused:
            paused.setdefault(queue, set()).add(worker.node)
    shown = {queue for queue, view in views.items() if view.rate or view.paused}
    return [
        _Row(
            queue,
            views.get(queue, QueueView()),
            counts.get(queue, {}),
            limits.get(queue, {}),
            tuple(sorted(paused.get(queue, ()))),
        )
        for queue in sorted({*shown, *counts, *limits, *paused})
    ]


def totals(counts: Counts) -> dict[State, int]:
    """The number of jobs in each state over all queues, without states that have none."""
    found = {state: sum(states.get(state, 0) for states in counts.values()) for state in State}
    return {state: number for state, number in found.items() if number}


def _show(rows: Sequence[_Row]) -> None:
    # What is available is the depth.
    states = [state for state in totals({row.name: row.states for row in rows}) if state is not State.AVAILABLE]
    more = [name for name in ("limit", "paused") if any(getattr(row, name) for row in rows)]
    cells = []
    for row in rows:
        oldest = "" if row.view.age is None else f"{row.view.age:.0f} s"
        depth, *others = [str(row.states.get(state, 0)) for state in (State.AVAILABLE, *states)]
        marks = [getattr(row, name) for name in more]
        cells.append([row.name, depth, oldest, f"{row.view.rate:.1f}/s", *marks, *others])
    show_table(["queue", "depth", "oldest", "rate", *more, *(state.value for state in states)], cells)
