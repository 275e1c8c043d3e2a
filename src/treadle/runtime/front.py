"""What a node shows of itself to whoever watches over it: probes and metrics over HTTP, and systemd."""

from collections.abc import Collection
from typing import Any

from treadle.core.clock import Clock
from treadle.hooks.events import ChildDied, Events, NodeListening, OwnersRescued
from treadle.runtime.health import Health
from treadle.runtime.listener import Listener
from treadle.runtime.notify import Notifier
from treadle.runtime.place import Place
from treadle.runtime.plan import Plan
from treadle.runtime.probes import Probes, Queues
from treadle.supervise.periodic import Step

LOOK_AGAIN = 1.0


class Front:
    """Told by its node what happens. Where there is no address to listen on and no systemd, nothing comes of it."""

    def __init__(self, plan: Plan, clock: Clock, places: Collection[Place], notifier: Notifier) -> None:
        self._address = plan.listen
        self._notifier = notifier
        self._health = Health(plan, clock, places)
        self._probes = Probes(self._health, places, clock)
        self._listener = Listener(self._probes.pages)

    async def open(self, events: Events) -> None:
        """Listen, where the plan asks for it. Raises ConfigError where that is not possible."""
        if self._address is None:
            return
        host, port = await self._listener.open(*self._address)
        self._probes.attempts.listen(events, timed=False)
        events.listen(ChildDied, lambda _: self.count("deaths"))
        events.listen(OwnersRescued, lambda event: self.count("rescued", event.claims))
        events.emit(NodeListening(host=host, port=port))

    async def close(self) -> None:
        """Show nothing any more."""
        await self._listener.close()

    def steps(self) -> list[tuple[str, Step, float]]:
        """What is to be done again and again: its name, the step, the seconds between."""
        watchdog = self._notifier.watchdog
        return [] if watchdog is None else [("watchdog", self._show_life, watchdog / 2)]

    def opened(self, store: Queues) -> None:
        """The store is open."""
        self._probes.store = store

    def ready(self) -> None:
        """A worker process claims."""
        self._notifier.ready()

    def stopping(self) -> None:
        """The node drains."""
        if not self._probes.stopping:
            self._probes.stopping = True
            self._notifier.stopping()

    def count(self, what: str, number: int = 1) -> None:
        """One more of "deaths", "restarts", "fenced" or "rescued"."""
        self._probes.counts[what] += number

    def attempts(self, delta: Any) -> None:  # noqa: ANN401 - as it came over the line
        """A worker process tells what it ran."""
        self._probes.attempts.add(delta)

    async def _show_life(self) -> float | None:
        if self._health.stalls():
            # Soon again: systemd gives no second watch period to a node that recovers at the end of its first.
            return LOOK_AGAIN
        self._notifier.alive()
        return None
