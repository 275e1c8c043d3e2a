"""What queues and running jobs are told on SQLite."""

from collections.abc import Collection, Iterable
from sqlite3 import Connection

from treadle.core.controls import CancelRequest, Order, QueueControl, order_text, orders_of
from treadle.stores.oban import stamp
from treadle.stores.statements import statement
from treadle.stores.views import Orders

# Seconds after which an order is forgotten: whoever has not heard it by then is not there.
_KEPT = 600.0


def control(connection: Connection, given: QueueControl, queues: Collection[str], now: float) -> None:
    """Note which queues are paused, at which every claim looks, and tell the workers."""
    for queue in queues if given.lasts else ():
        connection.execute(statement(f"sqlite/{given.action}"), {"queue": queue, "now": stamp(now)})
    tell(connection, [given], now)


def request_cancels(connection: Connection, ids: str, now: float) -> int:
    """Wish that those of these jobs, a JSON list, that run be cancelled, and tell their owners; how many."""
    asked = connection.execute(statement("sqlite/ask_cancel"), {"ids": ids}).rowcount
    if asked > 0:
        owners = [row[0] for row in connection.execute(statement("sqlite/owners_of"), {"ids": ids})]
        tell(connection, [CancelRequest(owner=owner) for owner in owners], now)
    return asked


def tell(connection: Connection, orders: Iterable[Order], now: float) -> None:
    """Leave orders where every worker looks again and again."""
    connection.execute(statement("sqlite/forget_orders"), (stamp(now - _KEPT),))
    connection.executemany(statement("sqlite/order"), [(order_text(order), stamp(now)) for order in orders])


def orders(connection: Connection, since: str | None) -> Orders:
    """The orders after this position; None: those that come from now on."""
    if since is None:
        return Orders(str(connection.execute(statement("sqlite/last_order")).fetchone()[0]))
    rows = connection.execute(statement("sqlite/orders"), (int(since),)).fetchall()
    return Orders(str(rows[-1][0]) if rows else since, orders_of(text for _, text in rows))
