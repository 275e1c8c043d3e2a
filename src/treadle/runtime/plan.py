"""What a node is asked to run: which queues, with how many slots, in how many processes."""

import msgspec

from treadle.errors import ConfigError
from treadle.runtime.slots import Group

CONCURRENCY = 10
GRACE = 25.0
NODE_LEASE = 30.0
EMBEDDED_LEASE = 120.0
OVERRUN = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `treadle work` was told.

    `queues` narrows to these (empty: all that a registered job names). `limits` gives queues slots of their own over
    the whole node; the others share `concurrency` slots in each process. `grace`, `lease` and `overrun` are
    seconds; a job that lets its deadline pass by `overrun` has its process killed. A queue that a live
    foreign program serves is refused unless it is in `share`.
    """

    queues: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    processes: int = 1
    concurrency: int = CONCURRENCY
    grace: float = GRACE
    lease: float = NODE_LEASE
    overrun: float = OVERRUN
    drain: bool = False
    unsafe: bool = False
    share: tuple[str, ...] = ()
    log_format: str = "console"

    def groups(self, registered: tuple[str, ...], index: int = 0) -> tuple[Group, ...]:
        """The slots of the process with this index. Raises ConfigError where there is no queue to serve."""
        served = self.queues or tuple(dict.fromkeys((*registered, *self.limits)))
        if not served:
            raise ConfigError("expected at least one registered job or one queue, got none; name a queue with -q")
        shared = tuple(queue for queue in served if queue not in self.limits)
        own = [Group((queue,), self.portion(limit, index)) for queue, limit in self.limits.items() if queue in served]
        return tuple(group for group in (Group(shared, self.concurrency), *own) if group.queues and group.limit)

    def slots(self, index: int) -> int:
        """How many slots the process with this index can have at the most."""
        return self.concurrency + sum(self.portion(limit, index) for limit in self.limits.values())

    def portion(self, limit: int, index: int) -> int:
        """What the process with this index gets of a limit that holds for the whole node."""
        return limit // self.processes + (index < limit % self.processes)
