"""Who works on a PostgreSQL database, and how its queues do."""

import msgspec

from treadle.stores.postgres_connection import Session
from treadle.stores.serving import serving_of, serving_text
from treadle.stores.views import OwnerReport, QueueView, WorkerView

# PostgreSQL has to walk over what it counts: so many take some hundredths of a second.
COUNTED = 100_000


def report(session: Session, shown: OwnerReport) -> None:
    """Note which queues an owner serves, and count what it completed."""
    values = {"owner": shown.owner, "queues": list(shown.queues), "shown": serving_text(shown)}
    session.rows("report", {**values, "names": list(shown.done), "numbers": list(shown.done.values())})


def workers(session: Session) -> list[WorkerView]:
    """Every owner whose lease lasts."""
    return [serving_of(text) if text else WorkerView(name=owner) for owner, text in session.rows("workers")]


def queues(session: Session) -> dict[str, QueueView]:
    """The queues in which jobs wait, of which some were completed lately, or which are paused."""
    paused = {row[0] for row in session.rows("paused")}
    found = {queue: QueueView(paused=True) for queue in paused}
    found |= {queue: QueueView(rate=rate, paused=queue in paused) for queue, rate in session.rows("done")}
    for queue, number, age in session.rows("queues", {"most": COUNTED}):
        before = found.get(queue, QueueView())
        ages = [max(known, 0.0) for known in (age, before.age) if known is not None]
        found[queue] = msgspec.structs.replace(
            before, available=min(before.available + number, COUNTED), age=max(ages, default=None)
        )
    return found
