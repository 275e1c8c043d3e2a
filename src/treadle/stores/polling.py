"""Orders where nobody tells that there are some: looked for again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from treadle.stores.views import Orders

EVERY = 0.5


async def until_orders(look: Callable[[], Awaitable[Orders]], wait: float) -> Orders:
    """What a look finds, as soon as it finds orders or when `wait` seconds have passed."""
    clock = asyncio.get_running_loop().time
    end = clock() + wait
    while True:
        found = await look()
        left = end - clock()
        if found.orders or left <= 0:
            return found
        await asyncio.sleep(min(left, EVERY))
