"""What a node is given by whoever puts it together."""

from collections.abc import Callable, Sequence

import msgspec

from treadle.core.clock import Clock
from treadle.core.cron_entry import CronEntry
from treadle.hooks.events import Events
from treadle.runtime.notify import Notifier
from treadle.stores.broadcasts import TakePulses
from treadle.stores.contract import Store
from treadle.supervise.periodic import OnError, Periodic


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """`node` is what it is called, `host:pid`; `command` starts a child; `open_store` opens the store of a URL.

    `services` makes what runs beside; `name_owner` names the owner that a child is, by its process id.
    """

    node: str
    command: Sequence[str]
    open_store: Callable[[str], Store]
    services: Callable[[Store, Sequence[CronEntry], TakePulses], list[Periodic]]
    name_owner: Callable[[int], str]
    events: Events
    clock: Clock
    jitter: Callable[[], float]
    on_error: OnError
    notifier: Notifier
