"""What a PostgreSQL store does about what it hears: it looks for work, reads its orders, and ends jobs for peers."""

import asyncio
import itertools
import socket
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from treadle.core.clock import Clock
from treadle.core.controls import CancelRequest, Order, QueueControl, orders_of
from treadle.stores.bell import Bell, ChangeWatch
from treadle.stores.oban_signals import control_of, kill_of, signal_of
from treadle.stores.postgres_connection import Seat, Server
from treadle.stores.postgres_listener import Listener, Message


class Call(Protocol):
    """Runs a job on a connection for threads."""

    def __call__(self, job: Callable[[Seat], Any]) -> Any:  # noqa: ANN401 - what the job returns
        """Its result. Raises StoreError."""
        ...


class Signals:
    """The orders that were heard, oldest first, each with its number; kept from when somebody asks for them."""

    def __init__(self) -> None:
        self._heard: deque[tuple[int, Order]] = deque(maxlen=1000)
        self._numbers = itertools.count(1)
        self._bell = Bell(lambda: 0, alone=True)
        self.wanted = False
        """Whether anybody in this process has asked: one that obeys no orders need not ask who is meant by them."""

    def add(self, orders: Collection[Order]) -> None:
        """Keep these too, and wake who reads; on the thread that hears."""
        self._heard.extend(zip(self._numbers, orders, strict=False))
        self._bell.ring()

    def ring(self) -> None:
        """Wake who reads: orders may stand in the table. Callable on any thread."""
        self._bell.ring()

    def watch(self) -> ChangeWatch:
        """A watch for who reads them on the running loop, armed now."""
        return self._bell.watch()

    def forget(self) -> None:
        """End what waits on the running loop."""
        self._bell.forget(asyncio.get_running_loop())

    def since(self, number: int) -> tuple[int, list[Order]]:
        """The last number, and the orders after this one."""
        heard = list(self._heard)
        return heard[-1][0] if heard else number, [order for at, order in heard if at > number]


class Hearing:
    """Rings `bell` where something may have changed, and adds to `signals` what a peer wants done."""

    def __init__(self, bell: Bell, call: Call, signals: Signals) -> None:
        self._bell = bell
        self._call = call
        self._signals = signals
        self._ours: set[int] = set()

    def inserted(self, _: Sequence[Message]) -> None:
        """Jobs may be available."""
        self._bell.ring()

    def ordered(self, _: Sequence[Message]) -> None:
        """Another process of treadle has left an order in the table."""
        self._signals.ring()

    def signalled(self, messages: Sequence[Message]) -> None:
        """A program of Oban's, or a process of treadle for those, tells queues and running jobs what to do."""
        if not self._signals.wanted:
            return
        kills = [job_id for message in messages if (job_id := kill_of(message)) is not None]
        controls = [control for message in messages if (control := control_of(message)) is not None]
        try:
            if kills:
                self._signals.add(self._owners(kills))
        finally:
            if controls:
                self._signals.add(self._foreign(controls))

    def _owners(self, kills: Sequence[int]) -> list[Order]:
        """Note that these jobs shall end, and who of ours runs them."""
        rows = self._call(lambda seat: seat.run(lambda session: session.rows("obey_kills", {"ids": kills})))
        return [CancelRequest(owner=owner) for (owner,) in rows]

    def _foreign(self, controls: Sequence[QueueControl]) -> list[Order]:
        """Those that treadle did not send: of what it told Oban's nodes lately, each is heard once."""
        rows = self._call(lambda seat: seat.run(lambda session: session.rows("late_orders")))
        late = {number: _as_heard(told) for number, told in rows}
        self._ours.intersection_update(late)
        foreign: list[Order] = []
        for control in controls:
            own = next((number for number in late if late[number] == control and number not in self._ours), None)
            if own is None:
                foreign.append(control)
            else:
                self._ours.add(own)
        return foreign


def _as_heard(told: str) -> QueueControl | None:
    """What nodes hear of an order that treadle left in the table for its own; None where Oban's are told nothing."""
    for order in orders_of([told]):
        signal = signal_of(order) if isinstance(order, QueueControl) else None
        return None if signal is None else control_of(signal)
    return None


def listener_of(
    server: Server, bell: Bell, call: Call, clock: Clock, signals: Signals, *, draw: Callable[[int], bytes]
) -> Listener:
    """Hears what changes in a schema, and tells `bell` and `signals`. It is not started yet."""
    hearing = Hearing(bell, call, signals)
    hears = {"insert": hearing.inserted, "signal": hearing.signalled, "orders": hearing.ordered}

    def missed() -> None:
        bell.ring()
        signals.ring()

    return Listener(server, hears, missed=missed, node=socket.gethostname(), clock=clock, draw=draw)
