"""What a node is asked to run: which queues, with how many slots, in how many processes."""

import msgspec

from treadle.errors import ConfigError
from treadle.runtime.slots import Group

CONCURRENCY = 10
GRACE = 25.0
NODE_LEASE = 30.0
EMBEDDED_LEASE = 120.0
RESTAMP_EVERY = 60.0
OVERRUN = 10.0
ANSWER_WITHIN = 15.0
FETCH_WITHIN = 30.0
START_WITHIN = 120.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `treadle work` was told.

    `queues` narrows to these (empty: all that a registered job names). `limits` gives queues slots of their own over
    the whole node; the others share `concurrency` slots in each process. `grace`, `lease` and `overrun` are seconds; a
    job that lets its deadline pass by `overrun` has its process killed. A queue that a live foreign program serves is
    refused unless it is in `share`. No running job bears a stamp that is older than `restamp_every` seconds.

    `listen` is the host and the port of the probes and the metrics. A process that ran `recycle_after` jobs or occupies
    more than `recycle_rss` MiB is replaced. A node is alive while every loop answers within `answer_within` seconds,
    every queue is looked at within `fetch_within`, and every place is filled within `start_within`.
    """

    queues: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    processes: int = 1
    concurrency: int = CONCURRENCY
    grace: float = GRACE
    lease: float = NODE_LEASE
    restamp_every: float = RESTAMP_EVERY
    overrun: float = OVERRUN
    drain: bool = False
    unsafe: bool = False
    share: tuple[str, ...] = ()
    log_format: str = "console"
    log_level: str = "info"
    log_args: bool = False
    listen: tuple[str, int] | None = None
    recycle_after: int | None = None
    recycle_rss: int | None = None
    answer_within: float = ANSWER_WITHIN
    fetch_within: float = FETCH_WITHIN
    start_within: float = START_WITHIN

    def served(self, registered: tuple[str, ...]) -> tuple[str, ...]:
        """The queues to serve. Raises ConfigError where there is none."""
        served = self.queues or tuple(dict.fromkeys((*registered, *self.limits)))
        if not served:
            raise ConfigError(
                "expected at least one registered job or one queue, got none; declare a job, name the modules that do "
                "by include= of the app, or name a queue with -q (in code: queues=[...])"
            )
        return served

    def groups(self, registered: tuple[str, ...], index: int = 0) -> tuple[Group, ...]:
        """The slots of the process with this index. Raises ConfigError where there is no queue to serve."""
        served = self.served(registered)
        shared = tuple(queue for queue in served if queue not in self.limits)
        limits = {queue: self.portion(limit, index) for queue, limit in self.limits.items() if queue in served}
        own = [Group((queue,), limit, own=True) for queue, limit in limits.items()]
        return tuple(group for group in (Group(shared, self.concurrency), *own) if group.queues and group.limit)

    def slots(self, index: int) -> int:
        """How many slots the process with this index can have at the most."""
        return self.concurrency + sum(self.portion(limit, index) for limit in self.limits.values())

    def portion(self, limit: int, index: int) -> int:
        """What the process with this index gets of a limit that holds for the whole node."""
        return limit // self.processes + (index < limit % self.processes)
