"""Which queues a node serves, as its plan says and as people changed it since."""

from collections.abc import Mapping, Sequence

from treadle.core.controls import EVERY_QUEUE, QueueControl
from treadle.runtime.plan import Plan
from treadle.runtime.slots import Group


class Served:
    """The queues that share slots, those with `limits` of their own over the node, and those that are `paused` here."""

    def __init__(self, plan: Plan, registered: Sequence[str]) -> None:
        served = plan.served(tuple(registered))
        self._concurrency = plan.concurrency
        self.limits = {queue: limit for queue, limit in plan.limits.items() if queue in served}
        self._shared = [queue for queue in served if queue not in self.limits]
        self.paused: set[str] = set()

    @property
    def queues(self) -> tuple[str, ...]:
        """All of them."""
        return (*self._shared, *self.limits)

    @property
    def active(self) -> tuple[str, ...]:
        """Those that are not paused here."""
        return tuple(queue for queue in self.queues if queue not in self.paused)

    def is_about(self, control: QueueControl) -> bool:
        """Whether it is about what is served here, or is to be."""
        return control.action == "start" or control.queue in {EVERY_QUEUE, *self.queues}

    def obey(self, control: QueueControl) -> bool:
        """Change what is served; whether anything has changed. A pause that lasts is the store's own matter."""
        before = self.queues, dict(self.limits), set(self.paused)
        queue, limit = control.queue, control.limit
        match control.action:
            case "pause" if not control.lasts:
                self.paused.update(self.queues if queue == EVERY_QUEUE else {queue}.intersection(self.queues))
            case "resume":
                self.paused = set() if queue == EVERY_QUEUE else self.paused - {queue}
            case "scale" if limit is not None and queue in self.queues:
                self._limit(queue, limit)
            case "start":
                self._start(queue, limit)
            case "stop":
                self._stop(queue)
        return before != (self.queues, self.limits, self.paused)

    def groups(self, portions: Mapping[str, int]) -> tuple[Group, ...]:
        """The slots of a process to which these parts of the limits were dealt."""
        shared = (Group(tuple(self._shared), self._concurrency),) if self._shared else ()
        return (*shared, *(Group((queue,), portions[queue], own=True) for queue in self.limits))

    def alone(self) -> tuple[Group, ...]:
        """The one slot of the process that runs suspects."""
        return (Group(self.queues, 1),)

    def _limit(self, queue: str, limit: int) -> None:
        self.limits[queue] = limit
        if queue in self._shared:
            self._shared.remove(queue)

    def _start(self, queue: str, limit: int | None) -> None:
        if limit is not None:
            self._limit(queue, limit)
        elif queue not in self.queues:
            self._shared.append(queue)

    def _stop(self, queue: str) -> None:
        self.limits.pop(queue, None)
        self.paused.discard(queue)
        if queue in self._shared:
            self._shared.remove(queue)
