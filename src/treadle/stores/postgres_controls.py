"""What queues and running jobs are told on PostgreSQL."""

from collections.abc import Collection, Iterable

from treadle.core.controls import CancelRequest, Order, QueueControl, order_text, orders_of
from treadle.stores.contract import Orders
from treadle.stores.postgres_connection import Session


def control(session: Session, given: QueueControl, queues: Collection[str]) -> None:
    """Note which queues are paused, at which every claim looks, and tell the workers."""
    if given.lasts:
        session.rows(given.action, {"queues": sorted(queues)})
    tell(session, [given])


def tell_owners(session: Session, owners: Iterable[str]) -> None:
    """Tell owners that somebody wants a job cancelled that they run."""
    tell(session, [CancelRequest(owner=owner) for owner in owners])


def tell(session: Session, orders: Collection[Order]) -> None:
    """Leave orders where every worker looks again and again."""
    if not orders:
        return
    with session.together():
        session.rows("lock_orders")
        session.rows("order", {"orders": [order_text(order).decode() for order in orders]})


def orders(session: Session, since: str | None) -> Orders:
    """The orders after this position; None: those that come from now on."""
    if since is None:
        return Orders(str(session.row("last_order")[0]))
    rows = session.rows("orders", {"since": int(since)})
    return Orders(str(rows[-1][0]) if rows else since, orders_of(text for _, text in rows))
