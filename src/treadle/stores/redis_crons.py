"""The crontab on Redis: entries declared, changed by people, and fired together with the insert of their jobs."""

from collections.abc import Sequence

from treadle.core.controls import CrontabChange
from treadle.core.cron_entry import CronEntry, read, written
from treadle.core.job import Inserted
from treadle.stores import redis_jobs as jobs
from treadle.stores import redis_unique as unique
from treadle.stores.redis_client import Client
from treadle.stores.redis_controls import tell
from treadle.stores.redis_keys import decode, encode
from treadle.stores.redis_scripts import Argument, ScriptCall
from treadle.stores.ticks import CRON_KEPT, CronRow, Crontab, Firing


async def crontab(client: Client) -> Crontab:
    """All the entries; the names of those that are none."""
    now, texts, ticks, seen, paused, changed = await client.back.run(_call(client, "crontab"))
    last_ticks, declared = _by_name(ticks), _by_name(seen)
    rows: dict[str, CronRow] = {}
    unreadable: list[str] = []
    for raw, text in sorted(_by_name(texts).items()):
        name = decode(raw)
        try:
            rows[name] = CronRow(
                entry=read(name, text),
                last_tick=int(last_ticks[raw]),
                paused=raw in paused,
                changed=raw in changed,
                seen=float(declared[raw]) if raw in declared else None,
            )
        except (KeyError, ValueError):
            unreadable.append(name)
    return Crontab(now=float(now), rows=rows, unreadable=tuple(unreadable))


async def declare(client: Client, entries: Sequence[CronEntry], *, fresh: bool) -> None:
    """Write down what a worker has in its code, and then delete what none had for long."""
    values = [value for entry in entries for value in _values(entry)]
    call = _call(client, "declare_crons", "1" if fresh else "0", f"{CRON_KEPT:.0f}", *values)
    await client.back.insist(call, jobs.PATIENCE)


async def put(client: Client, entry: CronEntry) -> None:
    """Add or change an entry."""
    await client.back.insist(_call(client, "put_cron", *_values(entry)), jobs.PATIENCE)
    await tell(client, [CrontabChange()])


async def pause(client: Client, name: str, *, paused: bool) -> bool:
    """Pause or resume an entry; whether there is one."""
    call = _call(client, "pause_cron", encode(name), "1" if paused else "0")
    found = bool(await client.back.insist(call, jobs.PATIENCE))
    await tell(client, [CrontabChange()] if found else [])
    return found


async def remove(client: Client, name: str) -> bool:
    """Delete an entry; whether there was one."""
    found = bool(await client.back.run(_call(client, "remove_cron", encode(name))))
    await tell(client, [CrontabChange()] if found else [])
    return found


async def fire(client: Client, firing: Firing) -> list[Inserted] | None:
    """Go on to a tick and insert its jobs, unless somebody did, or paused the entry."""
    keys, new = client.keys, firing.jobs
    plain = all(job.unique is None for job in new)
    ids, insert = jobs.insertion(client, new) if plain else unique.insertion(client, new)
    named = [*insert.keys, keys.cron_ticks, keys.cron_paused]
    told = [*insert.args, encode(firing.name), firing.last_tick, firing.tick]
    reply = await client.back.run(ScriptCall(f"{insert.name}+fire_cron", named, told))
    if reply is None:
        return None
    if plain:
        return [Inserted(jid) for jid in ids]
    inserted, changes = unique.outcome(client, new, ids, reply)
    for change in changes:
        await client.back.insist(change, jobs.PATIENCE)
    return inserted


def _call(client: Client, script: str, *args: Argument) -> ScriptCall:
    return ScriptCall(script, client.keys.crons, args)


def _values(entry: CronEntry) -> tuple[Argument, ...]:
    jobs.check(entry.job)
    return encode(entry.name), encode(entry.schedule), written(entry)


def _by_name(pairs: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))
