"""What queues are told on PostgreSQL."""

from collections.abc import Collection

from treadle.core.controls import QueueControl
from treadle.stores.postgres_connection import Session


def control(session: Session, given: QueueControl, queues: Collection[str]) -> None:
    """Note which queues are paused; every claim looks."""
    session.rows(given.action, {"queues": sorted(queues)})
