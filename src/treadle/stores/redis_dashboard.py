"""A process as Sidekiq's Web pages of 6.4 to 8 show it, and the signals that their buttons send."""

import asyncio
from importlib import metadata
from typing import Any

import msgspec

from treadle.stores.claim import Claim
from treadle.stores.redis_claims import LARGE, Lent
from treadle.stores.redis_client import Client
from treadle.stores.redis_keys import decode, encode
from treadle.stores.redis_scripts import Argument, ScriptCall
from treadle.stores.views import OwnerReport

# Whoever can write to Redis can push any name, and Sidekiq would execute it.
SIGNALS = frozenset({"TSTP", "TERM", "TTIN"})
SECONDS = 60

_encode = msgspec.json.Encoder().encode


async def report(client: Client, shown: OwnerReport) -> list[str]:
    """Write the process and its running jobs; the signals since the last time, oldest first."""
    keys = client.keys
    clock = asyncio.get_running_loop().time
    host, pid = _host_and_pid(shown.owner)
    fields: dict[str, Argument] = {
        "info": _encode(_info(shown, host, pid)),
        "busy": len(shown.running),
        "quiet": "true" if shown.quiet else "false",
        "rss": shown.rss,
        "concurrency": shown.concurrency,
        "rtt_us": client.round_trip_us,
    }
    args: list[Argument] = [encode(shown.owner), SECONDS, 2 * len(shown.done)]
    for queue, number in shown.done.items():
        args += [encode(queue), number]
    args.append(2 * len(fields))
    for name, value in fields.items():
        args += [name, value]
    for index, claim in enumerate(shown.running):
        args += [f"t{index}", _running(claim, host, pid)]
    began = clock()
    named = [keys.processes, *keys.process(shown.owner), *keys.done]
    names = await client.back.run(ScriptCall("report", named, args))
    client.round_trip_us = int((clock() - began) * 1e6)
    return [name for name in map(decode, names) if name in SIGNALS]


def _info(shown: OwnerReport, host: str, pid: int) -> dict[str, Any]:
    weights = dict.fromkeys(shown.queues, 0)
    return {
        "hostname": host,
        "started_at": shown.started,
        "pid": pid,
        "tag": "treadle",
        "concurrency": shown.concurrency,
        "queues": shown.queues,
        "weights": [weights],
        "labels": [],
        "identity": shown.owner,
        "version": f"treadle {_version()}",
        "embedded": shown.embedded,
        # Sidekiq passes over what it does not know.
        "node": shown.node,
        "limits": shown.limits,
        "paused": shown.paused,
        "capsules": {"default": {"concurrency": shown.concurrency, "mode": "strict", "weights": weights}},
    }


def _running(claim: Claim, host: str, pid: int) -> bytes:
    job = claim.job
    payload = claim.payload if isinstance(claim, Lent) and len(claim.payload) < LARGE else b""
    if not payload:
        # A page of running jobs shows no megabytes, and every report would send them again.
        args = [f"({len(job.args):,} bytes)"] if len(job.args) >= LARGE else msgspec.Raw(job.args)
        payload = _encode({"class": job.name, "args": args, "jid": job.id, "queue": job.queue})
    # The token begins with the server's time at the claim.
    shown = {
        "queue": job.queue,
        "payload": payload.decode(),
        "run_at": int(claim.receipt[:10]),
        "host": host,
        "pid": pid,
    }
    return _encode(shown)


def _host_and_pid(owner: str) -> tuple[str, int]:
    host, pid = [*owner.rsplit(":", 2), "", ""][:2]
    return host, int(pid) if pid.isdecimal() else 0


def _version() -> str:
    try:
        return metadata.version("treadle")
    except metadata.PackageNotFoundError:
        return "0"
