"""Who works on an SQLite file, and how its queues do."""

from sqlite3 import Connection

import msgspec

from treadle.core.states import State
from treadle.stores.oban import instant
from treadle.stores.serving import serving_of, serving_text
from treadle.stores.sqlite_claims import Instant
from treadle.stores.sqlite_jobs import groups
from treadle.stores.statements import statement
from treadle.stores.views import OwnerReport, QueueView, WorkerView

# Completions are counted by ten seconds of the wall clock.
_SLOT = 10
# SQLite has to walk over what it counts: so many take some hundredths of a second.
COUNTED = 100_000


def report(connection: Connection, shown: OwnerReport, now: float) -> None:
    """Note which queues an owner serves, and count what it completed."""
    connection.execute(statement("sqlite/serve"), {"owner": shown.owner, "shown": serving_text(shown)})
    slot = int(now) // _SLOT
    connection.executemany(
        statement("sqlite/count_done"), [(slot, queue, number) for queue, number in shown.done.items()]
    )
    connection.execute(statement("sqlite/prune_done"), {"slot": slot})


def workers(connection: Connection, at: Instant) -> list[WorkerView]:
    """Every owner whose lease lasts. Nodes of Oban's Lite engine leave no sign of life in the file."""
    rows = connection.execute(statement("sqlite/workers"), {"boot": at.boot, "steady": at.steady})
    return [serving_of(text) if text else WorkerView(name=owner) for owner, text in rows]


def queues(connection: Connection, now: float) -> dict[str, QueueView]:
    """The queues in which jobs wait, of which some were completed lately, or which are paused."""
    done = connection.execute(statement("sqlite/done"), {"slot": int(now) // _SLOT})
    seconds = 6 * _SLOT + now % _SLOT
    paused = {row[0] for row in connection.execute(statement("sqlite/paused"))}
    found = {queue: QueueView(paused=True) for queue in paused}
    found |= {queue: QueueView(rate=number / seconds, paused=queue in paused) for queue, number in done}
    for queue, priority in groups(connection, State.AVAILABLE):
        values = {"queue": queue, "priority": priority, "limit": COUNTED}
        number, due = connection.execute(statement("sqlite/waiting_group"), values).fetchone()
        before, since = found.get(queue, QueueView()), instant(due)
        ages = [] if since is None else [max(now - since.timestamp(), 0.0)]
        ages += [] if before.age is None else [before.age]
        found[queue] = msgspec.structs.replace(
            before, available=min(before.available + number, COUNTED), age=max(ages, default=None)
        )
    return found
