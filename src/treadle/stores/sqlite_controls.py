"""What queues are told on SQLite."""

from collections.abc import Collection
from sqlite3 import Connection

from treadle.core.controls import QueueControl
from treadle.stores.oban import stamp
from treadle.stores.statements import statement


def control(connection: Connection, given: QueueControl, queues: Collection[str], now: float) -> None:
    """Note which queues are paused; every claim looks."""
    for queue in queues:
        connection.execute(statement(f"sqlite/{given.action}"), {"queue": queue, "now": stamp(now)})
