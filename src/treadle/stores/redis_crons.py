"""The crontab on Redis: entries declared, changed by people, and fired together with the insert of their jobs."""

from collections.abc import Sequence

from treadle.core.cron_entry import CronEntry, read, written
from treadle.core.job import Inserted
from treadle.stores import sidekiq
from treadle.stores.redis_client import Client
from treadle.stores.redis_jobs import PATIENCE, check, drawn_ids
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
    """Write down what a worker has in its code, and delete what none had for long."""
    values = [value for entry in entries for value in _values(entry)]
    call = _call(client, "declare_crons", "1" if fresh else "0", f"{CRON_KEPT:.0f}", *values)
    await client.back.insist(call, PATIENCE)


async def put(client: Client, entry: CronEntry) -> None:
    """Add or change an entry."""
    await client.back.insist(_call(client, "put_cron", *_values(entry)), PATIENCE)


async def pause(client: Client, name: str, *, paused: bool) -> bool:
    """Pause or resume an entry; whether there is one."""
    call = _call(client, "pause_cron", encode(name), "1" if paused else "0")
    return bool(await client.back.insist(call, PATIENCE))


async def remove(client: Client, name: str) -> bool:
    """Delete an entry; whether there was one."""
    return bool(await client.back.run(_call(client, "remove_cron", encode(name))))


async def fire(client: Client, firing: Firing) -> list[Inserted] | None:
    """Go on to a tick and insert its jobs, unless somebody did, or paused the entry. All of them have one queue."""
    keys, ids = client.keys, drawn_ids(client, len(firing.jobs))
    queue, delay = (firing.jobs[0].queue, firing.jobs[0].delay) if firing.jobs else ("default", None)
    heads = [sidekiq.head(job, jid) for job, jid in zip(firing.jobs, ids, strict=True)]
    when = f"{delay:.6f}" if delay else ""
    told: list[Argument] = [encode(firing.name), firing.last_tick, firing.tick, encode(queue), when]
    call = _call(client, "fire_cron", *told, sidekiq.BETWEEN, sidekiq.TAIL, *heads)
    fired = await client.back.run(call._replace(keys=[*keys.crons, keys.queues, keys.schedule, keys.queue(queue)]))
    return [Inserted(jid) for jid in ids] if fired else None


def _call(client: Client, script: str, *args: Argument) -> ScriptCall:
    return ScriptCall(script, client.keys.crons, args)


def _values(entry: CronEntry) -> tuple[Argument, ...]:
    check(entry.job)
    return encode(entry.name), encode(entry.schedule), written(entry)


def _by_name(pairs: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))
