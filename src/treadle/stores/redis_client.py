"""What every part of the Redis store works with: keys, senders, the server's day, and ids that nobody else draws."""

import asyncio
import itertools
import os
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from treadle.core.clock import Clock
from treadle.stores.claim import Claim
from treadle.stores.redis_connection import Connections
from treadle.stores.redis_keys import Keys
from treadle.stores.redis_senders import AsyncSender, ThreadSender

_DAY = 86_400

Draw = Callable[[int], bytes]


class Client:
    """One Redis as one store object sees it."""

    def __init__(self, url: str, where: str, namespace: str, clock: Clock, draw: Draw) -> None:
        self.keys = Keys(namespace)
        self.where = where
        self.draw = draw
        self.connections = Connections(url, where, self.keys.waking, self.keys.orders)
        self.thread = ThreadSender(self.connections, where, clock)
        # Lists that were of another type at the last claim, and when they are looked at again.
        self.broken: dict[bytes, float] = {}
        self.turn = 0
        # Claims of large jobs that somebody in this process still holds, by their token.
        self.large: weakref.WeakValueDictionary[str, Claim] = weakref.WeakValueDictionary()
        self.round_trip_us = 0
        self._server_time: tuple[float, float] | None = None
        self._counters: tuple[int, list[bytes]] | None = None
        self._calls = self._numbers()

    @property
    def front(self) -> AsyncSender:
        """Sends claims and looks at results, on the connection that hears of changes."""
        return AsyncSender(self.connections.links.front, self.where)

    @property
    def aside(self) -> AsyncSender:
        """Looks at orders, on a connection that hears of them and of nothing else."""
        return AsyncSender(self.connections.links.aside, self.where)

    @property
    def back(self) -> AsyncSender:
        """Sends everything else."""
        return AsyncSender(self.connections.links.back, self.where)

    def operation(self) -> str:
        """A name that no other call has, in this process or another."""
        pid, nonce, count = self._calls
        if pid != os.getpid():
            pid, nonce, count = self._calls = self._numbers()
        return f"{nonce}:{next(count):x}"

    def saw_time(self, seconds: float) -> None:
        """Remember what the server's clock said just now."""
        self._server_time = (seconds, asyncio.get_running_loop().time())

    async def counters(self) -> tuple[int, list[bytes]]:
        """The server's day since the epoch, and the keys of the counters for it and the next."""
        if self._server_time is None:
            [time] = await self.back.ask(("TIME",))
            self.saw_time(seconds_of(time))
            return await self.counters()
        then, at = self._server_time
        day = int(then + asyncio.get_running_loop().time() - at) // _DAY
        if self._counters is None or self._counters[0] != day:
            self._counters = (day, self.keys.counters((_date(day), _date(day + 1))))
        return self._counters

    def _numbers(self) -> tuple[int, str, "itertools.count[int]"]:
        return os.getpid(), self.draw(6).hex(), itertools.count(1)


def seconds_of(time: Sequence[bytes]) -> float:
    """What TIME replies, as seconds since the epoch: its whole seconds and the microseconds after them."""
    seconds, microseconds = time
    return float(seconds) + float(microseconds) / 1e6


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY, UTC).strftime("%Y-%m-%d")
