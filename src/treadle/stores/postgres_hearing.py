"""What a PostgreSQL store does about what it hears: looks for work, and ends jobs that a peer wants to end."""

import socket
from collections.abc import Callable
from typing import Any, Protocol

from treadle.core.clock import Clock
from treadle.stores.bell import Bell
from treadle.stores.postgres_connection import Seat, Server
from treadle.stores.postgres_listener import Listener, Message


class Call(Protocol):
    """Runs a job on a connection for threads."""

    def __call__(self, job: Callable[[Seat], Any]) -> Any:  # noqa: ANN401 - what the job returns
        """Its result. Raises StoreError."""
        ...


def listener_of(server: Server, bell: Bell, call: Call, clock: Clock) -> Listener:
    """Rings the bell where something may have changed. It is not started yet."""

    def inserted(_: Message) -> None:
        bell.ring()

    def signalled(message: Message) -> None:
        job_id = message.get("job_id")
        if message.get("action") == "pkill" and isinstance(job_id, int):
            call(lambda seat: seat.run(lambda session: session.rows("obey_kill", {"id": job_id})))
            bell.ring()

    hears = {"insert": inserted, "signal": signalled}
    return Listener(server, hears, missed=bell.ring, node=socket.gethostname(), clock=clock)
