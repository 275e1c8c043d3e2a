"""The crontab in an app's store, looked at and changed from anywhere: `app.crons`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

import msgspec

from treadle.app.cron_declaration import entries, entry
from treadle.app.function import JobFunction, NewCall
from treadle.app.handle import Handle
from treadle.app.registry import Registry
from treadle.app.surface import App
from treadle.core.cron import Days
from treadle.core.cron_entry import CatchUp, CronEntry
from treadle.core.job import NewJob
from treadle.core.jsontext import load_json
from treadle.core.nearest import did_you_mean
from treadle.core.options import check_count
from treadle.core.printable import one_line
from treadle.errors import ConfigError, UnknownCron
from treadle.features.cron import ticks_of
from treadle.stores.ticks import CronRow, Crontab

_UNSEEN = 180.0
"""Seconds: workers say each minute what their code declares."""

_NEVER = 0
"""The last tick of an entry that stands in no store yet."""

_MOST_TICKS = 1_000
_SHOWN = 5


class CronView(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the crontab, for people. `job` is the job's name, `args` as they stand in the store.

    `state`: "active"; "paused"; "idle" for an entry that code declares and no living worker has in its code; "broken"
    for one whose expression or zone this machine cannot read. `source`: "code", "changed" where a person made it say
    something else than the code, or "added" by a person. `last` and `next` are its ticks, in UTC; None for none.
    """

    name: str
    state: Literal["active", "paused", "idle", "broken"]
    expr: str
    tz: str
    days: Days
    catch_up: CatchUp
    job: str
    queue: str
    args: Any
    source: Literal["code", "changed", "added"]
    last: datetime | None
    next: datetime | None


