"""How many jobs this process may hold, and which it holds: nothing is claimed beyond the limit."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import msgspec

from treadle.stores.claim import Claim, Demand

Key = tuple[str, str]


class Group(msgspec.Struct, frozen=True):
    """Queues that share `limit` slots of one process. `own`: they are its part of a limit over the whole node."""

    queues: tuple[str, ...]
    limit: int
    own: bool = False


class Slots:
    """Every claim from the moment it arrives until its settlement is answered: waiting, running and unsettled.

    `capacity` is how many may be held together. The groups may change while claims are held: what was claimed under the
    old ones counts under the new ones, and where it is more than they allow, nothing is asked for until it is not.
    """

    def __init__(self, groups: Sequence[Group], *, alone: bool = False) -> None:
        self._groups = tuple(groups)
        self._alone = alone
        self._claims: dict[Key, str] = {}
        self._held: Counter[str] = Counter()
        self._paused: frozenset[str] = frozenset()
        self._over: frozenset[str] = frozenset()
        self._fell: Callable[[str], None] | None = None
        self.apart = False
        """While it is set, nothing is asked for of a group that is `own`: another process may still hold its part."""
        self.capacity = self.limit

    @property
    def limit(self) -> int:
        """How many the groups allow."""
        return sum(group.limit for group in self._groups)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that are served."""
        return tuple(queue for group in self._groups if group.limit for queue in group.queues)

    @property
    def limits(self) -> dict[str, int]:
        """The queues with slots of their own, and how many."""
        return {group.queues[0]: group.limit for group in self._groups if group.own}

    @property
    def paused(self) -> frozenset[str]:
        """The queues of which nothing is asked for."""
        return self._paused

    @property
    def held(self) -> int:
        """How many claims this process holds."""
        return len(self._claims)

    def __contains__(self, key: Key) -> bool:
        return key in self._claims

    def known(self) -> set[Key]:
        """The keys of all claims held."""
        return set(self._claims)

    def of(self, queue: str) -> int:
        """How many claims of a queue are held."""
        return self._held[queue]

    def regroup(self, groups: Sequence[Group], paused: Collection[str]) -> None:
        """Ask for these from now on, and for nothing of the paused ones."""
        self._groups = tuple(groups)
        self._paused = frozenset(paused)
        self.capacity = max(self.capacity, self.limit)

    def tell_falls(self, queues: Collection[str], fell: Callable[[str], None]) -> None:
        """Call `fell` whenever a claim of one of these queues is given back, instead of those of the last call."""
        self._over, self._fell = frozenset(queues), fell

    def free(self) -> int:
        """How many more may be held."""
        return sum(demand.limit for demand in self.demands())

    def demands(self) -> list[Demand]:
        """What to ask the store for."""
        demands, left = [], self.capacity - len(self._claims)
        for group in self._groups:
            queues = tuple(queue for queue in group.queues if queue not in self._paused)
            room = min(left, group.limit - sum(map(self._held.__getitem__, group.queues)))
            if queues and room > 0 and not (group.own and self.apart):
                demands.append(Demand(queues, room, self._alone))
                left -= room
        return demands

    def take(self, claim: Claim) -> None:
        """A claim arrived."""
        queue = claim.job.queue
        self._claims[claim.key] = queue
        self._held[queue] += 1

    def give(self, key: Key) -> None:
        """A claim is gone, by whichever way; harmless when repeated."""
        queue = self._claims.pop(key, None)
        if queue is None:
            return
        self._held[queue] -= 1
        if not self._held[queue]:
            del self._held[queue]
        if queue in self._over and self._fell is not None:
            self._fell(queue)
