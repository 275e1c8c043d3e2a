"""What a worker is given by whoever puts it together."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from treadle.core.clock import Clock
from treadle.core.inject import Provider
from treadle.core.options import Unknown
from treadle.hooks.events import Events
from treadle.hooks.middleware import AroundPerform
from treadle.runtime.handler import Resolve
from treadle.stores.transactions import Transacts


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is given by whoever puts it together.

    `stuck_limit`: recycle the process at so many stuck jobs. `overrides`: values that take the place of a provider's.
    `unknown`: what becomes of a job that `resolve` does not know. `transacts`: the store, where it shares transactions.
    """

    resolve: Resolve
    events: Events
    around: Sequence[AroundPerform]
    clock: Clock
    jitter: Callable[[], float]
    process_command: Sequence[str]
    stuck_limit: int
    overrides: Mapping[Provider, object] = {}
    unknown: Unknown = "release"
    transacts: Transacts | None = None
