"""Waiting for a change in Redis: told by the server, looked for where it does not tell."""

import asyncio

from treadle.stores.redis_client import Client
from treadle.stores.redis_link import Link

# Seconds between two looks where the server tells nothing (RESP 2, or no right to ask for it).
POLL = 0.02
# Every idle process is woken by one push; the first takes it, and the others should not come all at once.
JITTER = 0.002


class RedisWatch:
    """A watch on what the running loop looked at: the queues of its claims, and results."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._link: Link = client.connections.links.front
        self._seen = self._link.changes

    async def wait(self, timeout: float) -> None:
        """Return at the next change, or after `timeout` seconds."""
        link = self._link
        await link.changed(self._seen, min(timeout, POLL) if link.deaf else timeout)
        if link.changes != self._seen:
            pause = JITTER * self._client.draw(1)[0] / 256
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=pause)
        self._seen = link.changes
