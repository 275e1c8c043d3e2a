"""The queues in an app's store, told what to do from anywhere: `app.queues`."""

from collections.abc import Collection

from treadle.app.surface import App
from treadle.core.controls import EVERY_QUEUE, QueueControl
from treadle.core.nearest import did_you_mean
from treadle.core.printable import one_line
from treadle.errors import ConfigError, UnknownQueue
from treadle.stores.contract import ANY_QUEUE, Store


class Queues:
    """The queues of an app. "*" stands for every queue there is at that moment."""

    def __init__(self, app: App) -> None:
        self._app = app

    def pause(self, queue: str) -> None:
        """Let nothing of this queue be claimed, by anybody, until it is resumed; what runs goes on.

        It stands in the store, and outlasts every worker. Harmless when repeated. Raises ConfigError, UnknownQueue.
        """
        self._app.blocking("pause", self.apause(queue), instead="await app.queues.apause()")

    async def apause(self, queue: str) -> None:
        """Let nothing of this queue be claimed; see `pause`."""
        await self._control(QueueControl(action="pause", queue=_checked(queue)))

    def resume(self, queue: str) -> None:
        """Let a paused queue be claimed from again; harmless where it was not. Raises ConfigError, UnknownQueue."""
        self._app.blocking("resume", self.aresume(queue), instead="await app.queues.aresume()")

    async def aresume(self, queue: str) -> None:
        """Let a paused queue be claimed from again; see `resume`."""
        await self._control(QueueControl(action="resume", queue=_checked(queue)))

    async def _control(self, control: QueueControl) -> None:
        store = await self._app.astore()
        await store.control(control, _meant(control.queue, await self._known(store)))

    async def _known(self, store: Store) -> set[str]:
        """Every queue of which the store, a live worker or a registered job knows."""
        known = {*await store.queues(), *await store.counts()} - {ANY_QUEUE}
        known.update(queue for worker in await store.workers() for queue in worker.queues)
        return known.union(handler.options.queue for handler in self._app.handlers.values())


def _checked(queue: str) -> str:
    if not isinstance(queue, str):
        raise ConfigError(f"expected the name of a queue, got {queue!r:.80}")
    return queue


def _meant(queue: str, known: Collection[str]) -> Collection[str]:
    if queue == EVERY_QUEUE:
        return known
    if queue not in known:
        among = f"one of {', '.join(sorted(known))}" if known else "a queue that has jobs or is served"
        raise UnknownQueue(one_line(f'expected {among}, got "{queue}"{did_you_mean(queue, known)}'))
    return (queue,)
