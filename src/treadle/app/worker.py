"""Puts a worker together of an app, a store and a plan."""

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence

from treadle.app.place import place_of
from treadle.app.surface import App
from treadle.core.cron_entry import CronEntry
from treadle.core.names import peerless
from treadle.errors import ConfigError
from treadle.hooks.events import Events, ServiceFailed
from treadle.runtime.page import Page
from treadle.runtime.plan import Plan
from treadle.runtime.pulses import AttemptCounts
from treadle.runtime.setting import Setting
from treadle.runtime.slots import Slots
from treadle.runtime.worker import Worker
from treadle.services.broadcaster import broadcaster
from treadle.services.crontab import crontab
from treadle.services.pruner import pruner
from treadle.services.rescuer import rescuer
from treadle.services.restamper import restamper
from treadle.services.stager import stager
from treadle.stores.broadcasts import Broadcasts, TakePulses
from treadle.stores.contract import Ability, Store
from treadle.stores.transactions import Transacts
from treadle.supervise.clock import jitter, nonce
from treadle.supervise.periodic import OnError, Periodic


def owner_name(pid: int) -> str:
    """A name that no other process ever had: `host:pid:nonce`, the form of Sidekiq's process identity."""
    return f"{socket.gethostname()}:{pid}:{nonce()}"


def node_name(pid: int) -> str:
    """What people call a node, or an embedded worker, when they tell it something."""
    return f"{socket.gethostname()}:{pid}"


def registered_queues(app: App) -> tuple[str, ...]:
    """Every queue that a registered job names."""
    return tuple(dict.fromkeys(handler.options.queue for handler in app.handlers.values()))


def telling_names(app: App) -> list[str]:
    """Every name that a job with an `on_discard` answers to, as `peerless` gives it."""
    return sorted({peerless(name) for name, handler in app.handlers.items() if handler.on_discard})


def build_worker(app: App, owner: str, slots: Slots, page: Page, *, helper: Sequence[str], stuck_limit: int) -> Worker:
    """A worker of this app. `helper` starts its helper processes."""
    return Worker(app.store, owner, slots, page, worker_setting(app, helper, stuck_limit))


def helper_command(reference: str, log_format: str = "", log_level: str = "") -> Sequence[str]:
    """What starts a helper process, which finds the app again at `reference`; see app/helper.py."""
    return sys.executable, "-m", "treadle.app.helper", reference, log_format, log_level


def worker_setting(app: App, helper: Sequence[str], stuck_limit: int) -> Setting:
    """What a worker is given of this app; see `build_worker`."""
    return Setting(
        resolve=app.resolve,
        events=app.events,
        around=tuple(app.around_performs),
        clock=app.clock,
        jitter=jitter,
        process_command=helper,
        stuck_limit=stuck_limit,
        overrides=app.overrides,
        unknown=app.unknown,
        transacts=_transacts(app.store),
        counts=AttemptCounts() if broadcasts(app.store) else None,
    )


def _transacts(store: Store) -> Transacts | None:
    return store if Ability.TRANSACTIONS in store.abilities and isinstance(store, Transacts) else None


def build_services(store: Store, events: Events, plan: Plan, crons: Sequence[CronEntry]) -> list[Periodic]:
    """What every node does for its store; `crons` are the entries of the crontab that its app declares."""
    on_error = reporting(events)
    return [
        stager(store, events, jitter=jitter, on_error=on_error),
        rescuer(store, events, every=min(plan.lease / 6, 5.0), jitter=jitter, on_error=on_error),
        restamper(store, plan.restamp_every, jitter=jitter, on_error=on_error),
        pruner(store, events, jitter=jitter, on_error=on_error),
        crontab(store, events, crons, jitter=jitter, on_error=on_error),
    ]


def broadcasts(store: Store) -> bool:
    """Whether dashboards listen to what is told of workers on this store."""
    return Ability.BROADCASTS in store.abilities


def build_broadcaster(
    store: Store,
    events: Events,
    node: str,
    pulses: TakePulses,
    crons: Sequence[CronEntry] | None,
) -> list[Periodic]:
    """What tells such dashboards of the workers on a node, and, unless `crons` is None, of its crontab."""
    if not broadcasts(store) or not isinstance(store, Broadcasts):
        return []
    return [broadcaster(store, node, pulses, crons, jitter=jitter, on_error=reporting(events))]


def reporting(events: Events) -> OnError:
    """Says that a step of a service raised."""

    def report(service: str, error: Exception) -> None:
        events.emit(ServiceFailed(service=service, error=f"{type(error).__name__}: {error}"))

    return report


def new_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """Uvloop's loops where it is installed, else asyncio's."""
    try:
        import uvloop  # noqa: PLC0415 - an extra, and worth its import only where a loop is made
    except ModuleNotFoundError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def check_findable(app: App) -> None:
    """Raise ConfigError for a job that runs in a process of its own, where no process can find this app again."""
    apart = [handler.name for handler in app.handlers.values() if handler.options.executor == "process"]
    if apart and not reference_of(app):
        raise ConfigError(
            f'expected the app of the process job "{apart[0]}" to be a variable of a module, got one that is in none; '
            f'put it into one, or set app.reference to what makes it, as in "shop:create()"'
        )


def reference_of(app: App) -> str:
    """A reference by which another process finds this app again; empty where no module that can be imported has it."""
    if app.reference:
        return app.reference
    # The program itself comes first: what it imports besides its app may be its jobs.
    for name, module in list(sys.modules.items()):
        for attribute, value in list(vars(module).items()):
            if value is app and (place := place_of(name, module)):
                return f"{place}:{attribute}"
    return ""