class Crons:
    """The crontab of an app: entries that its code declares by `@app.cron`, and entries that people add."""

    def __init__(self, app: App, registry: Registry) -> None:
        self._app = app
        self._registry = registry

    def declared(self) -> list[CronEntry]:
        """What the code declares, for those who build on treadle. Raises ConfigError, ArgumentError."""
        return [*entries(self._registry.crons, self._registry.job_of).values()]

    def list(self) -> Sequence[CronView]:
        """Every entry by its name: those in the store, and those of this app that no worker has written there yet."""
        return self._app.blocking("list", self.alist(), instead="await app.crons.alist()")

    async def alist(self) -> Sequence[CronView]:
        """Every entry; see `list`."""
        table = await self._table()
        return [_view(table.rows[name], table.now) for name in sorted(table.rows)]

    def add(
        self,
        expr: str,
        call: NewCall[Any] | JobFunction[..., Any, Any] | NewJob,
        *,
        name: str | None = None,
        tz: str = "UTC",
        catch_up: CatchUp = "skip",
        days: Days = "either",
    ) -> None:
        """Add an entry, or change the one of this name, also one that code declares: what a person says stays.

        `call` is what it inserts: `welcome.new(42)`, or `welcome` where that needs no arguments. `name` is the job's
        own unless given. The other options are those of `@app.cron`. Raises ConfigError, ArgumentError.
        """
        new = entry(call, expr=expr, name=name, tz=tz, catch_up=catch_up, days=days)
        self._app.blocking("add", self._put(new), instead="await app.crons.aadd()")

    async def aadd(
        self,
        expr: str,
        call: NewCall[Any] | JobFunction[..., Any, Any] | NewJob,
        *,
        name: str | None = None,
        tz: str = "UTC",
        catch_up: CatchUp = "skip",
        days: Days = "either",
    ) -> None:
        """Add an entry, or change one; see `add`."""
        await self._put(entry(call, expr=expr, name=name, tz=tz, catch_up=catch_up, days=days))

    def pause(self, name: str) -> None:
        """Let an entry tick no more until it is resumed; that outlasts every worker. Raises UnknownCron."""
        self._app.blocking("pause", self.apause(name), instead="await app.crons.apause()")

    async def apause(self, name: str) -> None:
        """Let an entry tick no more; see `pause`."""
        await self._pause(name, paused=True)

    def resume(self, name: str) -> None:
        """Let a paused entry tick again, from now on; what it passed meanwhile stays out. Raises UnknownCron."""
        self._app.blocking("resume", self.aresume(name), instead="await app.crons.aresume()")

    async def aresume(self, name: str) -> None:
        """Let a paused entry tick again; see `resume`."""
        await self._pause(name, paused=False)

    def remove(self, name: str) -> None:
        """Delete an entry and what was done to it. Raises UnknownCron.

        Workers whose code declares it write it anew at once, as the code has it: to stop it, pause it.
        """
        self._app.blocking("remove", self.aremove(name), instead="await app.crons.aremove()")

    async def aremove(self, name: str) -> None:
        """Delete an entry; see `remove`."""
        store = await self._app.astore()
        if not await store.remove_cron(name):
            raise _unknown(name, (await store.crontab()).rows)

    def run(self, name: str) -> Handle:
        """Insert an entry's job now, whether it is paused or not; its ticks come as they would. Raises UnknownCron."""
        return self._app.blocking("run", self.arun(name), instead="await app.crons.arun()")

    async def arun(self, name: str) -> Handle:
        """Insert an entry's job now; see `run`."""
        row = await self._row(name)
        [inserted] = await self._app.ainsert([row.entry.job_at(None)])
        return Handle(self._app, inserted.id)

    def next(self, name: str, count: int = 1) -> Sequence[datetime]:
        """The next ticks of an entry by the store's clock, in its zone, whether it is paused or not.

        Raises UnknownCron.
        """
        return self._app.blocking("next", self.anext(name, count), instead="await app.crons.anext()")

    async def anext(self, name: str, count: int = 1) -> Sequence[datetime]:
        """The next ticks of an entry; see `next`."""
        check_count(count, "the number of ticks", most=_MOST_TICKS)
        table = await self._table()
        ticks = ticks_of(_known(name, table.rows).entry)
        coming = islice(ticks.between(table.now, float("inf")), count)
        return [datetime.fromtimestamp(tick, ticks.zone) for tick in coming]

    async def _put(self, new: CronEntry) -> None:
        store = await self._app.astore()
        declared = {one.name: one for one in self.declared()}
        if new.name in declared:
            # That it stands in code has to be known before a person changes it.
            await store.declare_crons([declared[new.name]], fresh=False)
        await store.put_cron(new)

    async def _pause(self, name: str, *, paused: bool) -> None:
        store = await self._app.astore()
        if await store.pause_cron(name, paused=paused):
            return
        await store.declare_crons([(await self._row(name)).entry], fresh=False)
        await store.pause_cron(name, paused=paused)

    async def _row(self, name: str) -> CronRow:
        return _known(name, (await self._table()).rows)

    async def _table(self) -> Crontab:
        """What stands in the store, and what this app's code declares beside it."""
        store = await self._app.astore()
        table = await store.crontab()
        # No worker has seen them yet, but whoever asks has.
        own = {one.name: CronRow(entry=one, last_tick=_NEVER, seen=table.now - 2 * _UNSEEN) for one in self.declared()}
        return msgspec.structs.replace(table, rows={**own, **table.rows})


def _view(row: CronRow, now: float) -> CronView:
    one = row.entry
    try:
        ticks = ticks_of(one)
    except ConfigError:
        ticks = None
    idle = row.seen is not None and now - row.seen > _UNSEEN
    state: Literal["active", "paused", "idle", "broken"] = "paused" if row.paused else "idle" if idle else "active"
    # An entry that never ticked has the moment at which it came there.
    stored = row.last_tick != _NEVER
    ticked = stored and ticks is not None and ticks.next_after(row.last_tick - 1) == row.last_tick
    coming = ticks.next_after(now) if ticks is not None and state == "active" else None
    return CronView(
        name=one.name,
        state=state if ticks is not None else "broken",
        expr=one.expr,
        tz=one.tz,
        days=one.days,
        catch_up=one.catch_up,
        job=one.job.name,
        queue=one.job.queue,
        args=load_json(one.job.args),
        source="added" if not row.declared else "changed" if row.changed else "code",
        last=datetime.fromtimestamp(row.last_tick, UTC) if ticked else None,
        next=None if coming is None else datetime.fromtimestamp(coming, UTC),
    )


def _known(name: str, rows: Mapping[str, CronRow]) -> CronRow:
    row = rows.get(name)
    if row is None:
        raise _unknown(name, rows)
    return row


def _unknown(name: object, known: Iterable[str]) -> UnknownCron:
    names = sorted(known)
    shown = ", ".join([*names[:_SHOWN], f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else names)
    expected = f"expected the name of a cron entry ({shown or 'there is none'})"
    return UnknownCron(one_line(f'{expected}, got "{name}"{did_you_mean(str(name), names)}'))
