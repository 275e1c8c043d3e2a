"""Who holds what on Redis: owners and their leases; claims lent, and found again."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from treadle.core.job import Job
from treadle.errors import StoreError
from treadle.log import Log
from treadle.stores import sidekiq
from treadle.stores.claim import Claim, Demand
from treadle.stores.exq_locks import Lock, lock_of
from treadle.stores.redis_client import Client
from treadle.stores.redis_errors import WrongType
from treadle.stores.redis_keys import decode, encode
from treadle.stores.redis_scripts import Argument, ScriptCall

# The tokens of one claim call have four digits, and Lua unpacks at most 8,000 values at once.
CLAIM_LIMIT = 5_000
# Bytes from which a payload is not held twice.
LARGE = 1 << 16
# Seconds after which a list of another type is looked at again.
BROKEN_FOR = 1.0

_log = Log("treadle.stores.redis")


class Lent(Claim, frozen=True):
    """A claim with the bytes that stand in the store, of which its job's next form is made.

    `alone` says that the job was set aside, `lock` what it may hold as a unique one. Of a large payload only what
    stands `around` its arguments is kept: those are in the job already.
    """

    payload: bytes = b""
    alone: bool = False
    around: tuple[bytes, bytes] | None = None
    lock: Lock | None = None

    @property
    def text(self) -> bytes:
        """The payload."""
        if self.around is None:
            return self.payload
        return b"".join((self.around[0], self.job.args, self.around[1]))


async def enroll(client: Client, owner: str, lease: float) -> None:
    """Write the owner down until its lease ends. Raises Fenced."""
    keys = client.keys
    named = [keys.owners, keys.fenced, keys.leaving, keys.holders]
    await client.back.run(ScriptCall("enroll", named, [encode(owner), str(lease)]))


async def beat(client: Client, owners: Mapping[str, float]) -> dict[str, Literal["alive", "fenced", "unknown"]]:
    """Renew the leases of the owners that are enrolled."""
    if not owners:
        return {}
    args = [part for owner, lease in owners.items() for part in (encode(owner), str(lease))]
    answers = await client.back.run(ScriptCall("beat", [client.keys.owners, client.keys.fenced], args))
    return {owner: answer.decode() for owner, answer in zip(owners, answers, strict=True)}


async def claim(client: Client, owner: str, demands: Sequence[Demand]) -> list[Claim]:
    """Lend what is available now. A list of another type is passed over for a while, and the others are served."""
    while True:
        asked = _served(client, demands)
        if not asked:
            return []
        try:
            reply = await client.front.run(_claim_call(client, owner, asked))
        except WrongType as error:
            await _note_broken(client, asked, error)
            continue
        prefix = reply[0].decode()
        client.saw_time(claimed_at(prefix))
        claims, poison = _lent(client, reply, prefix, asked)
        await _bury(client, owner, poison)
        if claims or not poison:
            await _unlock_started(client, claims)
            return claims


async def held(client: Client, owner: str) -> list[Claim]:
    """Every claim of this owner, oldest first; what is no job is buried on the way."""
    keys, large = client.keys, dict(client.large)
    call = ScriptCall("held", [keys.inflight(owner), keys.cancel(owner)], list(large))
    _, entries, cancels = await client.back.run(call)
    cancelled = set(cancels)
    claims: list[Claim] = []
    poison: list[_Poison] = []
    for token, entry in sorted(zip(entries[::2], entries[1::2], strict=True)):
        if not entry:
            claims.append(msgspec.structs.replace(large[token.decode()], cancelled=token in cancelled))
            continue
        queue, deaths, text = opened(entry)
        try:
            job = sidekiq.read(text, queue, int(deaths or 0), claimed_at(token))
        except sidekiq.Malformed as error:
            poison.append((token.decode(), queue, text, str(error)))
            continue
        claims.append(_made(client, job, token.decode(), text, alone=bool(deaths), cancelled=token in cancelled))
    await _bury(client, owner, poison)
    return claims


def opened(entry: bytes) -> tuple[str, bytes, bytes]:
    """Queue, deaths (empty where the job was not set aside) and payload of an entry in flight."""
    queue, deaths, *text = entry.split(b"\0", 2)
    # What stood among suspects and was none has no second divider.
    return decode(queue), *((deaths, text[0]) if text else (b"0", deaths))


def claimed_at(token: str | bytes) -> float:
    """The server's time at the claim, with which each of its tokens begins."""
    return float(token[:17])


def settling(  # noqa: PLR0913 - what every script that settles one claim takes
    client: Client,
    owner: str,
    token: str,
    jid: str,
    *,
    day: int,
    counters: Sequence[bytes],
    kept: bytes | str = b"",
    lock: Lock | None = None,
    more: Sequence[bytes] = (),
) -> tuple[list[bytes], list[Argument]]:
    """The keys of a script that settles one claim, and its first four arguments.

    `kept` is the result record, `lock` that which is to go if the job ends now, `more` are the script's own keys.
    """
    keys = client.keys
    named = [keys.inflight(owner), keys.settled(token), keys.cancel(owner), keys.result(jid), *counters, *more]
    if lock is not None:
        named.append(keys.unique(lock.token)[0])
    return named, [token, day, kept, encode(lock.jid) if lock is not None else b""]


