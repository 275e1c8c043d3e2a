"""Puts a node together: what `treadle work` runs. It imports no user code; its children do."""

import os
import sys
from collections.abc import Sequence

from treadle.app.worker import build_broadcaster, build_services, node_name, owner_name, reporting
from treadle.core.controls import CRONTAB
from treadle.core.cron_entry import CronEntry
from treadle.hooks.events import Events
from treadle.runtime.node import Node
from treadle.runtime.notify import Notifier
from treadle.runtime.plan import Plan
from treadle.runtime.staff import Staff
from treadle.stores.broadcasts import TakePulses
from treadle.stores.contract import Store
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock, jitter
from treadle.supervise.periodic import Periodic


def build_node(reference: str, plan: Plan, events: Events, notifier: Notifier | None = None) -> Node:
    """A node of the app that `reference` names, `module:attribute`; `notifier` where it is a service of its own."""
    clock = SystemClock()
    node = node_name(os.getpid())

    def services(store: Store, crons: Sequence[CronEntry], pulses: TakePulses) -> list[Periodic]:
        made = build_services(store, events, plan, crons)
        made += build_broadcaster(store, events, node, pulses, None if plan.drain else crons)
        # A drain stages once, when it begins: what is due later stays, and nothing new comes.
        return [service for service in made if not (plan.drain and service.name in {"stager", CRONTAB})]

    staff = Staff(
        node=node,
        command=(sys.executable, "-m", "treadle.app.child", reference),
        open_store=lambda url: make_store(url, clock),
        services=services,
        name_owner=owner_name,
        events=events,
        clock=clock,
        jitter=jitter,
        on_error=reporting(events),
        notifier=notifier or Notifier(),
    )
    return Node(plan, staff)
