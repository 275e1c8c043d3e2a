"""A look at the jobs on Redis, which keeps no index of them: place by place and page by page, as far as is asked.

No page is more than a few megabytes, and between two pages the server and the loop have their turn. Producers push at
the head of a list and workers take from its tail, so a look that begins at the head misses nothing that they move; what
other people move meanwhile may be met twice, or not at all.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from treadle.core.job import JobView
from treadle.core.query_match import matches
from treadle.core.query_narrow import narrowed
from treadle.core.states import State
from treadle.errors import QueryError
from treadle.stores.job_query import JobQuery
from treadle.stores.redis_claims import claimed_at, opened
from treadle.stores.redis_client import Client, seconds_of
from treadle.stores.redis_jobs import holders, queue_names
from treadle.stores.redis_scripts import ScriptCall
from treadle.stores.sidekiq_view import view

PAGE = 500
PAGE_BYTES = 4 << 20

SETS = {State.SCHEDULED: "schedule", State.RETRYABLE: "retry", State.DISCARDED: "dead"}

LISTS = frozenset({State.AVAILABLE, State.SUSPENDED})

_ORDER = (State.AVAILABLE, State.SUSPENDED, *SETS, State.EXECUTING)
_RANKS = {state: rank for rank, state in enumerate(_ORDER)}


class Spot(NamedTuple):
    """A place where jobs stand; they are read in their order. `name` is that of a queue, or of an owner of claims."""

    rank: int
    name: str
    key: bytes

    @property
    def state(self) -> State:
        """The state that its jobs are in."""
        return _ORDER[self.rank]

    def cursor(self, passed: int) -> str:
        """Where to go on after so many jobs of it."""
        return f"{self.state}:{passed}:{self.name}"


class Found(NamedTuple):
    """A job and where it stood. `entry` is what is removed there: its text, or the token of a claim."""

    view: JobView
    key: bytes
    entry: bytes
    text: bytes
    place: int
    cursor: str


class Look:
    """Reads one page after another of the jobs that a query may mean; `looked` is how many were read.

    Raises QueryError for a cursor that no look gave.
    """

    def __init__(self, client: Client, query: JobQuery, spots: Sequence[Spot], now: float) -> None:
        self.looked = 0
        self._client = client
        self._where = query.whole
        self._ids = frozenset(query.ids)
        self._now = now
        self._spots = [*spots]
        self._passed = 0
        self._within = query.within
        self._time = asyncio.get_running_loop().time
        self._since = self._time()
        if query.after is not None:
            self._go_to(query.after)

    @property
    def goes_on(self) -> bool:
        """Whether something is left to look at, and time for it."""
        late = self.looked > 0 and self._within is not None and self._time() - self._since >= self._within
        return bool(self._spots) and not late

    @property
    def cursor(self) -> str | None:
        """Where to go on; None where nothing is left."""
        return self._spots[0].cursor(self._passed) if self._spots else None

    async def page(self) -> list[Found]:
        """The jobs of the next page that match."""
        spot = self._spots[0]
        entries, more = await _page(self._client, spot, self._passed)
        self.looked += len(entries)
        self._passed += len(entries)
        if not more:
            self._spots.pop(0)
            self._passed = 0
        return [job for job in entries if self._means(job.view)]

    def taken(self, number: int) -> None:
        """So many jobs of the last page stand there no more: what follows has moved up."""
        self._passed = max(0, self._passed - number)

    def _means(self, shown: JobView) -> bool:
        return (not self._ids or shown.id in self._ids) and matches(shown, self._where, self._now)

    def _go_to(self, cursor: str) -> None:
        where, _, rest = cursor.partition(":")
        passed, _, name = rest.partition(":")
        rank = next((rank for rank, state in enumerate(_ORDER) if state == where), None)
        if rank is None or not (passed.isascii() and passed.isdigit()):
            raise QueryError(f"expected `after` to be the cursor of a page of this store, got {cursor!r:.80}")
        self._spots = [spot for spot in self._spots if spot[:2] >= (rank, name)]
        if self._spots and self._spots[0][:2] == (rank, name):
            self._passed = int(passed)


async def look(client: Client, query: JobQuery) -> Look:
    """A look at everything that a query may mean, by the server's clock."""
    narrow = narrowed(query.whole)
    keys = client.keys
    queues = sorted(narrow.queues) if narrow.queues is not None else await queue_names(client)
    spots = [Spot(_RANKS[State.AVAILABLE], queue, keys.queue(queue)) for queue in queues]
    spots += [Spot(_RANKS[State.SUSPENDED], queue, keys.suspended(queue)) for queue in queues]
    spots += [Spot(_RANKS[state], "", getattr(keys, name)) for state, name in SETS.items()]
    spots += [Spot(_RANKS[State.EXECUTING], owner, keys.inflight(owner)) for owner in await holders(client)]
    [time] = await client.back.ask(("TIME",))
    wanted = [spot for spot in spots if narrow.states is None or spot.state in narrow.states]
    return Look(client, query, wanted, seconds_of(time))


async def _page(client: Client, spot: Spot, passed: int) -> tuple[list[Found], bool]:
    """The jobs that stand there next, and whether there are more."""
    if spot.state is State.EXECUTING:
        return await _claimed(client, spot, passed)
    kind = "zset" if spot.state in SETS else "list"
    size, *entries = await client.back.run(ScriptCall("scan", [spot.key], [kind, passed, PAGE, PAGE_BYTES]))
    found: list[Found] = []
    for text, score in scored(entries) if spot.state in SETS else [(entry, None) for entry in entries]:
        payload = text.partition(b"\0")[2] if spot.state is State.SUSPENDED else text
        shown = view(payload, spot.state, queue=spot.name or None, score=score)
        found.append(_found(spot, shown, text, payload, passed + len(found)))
    return found, bool(found) and passed + len(found) < size


async def _claimed(client: Client, spot: Spot, passed: int) -> tuple[list[Found], bool]:
    """What an owner runs, which is no more than it has slots."""
    _, entries, _ = await client.back.run(ScriptCall("held", [spot.key, client.keys.cancel(spot.name)], []))
    found: list[Found] = []
    for token, entry in zip(entries[::2], entries[1::2], strict=True):
        queue, _, text = opened(entry)
        shown = view(text, State.EXECUTING, queue=queue, score=claimed_at(token), owner=spot.name)
        found.append(_found(spot, shown, token, text, len(found)))
    return found[passed:], False


def _found(spot: Spot, shown: JobView, entry: bytes, text: bytes, index: int) -> Found:
    return Found(shown, spot.key, entry, text, index, spot.cursor(index + 1))


def scored(reply: Sequence[Any]) -> list[tuple[bytes, float]]:
    """Members and scores: pairs as RESP 3 gives them, or the flat list of RESP 2."""
    if reply and isinstance(reply[0], list):
        return [(text, float(score)) for text, score in reply]
    return [(text, float(score)) for text, score in zip(reply[::2], reply[1::2], strict=True)]
