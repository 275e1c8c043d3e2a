"""What queues are told on Redis."""

from collections.abc import Collection

from treadle.core.controls import QueueControl
from treadle.stores.redis_client import Client
from treadle.stores.redis_keys import encode

_COMMANDS = {"pause": "SADD", "resume": "SREM"}


async def control(client: Client, given: QueueControl, queues: Collection[str]) -> None:
    """Note which queues are paused; every claim looks, Sidekiq Pro's too."""
    if queues:
        await client.back.ask((_COMMANDS[given.action], client.keys.paused, *map(encode, queues)))
