"""The queues in an app's store, told what to do from anywhere: `app.queues`."""

import asyncio
from collections.abc import Collection, Sequence

from treadle.app.surface import App
from treadle.core.controls import EVERY_QUEUE, QueueControl, names_of
from treadle.core.nearest import did_you_mean
from treadle.core.options import check_count, check_name
from treadle.core.printable import one_line
from treadle.errors import ConfigError, UnknownNode, UnknownQueue
from treadle.stores.contract import Ability, Store
from treadle.stores.views import ANY_QUEUE, WorkerView

_TRIES = 16
_PAUSE = 0.1


class Queues:
    """The queues of an app. "*" stands for every queue there is at that moment.

    `node` is a live node: `host:pid`, its host where that is enough, or one of its owners; on PostgreSQL one of Oban's
    too. What nodes are told they do within a second or two, and until they end; UnknownNode is raised where there is
    none, UnknownQueue where none serves the queue.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def pause(self, queue: str, *, node: str | None = None) -> None:
        """Let nothing of this queue be claimed, by anybody, until it is resumed; what runs goes on.

        It stands in the store, and outlasts every worker. With `node` it concerns that one alone, until it ends.
        Harmless when repeated. Raises ConfigError, UnknownQueue, UnknownNode.
        """
        self._app.blocking("pause", self.apause(queue, node=node), instead="await app.queues.apause()")

    async def apause(self, queue: str, *, node: str | None = None) -> None:
        """Let nothing of this queue be claimed; see `pause`."""
        await self._control(QueueControl(action="pause", queue=_text(queue), node=_node(node)))

    def resume(self, queue: str, *, node: str | None = None) -> None:
        """Let a queue be claimed from again that was paused for all, or on any node; with `node`, on that one.

        Harmless where it was not. Raises ConfigError, UnknownQueue, UnknownNode.
        """
        self._app.blocking("resume", self.aresume(queue, node=node), instead="await app.queues.aresume()")

    async def aresume(self, queue: str, *, node: str | None = None) -> None:
        """Let a paused queue be claimed from again; see `resume`."""
        await self._control(QueueControl(action="resume", queue=_text(queue), node=_node(node)))

    def scale(self, queue: str, limit: int, *, node: str | None = None) -> None:
        """Give this queue so many slots of its own on each node that serves it, or on that node; what runs goes on.

        Raises ConfigError, UnknownQueue, UnknownNode.
        """
        self._app.blocking("scale", self.ascale(queue, limit, node=node), instead="await app.queues.ascale()")

    async def ascale(self, queue: str, limit: int, *, node: str | None = None) -> None:
        """Give this queue slots of its own; see `scale`."""
        limit = check_count(limit, f'the limit of queue "{_one(queue)}"')
        await self._control(QueueControl(action="scale", queue=queue, node=_node(node), limit=limit))

    def start(self, queue: str, *, limit: int | None = None, node: str | None = None) -> None:
        """Let every node, or that one, serve this queue too: in the slots that are shared, or with `limit` of its own.

        Raises ConfigError, UnknownNode.
        """
        self._app.blocking("start", self.astart(queue, limit=limit, node=node), instead="await app.queues.astart()")

    async def astart(self, queue: str, *, limit: int | None = None, node: str | None = None) -> None:
        """Let nodes serve this queue too; see `start`."""
        check_name(_one(queue), "the name of a queue")
        if limit is not None:
            check_count(limit, f'the limit of queue "{queue}"')
        await self._control(QueueControl(action="start", queue=queue, node=_node(node), limit=limit))

    def stop(self, queue: str, *, node: str | None = None) -> None:
        """Let no node, or not that one, serve this queue any more, until one is started or told to; what runs goes on.

        Raises ConfigError, UnknownQueue, UnknownNode.
        """
        self._app.blocking("stop", self.astop(queue, node=node), instead="await app.queues.astop()")

    async def astop(self, queue: str, *, node: str | None = None) -> None:
        """Let nodes not serve this queue any more; see `stop`."""
        await self._control(QueueControl(action="stop", queue=_one(queue), node=_node(node)))

    async def _control(self, control: QueueControl) -> None:
        store = await self._app.astore()
        foreign = Ability.SIGNALS in store.abilities and control.node is None and control.action in {"scale", "stop"}
        if control.lasts or foreign:
            await store.control(control, _meant(control.queue, await self._known(store, await store.workers())))
            return
        tries = _TRIES
        while True:
            tries -= 1
            try:
                _check(control, await store.workers(), signals=Ability.SIGNALS in store.abilities)
                break
            except (UnknownNode, UnknownQueue):
                # Who began a moment ago, or was told something, has not shown itself yet.
                if not tries:
                    raise
                await asyncio.sleep(_PAUSE)
        await store.control(control, ())

    async def _known(self, store: Store, workers: Sequence[WorkerView]) -> set[str]:
        """Every queue of which the store, a live worker or a registered job knows."""
        known = {*await store.queues(), *await store.counts()} - {ANY_QUEUE}
        known.update(queue for worker in workers for queue in worker.queues)
        return known.union(handler.options.queue for handler in self._app.handlers.values())


def _check(control: QueueControl, workers: Sequence[WorkerView], *, signals: bool) -> None:
    """Raise UnknownNode, UnknownQueue or ConfigError for what no live worker would do, or should."""
    nodes = _nodes(workers, control.node, signals=signals)
    if control.action == "start" and nodes[0].foreign:
        if control.limit is None:
            raise ConfigError(
                one_line(
                    f'expected limit= (--limit N) to start queue "{control.queue}" on {control.node}, got none: a node '
                    f"of Oban's has no slots that queues share"
                )
            )
    elif control.action == "start":
        _check_alone(workers, control.queue)
    else:
        _meant(control.queue, {queue for worker in nodes for queue in worker.queues})


def _nodes(workers: Sequence[WorkerView], node: str | None, *, signals: bool) -> list[WorkerView]:
    """The processes of the node that is meant, or of all of ours; `signals` reach foreign ones too."""
    ours = [worker for worker in workers if not worker.foreign and worker.node]
    found = [worker for worker in ours if node is None or node in names_of(worker.node, [worker.name])]
    found = found or [worker for worker in workers if signals and worker.foreign and worker.name == node]
    if found:
        return found
    known = {worker.node for worker in ours} | {worker.name for worker in workers if signals and worker.foreign}
    if node is None or not known:
        raise UnknownNode("expected a live worker to be told, got none: start one with treadle work")
    raise UnknownNode(
        one_line(f'expected one of the live nodes {", ".join(sorted(known))}, got "{node}"{did_you_mean(node, known)}')
    )


def _check_alone(workers: Sequence[WorkerView], queue: str) -> None:
    for worker in workers:
        if worker.foreign and queue in worker.queues:
            raise ConfigError(
                one_line(
                    f'expected queue "{queue}" to be served by treadle alone, got the live {worker.program} process '
                    f"{worker.name} on it, where jobs that only this app knows would fail: start a worker with "
                    f"--share {queue} if both know its jobs"
                )
            )


def _meant(queue: str, known: Collection[str]) -> Collection[str]:
    if queue == EVERY_QUEUE:
        return known
    if queue not in known:
        among = f"one of {', '.join(sorted(known))}" if known else "a queue that has jobs or is served"
        raise UnknownQueue(one_line(f'expected {among}, got "{queue}"{did_you_mean(queue, known)}'))
    return (queue,)


def _text(queue: str) -> str:
    if not isinstance(queue, str):
        raise ConfigError(f"expected the name of a queue, got {queue!r:.80}")
    return queue


def _one(queue: str) -> str:
    if _text(queue) == EVERY_QUEUE:
        raise ConfigError('expected the name of one queue, got "*", which can be paused and resumed alone')
    return queue


def _node(node: str | None) -> str | None:
    if node is not None and not isinstance(node, str):
        raise ConfigError(f"expected the name of a node, as in host:pid, got {node!r:.80}")
    return node
