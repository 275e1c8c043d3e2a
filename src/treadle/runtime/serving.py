"""What people tell a node's queues and running jobs, handed on to the worker processes that it concerns."""

from collections.abc import Collection

from treadle.core.controls import CancelRequest, Order
from treadle.runtime.child import Child


class Serving:
    """Looks at `children`, which their node keeps up to date."""

    def __init__(self, children: Collection[Child]) -> None:
        self._children = children

    def obey(self, order: Order) -> None:
        """Do what was ordered."""
        match order:
            case CancelRequest():
                for child in self._children:
                    if child.owner == order.owner:
                        child.send("look")
