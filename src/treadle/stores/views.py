"""What a store shows: its queues, its processes and what those were told, how jobs ended, what the doctor found."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from treadle.core.controls import Order
from treadle.core.states import State
from treadle.stores.claim import Claim

ANY_QUEUE = "(any queue)"
"""Where a store would have to read every one of very many jobs to tell their queues, `counts` has them under this."""


class OwnerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner shows of itself to dashboards. `started` is seconds since the epoch; `rss` is in KiB.

    `embedded` says that its process is not ours to quiet or stop. `done` is how many jobs of each queue it completed
    since the last report that was accepted. `node`, `limits` and `paused` are as in WorkerView.
    """

    owner: str
    queues: tuple[str, ...]
    concurrency: int
    running: Sequence[Claim]
    quiet: bool
    started: float
    rss: int
    completed: int
    failed: int
    embedded: bool = False
    done: Mapping[str, int] = {}
    node: str = ""
    limits: Mapping[str, int] = {}
    paused: tuple[str, ...] = ()


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A live process that takes jobs from this store. `queues` is empty where the store does not know them.

    `name` is how it calls itself: an owner, or what its own `program` names it by. `node` is the node that it belongs
    to, `host:pid`. `limits` has the queues with slots of their own in it, `paused` those that are paused on its node.
    """

    name: str
    queues: tuple[str, ...] = ()
    program: str = "treadle"
    node: str = ""
    limits: Mapping[str, int] = {}
    paused: tuple[str, ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether it is another program, such as "sidekiq", with jobs of its own."""
        return self.program != "treadle"


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue does now.

    `available` jobs wait for a worker; a store that has to count them may stop at 100,000. `age` is how many seconds
    ago the one that waits longest was due, None where none waits or the store cannot tell. `rate` is how many jobs of
    it treadle's workers completed in a second, over about the last minute. Of one that is `paused` nothing is claimed.
    """

    available: int = 0
    age: float | None = None
    rate: float = 0.0
    paused: bool = False


class Work(msgspec.Struct, frozen=True):
    """What is left for a drain, seen at one moment: available jobs, whether these owners hold any, and who else does.

    Jobs of paused queues are not left for it. A store that has to count `available` may stop at 1,000.

    `others` maps every other owner that holds claims to a number that its next beat raises.
    """

    available: int
    ours: bool
    others: Mapping[str, float]


class Orders(msgspec.Struct, frozen=True):
    """What workers were told, oldest first, up to this position, which means something only to the store."""

    position: str
    orders: Sequence[Order] = ()


class Finding(msgspec.Struct, frozen=True):
    """One result of the doctor: `level` says how bad, `text` what was expected, what was found and what to do."""

    level: Literal["ok", "warning", "error"]
    text: str


class Result(msgspec.Struct, frozen=True):
    """How a recorded job ended. `value` is JSON where it completed; `error` is text where it did not."""

    state: State
    value: bytes | None = None
    error: str | None = None
