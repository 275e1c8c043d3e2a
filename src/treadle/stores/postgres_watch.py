"""Waiting for a change in PostgreSQL: rung for by this process and by whoever listens, looked for all the same."""

from collections.abc import Callable

from treadle.stores.bell import Bell
from treadle.stores.polling import EVERY
from treadle.stores.postgres_hearing import Signals
from treadle.stores.postgres_listener import Listener

# Seconds between two looks where nobody tells of a change; every process takes another moment.
POLL = 1.0
JITTER = 0.2
# Seconds between two looks for orders while those that are given are heard.
SELDOM = 5.0


class PostgresWatch:
    """A watch on the bell that ends after a second at the latest: changes by others may have come meanwhile."""

    def __init__(self, bell: Bell, draw: Callable[[int], bytes]) -> None:
        self._watch = bell.watch()
        self._draw = draw

    async def wait(self, timeout: float) -> None:
        """Return at the next change, or after `timeout` seconds, or when it is time to look."""
        await self._watch.wait(min(timeout, POLL - JITTER * self._draw(1)[0] / 256))


class OrdersWatch:
    """A watch for orders that are heard; where the listener is deaf it is time to look twice a second."""

    def __init__(self, signals: Signals, listener: Listener) -> None:
        self._watch = signals.watch()
        self._listener = listener

    async def wait(self, timeout: float) -> None:
        """Return at the next order, or after `timeout` seconds, or when it is time to look."""
        await self._watch.wait(min(timeout, EVERY if self._listener.deaf else SELDOM))
