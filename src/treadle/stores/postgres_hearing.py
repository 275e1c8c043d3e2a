"""What a PostgreSQL store does about what it hears: it looks for work, obeys signals, and ends jobs for peers."""

import itertools
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from treadle.core.clock import Clock
from treadle.core.controls import QueueControl, orders_of
from treadle.stores.bell import Bell
from treadle.stores.oban_signals import control_of, signal_of
from treadle.stores.postgres_connection import Seat, Server
from treadle.stores.postgres_listener import Listener, Message


class Call(Protocol):
    """Runs a job on a connection for threads."""

    def __call__(self, job: Callable[[Seat], Any]) -> Any:  # noqa: ANN401 - what the job returns
        """Its result. Raises StoreError."""
        ...


class Signals:
    """The signals to queues that were heard, oldest first, each with its number."""

    def __init__(self) -> None:
        self._heard: deque[tuple[int, QueueControl]] = deque(maxlen=1000)
        self._numbers = itertools.count(1)

    def add(self, control: QueueControl) -> None:
        """Keep one more; on the thread that hears."""
        self._heard.append((next(self._numbers), control))

    def since(self, number: int) -> tuple[int, list[QueueControl]]:
        """The last number, and the signals after this one."""
        heard = list(self._heard)
        return heard[-1][0] if heard else number, [control for at, control in heard if at > number]


def listener_of(server: Server, bell: Bell, call: Call, clock: Clock, signals: Signals) -> Listener:
    """Rings the bell where something may have changed. It is not started yet."""

    def inserted(_: Message) -> None:
        bell.ring()

    def signalled(message: Message) -> None:
        job_id = message.get("job_id")
        if message.get("action") == "pkill" and isinstance(job_id, int):
            call(lambda seat: seat.run(lambda session: session.rows("obey_kill", {"id": job_id})))
            bell.ring()
        control = control_of(message)
        if control is not None and control not in ours():
            signals.add(control)

    def ours() -> list[QueueControl | None]:
        """What treadle told Oban's nodes lately: that came by our table already."""
        rows = call(lambda seat: seat.run(lambda session: session.rows("late_orders")))
        given = [order for order in orders_of(told for (told,) in rows) if isinstance(order, QueueControl)]
        return [control_of(signal) for order in given if (signal := signal_of(order)) is not None]

    hears = {"insert": inserted, "signal": signalled}
    return Listener(server, hears, missed=bell.ring, node=socket.gethostname(), clock=clock)
