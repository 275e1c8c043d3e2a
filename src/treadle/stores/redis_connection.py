"""How connections to one Redis are made: for the loops and the threads of this process, anew after a fork."""

import asyncio
import os
import threading
import weakref
from typing import Any, NamedTuple

import redis
import redis.asyncio.connection as aio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from treadle.stores.forks import while_alive
from treadle.stores.redis_link import RESP3, Link

CONNECT_DEADLINE = 1.0
READ_DEADLINE = 1.2
_THREAD_CONNECTIONS = 32


class Links(NamedTuple):
    """The connections of one loop.

    `front` looks at queues and results, and hears of their changes; it must not make such changes itself, as it would
    not hear of them. `aside` looks at orders, and hears of them alone. `back` does everything else.
    """

    front: Link
    aside: Link
    back: Link


class Connections:
    """Every connection that this process has to one Redis."""

    def __init__(self, url: str, where: str, waking: tuple[bytes, ...], orders: bytes) -> None:
        self._url = url
        self._where = where
        self._waking = waking
        self._orders = orders
        self._lock = threading.Lock()
        self._pool: redis.BlockingConnectionPool | None = None
        self._links: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Links] = weakref.WeakKeyDictionary()
        # A child of a fork shares the sockets: it must neither use nor close them.
        self._inherited: list[object] = []
        os.register_at_fork(after_in_child=while_alive(self._forked))

    @property
    def links(self) -> Links:
        """The links of the running loop."""
        loop = asyncio.get_running_loop()
        links = self._links.get(loop)
        if links is None:
            with self._lock:
                links = self._links[loop] = self._make_links()
        return links

    @property
    def pool(self) -> redis.BlockingConnectionPool:
        """The connections of this process for code without a loop; any thread may take one."""
        with self._lock:
            if self._pool is None:
                self._pool = self._make_pool()
            return self._pool

    async def aclose(self) -> None:
        """Close the links of the running loop."""
        links = self._links.pop(asyncio.get_running_loop(), None)
        if links is not None:
            for link in links:
                await link.aclose()

    def close(self) -> None:
        """Close what has no loop."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.disconnect()

    def _forked(self) -> None:
        self._inherited += [self._pool, dict(self._links)]
        self._lock = threading.Lock()
        self._pool = None
        self._links = weakref.WeakKeyDictionary()

    def _make_links(self) -> Links:
        for loop in [loop for loop in self._links if loop.is_closed()]:
            del self._links[loop]
        return Links(
            Link(self._dial, self._where, tracking=True, waking=self._waking),
            Link(self._dial, self._where, tracking=True, waking=(self._orders,)),
            Link(self._dial, self._where),
        )

    async def _dial(self) -> aio.AbstractConnection:
        """Connect, authenticate and select; speak RESP 2 where the other end knows no other."""
        try:
            return await self._dialed(RESP3)
        except ResponseError:
            return await self._dialed(RESP3 - 1)

    async def _dialed(self, protocol: int) -> aio.AbstractConnection:
        options: dict[str, Any] = dict(aio.parse_url(self._url))
        kind = options.pop("connection_class", aio.Connection)
        connection: aio.AbstractConnection = kind(
            **options,
            protocol=protocol,
            # Every call has a deadline of its own.
            socket_timeout=None,
            socket_connect_timeout=CONNECT_DEADLINE,
            retry=AsyncRetry(NoBackoff(), 0),
            **_keepalive(self._url),
        )
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await connection.connect()  # type: ignore[no-untyped-call] # redis-py has no type for it
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def _make_pool(self) -> redis.BlockingConnectionPool:
        return redis.BlockingConnectionPool.from_url(
            self._url,
            max_connections=_THREAD_CONNECTIONS,
            timeout=CONNECT_DEADLINE,
            protocol=RESP3 - 1,
            socket_timeout=READ_DEADLINE,
            socket_connect_timeout=CONNECT_DEADLINE,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            health_check_interval=0,
            **_keepalive(self._url),
        )


def _keepalive(url: str) -> dict[str, Any]:
    return {} if url.startswith("unix:") else {"socket_keepalive": True}
