"""How many jobs this process may hold, and which it holds: nothing is claimed beyond the limit."""

from collections.abc import Sequence

import msgspec

from treadle.stores.contract import Claim, Demand

Key = tuple[str, str]


class Group(msgspec.Struct, frozen=True):
    """Queues that share `limit` slots of one process. `own`: they are its part of a limit over the whole node."""

    queues: tuple[str, ...]
    limit: int
    own: bool = False


class Slots:
    """Every claim from the moment it arrives until its settlement is answered: waiting, running and unsettled."""

    def __init__(self, groups: Sequence[Group], *, alone: bool = False) -> None:
        self._groups = tuple(groups)
        self._alone = alone
        self._group_of = {queue: index for index, group in enumerate(groups) for queue in group.queues}
        self._held = [0] * len(groups)
        self._claims: dict[Key, int] = {}
        self.apart = False
        """While it is set, nothing is asked for of a group that is `own`: another process may still hold its part."""
        self.limit = sum(group.limit for group in groups)
        self.queues = tuple(queue for group in groups for queue in group.queues)

    @property
    def held(self) -> int:
        """How many claims this process holds."""
        return len(self._claims)

    def __contains__(self, key: Key) -> bool:
        return key in self._claims

    def known(self) -> set[Key]:
        """The keys of all claims held."""
        return set(self._claims)

    def free(self) -> int:
        """How many more may be held."""
        return sum(group.limit - held for group, held in zip(self._groups, self._held, strict=True))

    def demands(self) -> list[Demand]:
        """What to ask the store for."""
        return [
            Demand(group.queues, group.limit - held, self._alone)
            for group, held in zip(self._groups, self._held, strict=True)
            if held < group.limit and not (group.own and self.apart)
        ]

    def take(self, claim: Claim) -> None:
        """A claim arrived."""
        group = self._group_of.get(claim.job.queue, 0)
        self._claims[claim.key] = group
        self._held[group] += 1

    def give(self, key: Key) -> None:
        """A claim is gone, by whichever way; harmless when repeated."""
        group = self._claims.pop(key, None)
        if group is not None:
            self._held[group] -= 1
