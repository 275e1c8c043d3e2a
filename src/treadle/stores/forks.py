"""What objects that hold threads and connections do when their process forks."""

import weakref
from collections.abc import Callable


def while_alive(method: Callable[[], None]) -> Callable[[], None]:
    """Calls this method of an object, which it does not keep alive; nothing once that is gone."""
    known = weakref.WeakMethod(method)

    def call() -> None:
        living = known()
        if living is not None:
            living()

    return call
