"""Who works on a Redis, by what they show of themselves to dashboards, and how its queues do."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from treadle.core.states import State
from treadle.errors import StoreError
from treadle.stores.redis_client import Client, seconds_of
from treadle.stores.redis_jobs import queue_names
from treadle.stores.redis_keys import DONE_SLOT, decode
from treadle.stores.redis_query import scored
from treadle.stores.redis_scripts import Command
from treadle.stores.sidekiq_view import view
from treadle.stores.views import QueueView, WorkerView

# The slot that fills now and the six before it.
_SLOTS_READ = 7


class _Info(msgspec.Struct):
    queues: tuple[str, ...] = ()
    version: str = ""
    pid: int | str = 0
    node: str = ""
    limits: dict[str, int] = {}
    paused: tuple[str, ...] = ()


_decode_info = msgspec.json.Decoder(_Info).decode


async def workers(client: Client) -> list[WorkerView]:
    """Owners whose lease lasts; foreign processes as long as their hash does, which ends 60 s after their last beat.

    A quiet one takes no more jobs. One that stops is quiet, and may show itself once more after it has taken itself
    off: its heartbeat goes on until the process is gone (sidekiq launcher.rb, clear_heartbeat).
    """
    keys = client.keys
    sets: list[Command] = [("SMEMBERS", key) for key, _ in keys.shown]
    time, owners, *processes = await client.back.ask(("TIME",), ("ZRANGE", keys.owners, 0, -1, "WITHSCORES"), *sets)
    now = seconds_of(time)
    ours = {decode(owner) for owner, end in scored(owners) if end > now}
    hashes = {owner: keys.process(owner)[0] for owner in ours}
    for (_, prefix), members in zip(keys.shown, processes, strict=True):
        hashes |= {decode(name): prefix + name for name in members if decode(name) not in ours}
    shown = await client.back.ask_all(*[("HMGET", key, "info", "quiet") for key in hashes.values()])
    views = [_worker(name, fields, ours=name in ours) for name, fields in zip(hashes, shown, strict=True)]
    return sorted((view for view in views if view is not None), key=lambda view: view.name)


def _worker(name: str, fields: Sequence[bytes | None] | StoreError, *, ours: bool) -> WorkerView | None:
    """None for one that is gone or quiet; of ours, one whose lease ended is shown for a minute, and is gone too."""
    text, quiet = (None, None) if isinstance(fields, StoreError) else fields
    try:
        info = _decode_info(text) if isinstance(text, bytes) else None
    except msgspec.DecodeError:
        info = _Info()
    if ours:
        info = info or _Info()
        return WorkerView(name=name, queues=info.queues, node=info.node, limits=info.limits, paused=info.paused)
    if info is None or quiet == b"true" or info.version.startswith("treadle "):
        return None
    return WorkerView(name=name, queues=info.queues, program="exq" if isinstance(info.pid, str) else "sidekiq")


async def queues(client: Client) -> dict[str, QueueView]:
    """Every queue that was ever pushed to, of which jobs were completed lately, or which is paused."""
    keys, names = client.keys, await queue_names(client)
    counted: list[Command] = [("HGETALL", key) for key in keys.done]
    lengths: list[Command] = [("LLEN", keys.queue(name)) for name in names]
    ends: list[Command] = [("LINDEX", keys.queue(name), -1) for name in names]
    time, members, *replies = await client.back.ask_all(("TIME",), ("SMEMBERS", keys.paused), *counted, *lengths, *ends)
    slots, looked = replies[: len(counted)], replies[len(counted) :]
    now = seconds_of(time)
    rates = _rates(slots, now)
    paused = set() if isinstance(members, StoreError) else {decode(name) for name in members}
    found = {name: QueueView(rate=rates.get(name, 0.0), paused=name in paused) for name in rates.keys() | paused}
    for name, length, oldest in zip(names, looked[: len(names)], looked[len(names) :], strict=True):
        available = 0 if isinstance(length, StoreError) else length
        known = found.get(name, QueueView())
        found[name] = msgspec.structs.replace(known, available=available, age=_age(oldest, now))
    return found


def _rates(slots: Sequence[Any], now: float) -> dict[str, float]:
    """Completions a second by queue, of the slots that are not older than about a minute."""
    current, seconds = int(now) // DONE_SLOT, (_SLOTS_READ - 1) * DONE_SLOT + now % DONE_SLOT
    rates: dict[str, float] = {}
    for slot in range(current - _SLOTS_READ + 1, current + 1):
        for queue, number in _pairs(slots[slot % len(slots)]):
            name = decode(queue)
            rates[name] = rates.get(name, 0.0) + int(number) / seconds
    return rates


def _pairs(reply: Any) -> Sequence[tuple[bytes, bytes]]:  # noqa: ANN401 - a hash as RESP 3 gives it, or RESP 2
    if isinstance(reply, StoreError):
        return ()
    if isinstance(reply, Mapping):
        return tuple(reply.items())
    return tuple(zip(reply[::2], reply[1::2], strict=True))


def _age(text: bytes | StoreError | None, now: float) -> float | None:
    """By when it was pushed: Sidekiq's "latency"."""
    if not isinstance(text, bytes):
        return None
    shown = view(text, State.AVAILABLE)
    pushed = shown.scheduled_at or shown.inserted_at
    return None if pushed is None else max(now - pushed.timestamp(), 0.0)
