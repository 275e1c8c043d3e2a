"""Orders: looked for again and again, at once where somebody tells that there are some."""

import asyncio
from collections.abc import Awaitable, Callable

from treadle.stores.views import Orders

EVERY = 0.5
"""Seconds between two looks where nobody tells."""


async def until_orders(
    look: Callable[[], Awaitable[Orders]], wait: float, pause: Callable[[float], Awaitable[object]] | None = None
) -> Orders:
    """What a look finds, as soon as it finds orders or when `wait` seconds have passed.

    `pause` returns when it is time for another look, after so many seconds at the latest.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + wait
    while True:
        found = await look()
        left = end - clock()
        if found.orders or left <= 0:
            return found
        await (pause or _doze)(left)


async def _doze(left: float) -> None:
    await asyncio.sleep(min(left, EVERY))
