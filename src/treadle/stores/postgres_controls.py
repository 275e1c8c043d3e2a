"""What queues and running jobs are told on PostgreSQL."""

from collections.abc import Collection, Iterable

from treadle.core.controls import CancelRequest, Order, QueueControl, order_text, orders_of
from treadle.stores.oban_notices import write
from treadle.stores.oban_signals import signal_of
from treadle.stores.postgres_connection import Session
from treadle.stores.postgres_hearing import Signals
from treadle.stores.views import Orders


def control(session: Session, given: QueueControl, queues: Collection[str]) -> None:
    """Note which queues are paused, at which every claim looks, and tell the workers."""
    if given.lasts:
        session.rows(given.action, {"queues": sorted(queues)})
    tell(session, [given])
    signal = signal_of(given)
    if signal is not None:
        session.rows("signal", {"message": write(signal)})


def tell_owners(session: Session, owners: Iterable[str]) -> None:
    """Tell owners that somebody wants a job cancelled that they run."""
    tell(session, [CancelRequest(owner=owner) for owner in owners])


def tell(session: Session, orders: Collection[Order]) -> None:
    """Leave orders where every worker looks when it is told, and again and again."""
    if not orders:
        return
    with session.together():
        session.rows("lock_orders")
        session.rows("order", {"orders": [order_text(order).decode() for order in orders]})


def orders(session: Session, since: str | None, signals: Signals) -> Orders:
    """The orders after this position, in the table and among the signals; None: those that come from now on."""
    if since is None:
        return Orders(f"{session.row('last_order')[0]}/{signals.since(0)[0]}")
    told, heard = map(int, since.split("/"))
    rows = session.rows("orders", {"since": told})
    number, foreign = signals.since(heard)
    return Orders(f"{rows[-1][0] if rows else told}/{number}", (*orders_of(text for _, text in rows), *foreign))
