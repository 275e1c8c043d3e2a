"""Which jobs somebody means, as a store is asked for them."""

import msgspec

from treadle.core.query import EVERY_JOB, And, Condition, Text, Where
from treadle.core.states import State


class JobQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs: those of `ids`, of this state, queue and name, that `where` means; None means any.

    A look goes on at `after`, the cursor of an earlier one, and ends within about so many seconds; None: at the end.
    """

    ids: tuple[str, ...] = ()
    state: State | None = None
    queue: str | None = None
    name: str | None = None
    where: Where = EVERY_JOB
    limit: int = 50
    after: str | None = None
    within: float | None = None

    @property
    def whole(self) -> Where:
        """All that it says but its ids, as one query."""
        given = {"state": self.state and self.state.value, "queue": self.queue, "name": self.name}
        said = tuple(Condition(field, Text(value)) for field, value in given.items() if value is not None)
        return And((*said, self.where)) if said else self.where