async def _unlock_started(client: Client, claims: Sequence[Claim]) -> None:
    """Take away the locks that were to last until the first attempt of these jobs."""
    starting = [
        claim.lock
        for claim in claims
        if isinstance(claim, Lent) and claim.lock is not None and claim.lock.until == "start" and claim.job.attempt == 1
    ]
    if starting:
        named = [client.keys.unique(lock.token)[0] for lock in starting]
        await client.back.run_all_twice([ScriptCall("unlock", named, [encode(lock.jid) for lock in starting])])


# Claiming

_Poison = tuple[str, str, bytes, str]


def _served(client: Client, demands: Sequence[Demand]) -> list[Demand]:
    """The demands without broken lists; each claim begins with another queue, so that a full one starves no other."""
    client.turn += 1
    now = asyncio.get_running_loop().time()
    client.broken = {key: until for key, until in client.broken.items() if until > now}
    served, left = [], CLAIM_LIMIT
    for demand in demands:
        limit = min(demand.limit, left)
        queues = tuple(queue for queue in demand.queues if _list_of(client, queue, demand) not in client.broken)
        if limit > 0 and queues:
            start = client.turn % len(queues)
            served.append(Demand(queues[start:] + queues[:start], limit, demand.alone))
            left -= limit
    return served


def _claim_call(client: Client, owner: str, demands: Sequence[Demand]) -> ScriptCall:
    keys = client.keys
    named = [keys.owners, keys.fenced, keys.inflight(owner), keys.paused]
    args: list[Argument] = [encode(owner), client.operation()]
    for demand in demands:
        named += [_list_of(client, queue, demand) for queue in demand.queues]
        args += [demand.limit, int(demand.alone), len(demand.queues), *map(encode, demand.queues)]
    return ScriptCall("claim", named, args)


def _list_of(client: Client, queue: str, demand: Demand) -> bytes:
    return client.keys.suspended(queue) if demand.alone else client.keys.queue(queue)


def _lent(
    client: Client, reply: Sequence[Any], prefix: str, demands: Sequence[Demand]
) -> tuple[list[Claim], list[_Poison]]:
    lists = [(queue, demand.alone) for demand in demands for queue in demand.queues]
    claims: list[Claim] = []
    poison: list[_Poison] = []
    read, number, now = sidekiq.read, 0, claimed_at(prefix)
    for group in reply[1:]:
        queue, alone = lists[group[0]]
        for entry in group[1:]:
            token = f"{prefix}-{number:04d}"
            number += 1
            deaths, text = 0, entry
            try:
                if alone:
                    count, divider, rest = entry.partition(b"\0")
                    text = rest if divider else entry
                    deaths = int(count)
                job = read(text, queue, deaths, now)
                claims.append(
                    Lent(job, token, False, text, alone, None, lock_of(text))
                    if len(text) < LARGE
                    else _made(client, job, token, text, alone=alone)
                )
            except (sidekiq.Malformed, ValueError) as error:
                poison.append((token, queue, text, str(error)))
    return claims, poison


def _made(client: Client, job: Job, token: str, text: bytes, *, alone: bool, cancelled: bool = False) -> Lent:
    """A claim. A large one is remembered while anybody holds it, so that it need not be sent again."""
    around = sidekiq.around(text, job.args) if len(text) >= LARGE else None
    lent = Lent(job, token, cancelled, b"" if around else text, alone, around, lock_of(text))
    if len(text) >= LARGE:
        client.large[token] = lent
    return lent


async def _note_broken(client: Client, demands: Sequence[Demand], error: WrongType) -> None:
    lists = [_list_of(client, queue, demand) for demand in demands for queue in demand.queues]
    kinds = await client.back.ask(*[("TYPE", key) for key in lists])
    again = asyncio.get_running_loop().time() + BROKEN_FOR
    broken = {key: again for key, kind in zip(lists, kinds, strict=True) if kind not in {b"list", b"none"}}
    if not broken:
        # It was another of the keys, without which nothing can be claimed.
        raise error
    client.broken |= broken
    _log.error("passing over a queue: %s", error)


async def _bury(client: Client, owner: str, poison: Sequence[_Poison]) -> None:
    """Put what is no job where people see it, out of everyone's way."""
    if not poison:
        return
    try:
        day, counters = await client.counters()
        calls = []
        for token, queue, text, _ in poison:
            named, leading = settling(client, owner, token, "", day=day, counters=counters, more=[client.keys.dead])
            calls.append(ScriptCall("bury", named, [*leading, 0, *sidekiq.buried(text, queue).arguments]))
        for reply in await client.back.run_all_twice(calls):
            if isinstance(reply, StoreError):
                raise reply
    except StoreError as error:
        # It stays in flight, and the owner's next look at what it holds finds it again.
        _log.warning("%d malformed payloads could not be moved to dead yet: %s", len(poison), error)
        return
    for _, queue, _, why in poison:
        _log.warning('a payload in queue "%s" was moved to dead: %s', queue, why)
