"""Giving back on Redis: what owners that left or died held returns to its queues, oldest first.

Jobs that must not run again end instead.
"""

from collections.abc import Mapping, Sequence

from treadle.core.outcomes import LOST
from treadle.core.states import State
from treadle.errors import StoreError
from treadle.log import Log
from treadle.stores import sidekiq
from treadle.stores.claim import Rescued
from treadle.stores.exq_locks import lock_of, released
from treadle.stores.redis_claims import opened, settling
from treadle.stores.redis_client import Client
from treadle.stores.redis_errors import WrongType
from treadle.stores.redis_keys import decode, encode
from treadle.stores.redis_scripts import Argument, ScriptCall
from treadle.stores.redis_settle import record, shown

PAGE = 200
FENCED_AT_ONCE = 100

_log = Log("treadle.stores.redis")


async def leave(client: Client, owner: str) -> int:
    """Give everything of this owner back, and forget it. Whoever rescues goes on where this is broken off."""
    keys = client.keys
    await client.back.run_all_twice([ScriptCall("part", [keys.owners, keys.leaving], [encode(owner)])])
    return await _give_back(client, owner, None)


async def rescue(client: Client, limit: int) -> Rescued:
    """Fence silent owners first, then give back the claims of all that left, at most `limit`.

    An owner that holds claims and is in none of our sets was deleted by hand: it counts as one that left.
    """
    keys = client.keys
    call = ScriptCall("fence", [keys.owners, keys.fenced, keys.leaving, keys.holders], [FENCED_AT_ONCE])
    fenced, leaving = await client.back.run(call)
    moved = 0
    for owner in sorted(leaving):
        if moved >= limit:
            break
        moved += await _give_back(client, decode(owner), limit - moved)
    return Rescued(tuple(decode(owner) for owner in fenced), moved)


async def _give_back(client: Client, owner: str, limit: int | None) -> int:
    """The newest first, so that the oldest ends up next; then forget the owner, if nothing is left."""
    keys = client.keys
    [tokens] = await client.back.ask(("HKEYS", keys.inflight(owner)))
    tokens = sorted(tokens, reverse=True)[:limit]
    moved = 0
    for start in range(0, len(tokens), PAGE):
        moved += await _give_back_page(client, owner, tokens[start : start + PAGE])
    named = [keys.leaving, keys.inflight(owner), keys.cancel(owner), keys.processes]
    named += [*keys.process(owner), keys.holders]
    await client.back.run(ScriptCall("forget", named, [encode(owner)]))
    return moved


async def _give_back_page(client: Client, owner: str, tokens: Sequence[bytes]) -> int:
    keys = client.keys
    [entries] = await client.back.ask(("HMGET", keys.inflight(owner), *tokens))
    lists: dict[bytes, int] = {}
    args: list[Argument] = []
    once: dict[bytes, bytes] = {}
    for token, entry in zip(tokens, entries, strict=True):
        if entry is not None:
            queue, deaths, text = opened(entry)
            if sidekiq.runs_once(text):
                once[token] = entry
                args += [token, 0]
            else:
                key = keys.suspended(queue) if deaths else keys.queue(queue)
                args += [token, lists.setdefault(key, len(lists) + 1)]
            # Nor a copy of it while the next is looked at, or they are ended.
            del text
    if not args:
        return 0
    named = [keys.inflight(owner), keys.cancel(owner), keys.queues, *lists]
    try:
        moved, *wished = await client.back.run(ScriptCall("give_back", named, args))
    except WrongType as error:
        if len(tokens) == 1:
            _log.error("a claim of %s cannot go back: %s", owner, error)
            return 0
        return sum([await _give_back_page(client, owner, [token]) for token in tokens])
    cancelled = dict(zip(wished[::2], wished[1::2], strict=True))
    lost = {token: entry for token, entry in once.items() if token not in cancelled}
    number: int = moved + await _end(client, owner, cancelled, lost)
    return number


async def _end(client: Client, owner: str, cancelled: Mapping[bytes, bytes], lost: Mapping[bytes, bytes]) -> int:
    """End the claims that somebody wants cancelled, and those that may have run and must not again.

    How many were still held.
    """
    if not cancelled and not lost:
        return 0
    day, counters = await client.counters()
    calls = []
    for token, entry in (*cancelled.items(), *lost.items()):
        queue, _, text = opened(entry)
        try:
            job_id = sidekiq.read(text, queue).id
        except sidekiq.Malformed:
            job_id = ""
        state = State.CANCELLED if token in cancelled else State.DISCARDED
        kept = record(state, error="" if token in cancelled else shown(LOST))
        named, args = settling(
            client,
            owner,
            token.decode(),
            job_id,
            day=day,
            counters=counters,
            kept=kept,
            lock=released(lock_of(text), state),
            more=[] if token in cancelled else [client.keys.dead],
        )
        if token not in cancelled and sidekiq.kept_when_dead(text):
            args += sidekiq.failed(text, queue, LOST).arguments
        calls.append(ScriptCall("obey" if token in cancelled else "lose", named, args))
    replies = await client.back.run_all(calls)
    for reply in replies:
        if isinstance(reply, StoreError):
            raise reply
    return replies.count(b"applied")
