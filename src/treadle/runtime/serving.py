"""What a node's processes serve: as its plan says, and as people change it while they work.

A limit over the node is dealt to its processes, and holds while it changes: no process is dealt more until others hold
less. So a process that holds more than its part tells of each claim that it gives back.
"""

from collections.abc import Collection

from treadle.core.controls import CancelRequest, Order, QueueControl, names_of
from treadle.hooks.events import Events, QueueControlled
from treadle.runtime.child import Child, Ready
from treadle.runtime.plan import Plan
from treadle.runtime.served import Served
from treadle.runtime.slots import Group
from treadle.stores.broadcasts import Pulse


class Serving:
    """Looks at `children`, which their node keeps up to date. The node answers to the name `node`, and to its host."""

    def __init__(self, plan: Plan, node: str, children: Collection[Child], events: Events) -> None:
        self._plan = plan
        self._node = node
        self._children = children
        self._events = events
        self._served: Served | None = None
        self._portions: dict[str, list[int]] = {}
        # What children hold of queues with limits; None where one has not said it since it was told to hold less.
        self._held: dict[Child, dict[str, int | None]] = {}

    @property
    def active(self) -> tuple[str, ...]:
        """The queues that are served and not paused on this node."""
        return () if self._served is None else self._served.active

    def open(self, ready: Ready) -> tuple[str, ...]:
        """The first child told which queues its jobs name; all that are served."""
        self._served = Served(self._plan, ready.queues)
        for queue, limit in self._served.limits.items():
            self._portions[queue] = self._targets(limit)
        return self._served.queues

    def welcome(self, child: Child, owner: str, *, quiet: bool) -> None:
        """Tell a child what it serves, and let it claim, as this owner, which holds nothing; if `quiet`, nothing."""
        self._held[child] = {}
        self._tell(child)
        child.go(owner, self._node, apart=any(other.outgoing for other in self.beside(child)), quiet=quiet)

    def beside(self, child: Child) -> list[Child]:
        """Who works in the same place: there are two while one succeeds the other."""
        return [other for other in self._children if other.index == child.index and other is not child]

    def heard(self, child: Child, number: int, held: dict[str, int]) -> None:
        """A child says how much it holds, having been told so many times what to serve."""
        if child in self._held and number == child.served:
            self._held[child].update(held)
            for queue in held:
                self._deal(queue)

    def left(self, child: Child) -> None:
        """A child has ended, and what it held was given back."""
        for queue in self._held.pop(child, {}):
            self._deal(queue)

    def pulses(self) -> list[Pulse]:
        """What the children do, and did since the last time."""
        return [pulse for child in self._children for pulse in child.pulses.take()]

    def obey(self, order: Order) -> None:
        """Do what was ordered, if it concerns this node."""
        match order:
            case CancelRequest():
                for child in self._children:
                    if child.owner == order.owner:
                        child.send("look")
            case QueueControl():
                owners = [child.owner for child in self._children if child.owner]
                if self._served is not None and order.concerns(names_of(self._node, owners)):
                    self._change(self._served, order)

    def _change(self, served: Served, control: QueueControl) -> None:
        before = dict(served.limits)
        if served.is_about(control):
            self._events.emit(QueueControlled(action=control.action, queue=control.queue, limit=control.limit))
        if not served.obey(control):
            return
        for queue, limit in served.limits.items():
            if before.get(queue) != limit and not (queue in before and limit > before[queue]):
                # Nobody claims of it until all have said what they hold.
                self._portions[queue] = [0] * self._plan.processes
                for child, held in self._held.items():
                    if not child.alone:
                        held[queue] = None
        self._portions = {queue: self._portions[queue] for queue in served.limits}
        for child in self._held:
            self._tell(child)
        for queue in served.limits:
            self._deal(queue)

    def _deal(self, queue: str) -> None:
        """Give processes more of a limit, as far as nobody holds what they would get."""
        if self._served is None or queue not in self._portions:
            return
        limit, dealt = self._served.limits[queue], self._portions[queue]
        held = self._held_of(queue)
        if held is None:
            return
        # What a process may come to hold: its part, or more while it holds more.
        most = list(map(max, dealt, held))
        room = limit - sum(most)
        if room < 0:
            return
        parts = []
        for bound, target in zip(most, self._targets(limit), strict=True):
            part = min(target, bound + room)
            room -= max(part - bound, 0)
            parts.append(part)
        self._portions[queue] = parts
        for child in self._held:
            if not child.alone and parts[child.index] != dealt[child.index]:
                self._tell(child)

    def _held_of(self, queue: str) -> list[int] | None:
        """What the processes hold of a queue, by their place; None while one has not said it."""
        held = [0] * self._plan.processes
        for child, counts in self._held.items():
            if not child.alone:
                count = counts.get(queue, 0)
                if count is None:
                    return None
                held[child.index] += count
        return held

    def _targets(self, limit: int) -> list[int]:
        return [self._plan.portion(limit, index) for index in range(self._plan.processes)]

    def _tell(self, child: Child) -> None:
        if self._served is not None:
            child.serve(self._groups(self._served, child), self._served.paused)

    def _groups(self, served: Served, child: Child) -> tuple[Group, ...]:
        if child.alone:
            return served.alone()
        return served.groups({queue: parts[child.index] for queue, parts in self._portions.items()})
