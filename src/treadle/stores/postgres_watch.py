"""Waiting for a change in PostgreSQL: rung for by this process and by whoever listens, looked for every second."""

from collections.abc import Callable

from treadle.stores.bell import Bell

# Seconds between two looks where nobody tells of a change; every process takes another moment.
POLL = 1.0
JITTER = 0.2


class PostgresWatch:
    """A watch on the bell that ends after a second at the latest: changes by others may have come meanwhile."""

    def __init__(self, bell: Bell, draw: Callable[[int], bytes]) -> None:
        self._watch = bell.watch()
        self._draw = draw

    async def wait(self, timeout: float) -> None:
        """Return at the next change, or after `timeout` seconds, or when it is time to look."""
        await self._watch.wait(min(timeout, POLL - JITTER * self._draw(1)[0] / 256))
