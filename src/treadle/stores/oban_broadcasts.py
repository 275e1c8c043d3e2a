"""What Oban's dashboards hear of a node: its queues as `gossip`, its attempts as `metrics`, its crontab as `cronitor`.

Pure. One wrong member of `gossip` ends the page of queues, and one expression that Elixir's Oban does not read that of
crons. What is too long for one notification goes as several; of a queue all is in one, as the last one counts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from treadle.core.cron_entry import CronEntry
from treadle.core.sketch import Sketch
from treadle.errors import ArgumentError
from treadle.stores.broadcasts import Attempts, Pulse
from treadle.stores.oban import producer
from treadle.stores.oban_cron import elixir_expression
from treadle.stores.oban_notices import PLAIN_LIMIT, write

INSTANCE: Final = "Oban"
"""The name of the instance whose dashboard shows us; Oban's own default."""

# Less the frame of a message, with the name of a node, and the time that the server adds.
_ROOM = PLAIN_LIMIT - 900
_BINS = 250
"""Of a sketch in one notification, at most 18 bytes each, beside two names."""

_encode = msgspec.json.Encoder().encode


class Notice(NamedTuple):
    """A payload for one of Oban's channels, as `oban_notices.channel` names them."""

    channel: str
    payload: str


def notices(pulses: Sequence[Pulse], paused: Collection[str]) -> list[Notice]:
    """What is told of these owners; `paused` are the queues that are paused for all of them.

    A payload of `metrics` ends without its time, which is the server's; see `sql/postgres/broadcast.sql`.
    """
    found = list(_gossip([check for pulse in pulses for check in _checks(pulse, paused)]))
    for pulse in pulses:
        metrics = [metric for attempts in pulse.attempts for metric in _metrics(attempts)]
        frame = {"name": INSTANCE, "node": pulse.owner}
        found += [Notice("metrics", write({"metrics": some, **frame})) for some in _chunks(metrics)]
    return found


def crontab_notices(node: str, entries: Sequence[CronEntry]) -> list[Notice]:
    """What is told of a node's crontab. Entries that tick at times which Elixir's Oban has no words for are left out.

    The last message of a node counts alone, so those that go on with a long crontab bear names beside the node's.
    """
    rows = [row for entry in entries if (row := _cron(entry)) is not None]
    return [
        Notice("cronitor", write({"crontab": some, "name": INSTANCE, "node": f"{node}.{part}" if part else node}))
        for part, some in enumerate(_chunks(rows))
    ]


def _checks(pulse: Pulse, paused: Collection[str]) -> Iterator[dict[str, Any]]:
    started = datetime.fromtimestamp(pulse.started, UTC).isoformat()
    for queue, limit in pulse.slots.items():
        yield {
            "uuid": producer(pulse.owner, queue),
            "node": pulse.owner,
            "name": INSTANCE,
            "queue": queue,
            "local_limit": limit,
            "paused": queue in pulse.paused or queue in paused,
            "running": list(map(int, pulse.running.get(queue, ()))),
            "started_at": started,
        }


def _gossip(checks: Sequence[dict[str, Any]]) -> Iterator[Notice]:
    for some in _chunks(checks):
        yield Notice("gossip", _fitting(some))


def _fitting(checks: Sequence[dict[str, Any]]) -> str:
    """The payload; where a queue runs more than goes into one, it lacks some of their ids."""
    while True:
        try:
            return write({"checks": checks})
        except ArgumentError:
            checks = [{**check, "running": check["running"][: len(check["running"]) // 2]} for check in checks]


def _metrics(attempts: Attempts) -> Iterator[dict[str, Any]]:
    labels = {"state": attempts.after, "queue": attempts.queue, "worker": attempts.name}
    for series, sketch in (("exec_time", attempts.ran), ("wait_time", attempts.waited)):
        for data in _parts(sketch):
            yield {"series": series, **labels, "value": {"data": data, "size": sum(data.values())}}
    yield {"series": "exec_count", **labels, "value": {"data": [attempts.ran.size]}}


def _parts(sketch: Sketch) -> Iterator[Mapping[int, int]]:
    bins = sorted(sketch.bins.items())
    for start in range(0, len(bins), _BINS):
        yield dict(bins[start : start + _BINS])


def _cron(entry: CronEntry) -> list[Any] | None:
    expression = elixir_expression(entry.expr, entry.days)
    if expression is None:
        return None
    # Jobs of the entry bear this name in their meta, by which a dashboard finds them.
    options = {"name": entry.name} if entry.tz == "UTC" else {"timezone": entry.tz, "name": entry.name}
    return [expression, entry.job.name, options]


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The items in order, as many together as fit into one payload; one that is too long alone."""
    chunk: list[Any] = []
    size = 0
    for item in items:
        length = len(_encode(item)) + 1
        if chunk and size + length > _ROOM:
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += length
    if chunk:
        yield chunk
