"""Our workers in `oban_producers`, the table by which oban-py and Oban's dashboards know who serves which queue."""

from collections.abc import Sequence

from treadle.stores.oban import producer
from treadle.stores.postgres_connection import Session
from treadle.stores.views import OwnerReport, WorkerView


def register(session: Session, shown: OwnerReport) -> None:
    """Show the queues that an owner serves, or show again what others deleted; and no more those that it stopped."""
    shared = shown.concurrency - sum(shown.limits.values())
    values = {
        "owner": shown.owner,
        "queues": list(shown.queues),
        "producers": [producer(shown.owner, queue) for queue in shown.queues],
        "slots": [shown.limits.get(queue, shared) for queue in shown.queues],
        "paused": [shown.quiet or queue in shown.paused for queue in shown.queues],
        "started": shown.started,
    }
    session.rows("register", values)


def unregister(session: Session, owners: Sequence[str]) -> None:
    """Take away what these owners showed."""
    session.rows("unregister", {"owners": list(owners)})


def refresh(session: Session) -> None:
    """Say that living owners still serve their queues; take away what owners left that died while they went."""
    left = [uuid for uuid, node, queue in session.rows("refresh_producers") if uuid == producer(node, queue)]
    if left:
        session.rows("drop_producers", {"producers": left})


def foreign(session: Session) -> list[WorkerView]:
    """The live processes of oban-py, or of whoever else registers queues."""
    served: dict[str, list[str]] = {}
    for uuid, node, queue in session.rows("foreign_workers"):
        # One of ours that is gone already, or has yet to be taken away.
        if uuid != producer(node, queue):
            served.setdefault(node, []).append(queue)
    return [WorkerView(name=node, queues=tuple(queues), program="oban") for node, queues in served.items()]
