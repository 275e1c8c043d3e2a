"""What queues and running jobs are told on Redis."""

import asyncio
from collections.abc import Collection, Sequence

from treadle.core.controls import Order, QueueControl, order_text, orders_of
from treadle.stores.redis_client import Client
from treadle.stores.redis_keys import encode
from treadle.stores.views import Orders

# An order is heard within seconds; so many may be given meanwhile.
_KEPT = 1_000
# Seconds between two looks where the server tells nothing (RESP 2, or no right to ask for it).
_POLL = 1.0
_NOTHING_YET = "0-0"

_COMMANDS = {"pause": "SADD", "resume": "SREM"}


async def control(client: Client, given: QueueControl, queues: Collection[str]) -> None:
    """Note which queues are paused, at which every claim looks, Sidekiq Pro's too; and tell the workers."""
    if queues and given.lasts:
        await client.back.ask((_COMMANDS[given.action], client.keys.paused, *map(encode, queues)))
    await tell(client, [given])


async def tell(client: Client, given: Sequence[Order]) -> None:
    """Leave orders where every worker hears of them."""
    if given:
        key = client.keys.orders
        await client.back.ask(*[("XADD", key, "MAXLEN", "~", _KEPT, "*", "order", order_text(one)) for one in given])


async def orders(client: Client, since: str | None, wait: float) -> Orders:
    """The orders after this position; None: those that come from now on."""
    if since is None:
        [last] = await client.aside.ask(("XREVRANGE", client.keys.orders, "+", "-", "COUNT", 1))
        return Orders(last[0][0].decode() if last else _NOTHING_YET)
    link, clock = client.connections.links.aside, asyncio.get_running_loop().time
    end = clock() + wait
    while True:
        changes = link.changes
        found = await _look(client, since)
        left = end - clock()
        if found.orders or left <= 0:
            return found
        since = found.position
        await link.changed(changes, min(left, _POLL) if link.deaf else left)
        if link.changes == changes and not link.deaf:
            return found


async def _look(client: Client, since: str) -> Orders:
    """Reading the stream arms the wake-up by its next entry."""
    [reply] = await client.aside.ask(("XREAD", "STREAMS", client.keys.orders, since))
    if not reply:
        return Orders(since)
    # By stream as RESP 3 gives it, or pairs as RESP 2 does.
    [entries] = reply.values() if isinstance(reply, dict) else [pair[1] for pair in reply]
    return Orders(entries[-1][0].decode(), orders_of(fields[1] for _, fields in entries))
