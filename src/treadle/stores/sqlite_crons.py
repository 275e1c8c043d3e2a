"""The crontab on SQLite: entries declared, changed by people, and fired together with the insert of their jobs."""

from collections.abc import Sequence
from sqlite3 import Connection

from treadle.core.controls import CrontabChange
from treadle.core.cron_entry import CronEntry, read, written
from treadle.core.job import Inserted
from treadle.stores.oban import instant, stamp
from treadle.stores.sqlite_controls import tell
from treadle.stores.sqlite_unique import insert
from treadle.stores.statements import statement
from treadle.stores.ticks import CRON_KEPT, CronRow, Crontab, Firing


def crontab(connection: Connection, now: float) -> Crontab:
    """All the entries; the names of those that are none."""
    rows: dict[str, CronRow] = {}
    unreadable: list[str] = []
    for raw, definition, last_tick, paused, changed, seen_at in connection.execute(statement("sqlite/crontab")):
        name, seen = raw.decode("utf-8", "replace"), instant(seen_at)
        try:
            rows[name] = CronRow(
                entry=read(name, definition),
                last_tick=last_tick,
                paused=bool(paused),
                changed=bool(changed),
                seen=seen.timestamp() if seen else None,
            )
        except ValueError:
            unreadable.append(name)
    return Crontab(now=now, rows=rows, unreadable=tuple(unreadable))


def declare(connection: Connection, entries: Sequence[CronEntry], now: float, *, fresh: bool) -> None:
    """Write down what a worker has in its code, and then delete what none had for long."""
    for entry in entries:
        values = _values(entry, now) | {"now": stamp(now), "fresh": fresh}
        connection.execute(statement("sqlite/declare_cron"), values)
    connection.execute(statement("sqlite/prune_crons"), (stamp(now - CRON_KEPT),))


def put(connection: Connection, entry: CronEntry, now: float) -> None:
    """Add or change an entry."""
    connection.execute(statement("sqlite/put_cron"), _values(entry, now))
    tell(connection, [CrontabChange()], now)


def pause(connection: Connection, name: str, now: float, *, paused: bool) -> bool:
    """Pause or resume an entry; whether there is one."""
    values = {"name": name, "paused": paused, "tick": int(now)}
    found = connection.execute(statement("sqlite/pause_cron"), values).rowcount > 0
    tell(connection, [CrontabChange()] if found else [], now)
    return found


def remove(connection: Connection, name: str, now: float) -> bool:
    """Delete an entry; whether there was one."""
    found = connection.execute(statement("sqlite/remove_cron"), (name,)).rowcount > 0
    tell(connection, [CrontabChange()] if found else [], now)
    return found


def fire(connection: Connection, firing: Firing, now: float) -> list[Inserted] | None:
    """Go on to a tick and insert its jobs, unless somebody did, or paused the entry."""
    values = {"name": firing.name, "last_tick": firing.last_tick, "tick": firing.tick, "now": now}
    if not connection.execute(statement("sqlite/fire_cron"), values).rowcount:
        return None
    return insert(connection, firing.jobs, now)


def _values(entry: CronEntry, now: float) -> dict[str, object]:
    definition = written(entry).decode()
    return {"name": entry.name, "definition": definition, "schedule": entry.schedule, "tick": int(now)}
