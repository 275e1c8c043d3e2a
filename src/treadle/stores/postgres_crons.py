"""The crontab on PostgreSQL: entries declared, changed by people, and fired together with the insert of their jobs."""

from collections.abc import Sequence

import msgspec

from treadle.core.controls import CrontabChange
from treadle.core.cron_entry import CronEntry, read, written
from treadle.core.job import Inserted
from treadle.stores.postgres_connection import Session
from treadle.stores.postgres_controls import tell
from treadle.stores.postgres_ids import Ids
from treadle.stores.postgres_inserts import insert
from treadle.stores.ticks import CRON_KEPT, CronRow, Crontab, Firing

_encode = msgspec.json.Encoder().encode


def crontab(session: Session) -> Crontab:
    """All the entries; the names of those that are none."""
    rows: dict[str, CronRow] = {}
    unreadable: list[str] = []
    found = session.rows("crontab")
    for name, definition, last_tick, paused, changed, seen, _ in found:
        # An empty table gives one row, for the clock.
        if name is not None:
            try:
                entry = read(name, definition.encode())
            except ValueError:
                unreadable.append(name)
            else:
                rows[name] = CronRow(entry=entry, last_tick=last_tick, paused=paused, changed=changed, seen=seen)
    return Crontab(now=found[0][-1], rows=rows, unreadable=tuple(unreadable))


def declare(session: Session, entries: Sequence[CronEntry], *, fresh: bool) -> None:
    """Write down what a worker has in its code, and then delete what none had for long."""
    if entries:
        told = [
            {"name": entry.name, "definition": msgspec.Raw(written(entry)), "schedule": entry.schedule}
            for entry in entries
        ]
        session.rows("declare_crons", {"entries": _encode(told).decode(), "fresh": fresh})
    session.rows("prune_crons", {"kept": CRON_KEPT})


def put(session: Session, entry: CronEntry) -> None:
    """Add or change an entry."""
    values = {"name": entry.name, "definition": written(entry).decode(), "schedule": entry.schedule}
    with session.together():
        session.rows("put_cron", values)
        tell(session, [CrontabChange()])


def pause(session: Session, name: str, *, paused: bool) -> bool:
    """Pause or resume an entry; whether there is one."""
    with session.together():
        found = bool(session.rows("pause_cron", {"name": name, "paused": paused}))
        tell(session, [CrontabChange()] if found else [])
    return found


def remove(session: Session, name: str) -> bool:
    """Delete an entry; whether there was one."""
    with session.together():
        found = bool(session.rows("remove_cron", {"name": name}))
        tell(session, [CrontabChange()] if found else [])
    return found


def fire(session: Session, firing: Firing, ids: Ids) -> list[Inserted] | None:
    """Go on to a tick and insert its jobs, unless somebody did, or paused the entry."""
    values = {"name": firing.name, "last_tick": firing.last_tick, "tick": firing.tick}
    with session.together():
        return insert(session, firing.jobs, ids) if session.rows("fire_cron", values) else None
