"""What endangers jobs in a Redis: eviction, lost writes, an old version, clocks that disagree."""

from collections.abc import Iterator, Mapping
from typing import Any

from treadle.core.clock import Clock
from treadle.errors import StoreError
from treadle.stores.redis_client import Client, seconds_of
from treadle.stores.views import Finding

SKEW = 2.0
OLDEST = (6, 0)


async def diagnose(client: Client, clock: Clock) -> list[Finding]:
    """Look at everything; one finding for each thing, good or bad."""
    # The first claim or look at a result would do this too: it is known only then whether changes are told.
    await client.front.ask(("PING",))
    [info, time] = await client.back.ask(("INFO",), ("TIME",))
    server = _fields(info)
    findings = [_version(server.get("redis_version", "")), _eviction(server.get("maxmemory_policy", ""))]
    findings += _persistence(server, await _setting(client, "save"), await _setting(client, "appendfsync"))
    findings.append(_pushes(client))
    return [*findings, _skew(clock.now() - seconds_of(time))]


def _version(text: str) -> Finding:
    parts = tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
    if parts < OLDEST:
        return Finding("error", f"expected Redis 6.0 or later, got {text or 'no version'}: upgrade the server")
    return Finding("ok", f"Redis {text}")


def _eviction(policy: str) -> Finding:
    if policy == "noeviction":
        return Finding("ok", "maxmemory-policy noeviction")
    return Finding(
        "error",
        f"expected maxmemory-policy noeviction, got {policy or 'none'}: Redis may throw jobs away when its memory is "
        f"full; CONFIG SET maxmemory-policy noeviction, and in redis.conf",
    )


def _persistence(server: Mapping[str, str], save_points: str | None, sync: str | None) -> Iterator[Finding]:
    if server.get("aof_enabled") == "1":
        yield _log(sync)
    elif save_points == "":
        yield Finding("warning", "expected appendonly yes, got no persistence at all: a restart loses every job")
    else:
        yield Finding("warning", "expected appendonly yes, got snapshots only: a crash loses jobs")


def _log(sync: str | None) -> Finding:
    # While a sync is slow, Redis answers for up to two seconds before it writes: aof.c, flushAppendOnlyFile.
    match sync:
        case "everysec":
            return Finding("ok", "appendonly is on, appendfsync everysec: a crash may lose the last two seconds")
        case "no":
            return Finding(
                "warning",
                "expected appendfsync everysec or always, got no: a crash of the machine may lose half a minute; "
                "CONFIG SET appendfsync everysec, and in redis.conf",
            )
        case _:
            return Finding("ok", f"appendonly is on{f', appendfsync {sync}' if sync else ''}")


async def _setting(client: Client, name: str) -> str | None:
    """A setting of the server; None where it may not be read."""
    [reply] = await client.back.ask_all(("CONFIG", "GET", name))
    if isinstance(reply, StoreError):
        return None
    pairs: dict[bytes, bytes] = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    value = pairs.get(name.encode())
    return None if value is None else value.decode()


def _pushes(client: Client) -> Finding:
    if client.connections.links.front.deaf:
        return Finding(
            "warning",
            "expected RESP 3 with CLIENT TRACKING, got neither: idle workers look every 20 ms instead; a proxy "
            "in between may be the reason",
        )
    return Finding("ok", "new jobs are told to idle workers (RESP 3, CLIENT TRACKING)")


def _skew(seconds: float) -> Finding:
    if abs(seconds) <= SKEW:
        return Finding("ok", f"the clocks of this machine and of Redis differ by {abs(seconds):.3f} s")
    return Finding(
        "warning",
        f"expected the clocks of this machine and of Redis to differ by at most {SKEW:g} s, got {abs(seconds):.0f} s "
        f"({'ahead' if seconds > 0 else 'behind'}): jobs come at the right time, but what people read may look wrong",
    )


def _fields(info: Any) -> dict[str, str]:  # noqa: ANN401 - text of INFO
    lines = info.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
