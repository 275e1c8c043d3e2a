"""An entry of the crontab: which job is inserted at which ticks, and the text in which a store keeps it."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from treadle.core.cron import Days
from treadle.core.job import NewJob

CatchUp = Literal["skip", "last", "all"]
CATCH_UP: tuple[CatchUp, ...] = ("skip", "last", "all")


class CronEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is inserted again and again, at the ticks of an expression in a time zone.

    `catch_up` says what becomes of ticks that no worker was there for: none of them comes, the last one, or all.
    """

    name: str
    expr: str
    job: NewJob
    tz: str = "UTC"
    days: Days = "either"
    catch_up: CatchUp = "skip"

    @property
    def schedule(self) -> str:
        """What says when it ticks, as one text; a change of it is a new beginning."""
        return f"{self.expr} {self.tz} {self.days}"

    def job_at(self, tick: int | None) -> NewJob:
        """The job that is inserted for a tick, or by hand. Its meta says so in the words of Oban."""
        meta: dict[str, Any] = {"cron": True, "cron_expr": self.expr, "cron_name": self.name, "cron_tz": self.tz}
        if tick is not None:
            meta["cron_at"] = datetime.fromtimestamp(tick, UTC).isoformat()
        return msgspec.structs.replace(self.job, meta={**self.job.meta, **meta})


class _Stored(msgspec.Struct, kw_only=True):
    """`job` has everything but the arguments, which stand beside it as the JSON that they are."""

    expr: str
    tz: str
    days: Days
    catch_up: CatchUp
    job: dict[str, Any]
    args: msgspec.Raw


_decode = msgspec.json.Decoder(_Stored).decode
_encode = msgspec.json.Encoder().encode


def written(entry: CronEntry) -> bytes:
    """The entry as JSON, without its name."""
    job = {field: getattr(entry.job, field) for field in entry.job.__struct_fields__ if field != "args"}
    return _encode(
        _Stored(
            expr=entry.expr,
            tz=entry.tz,
            days=entry.days,
            catch_up=entry.catch_up,
            job=job,
            args=msgspec.Raw(entry.job.args),
        )
    )


def read(name: str, text: bytes) -> CronEntry:
    """The entry of this name that a text describes. Raises ValueError for one that none describes."""
    try:
        stored = _decode(text)
        job = msgspec.convert({**stored.job, "args": ""}, NewJob)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected an entry of the crontab, got {text!r:.80}: {error}") from error
    job = msgspec.structs.replace(job, args=bytes(stored.args))
    return CronEntry(name=name, expr=stored.expr, job=job, tz=stored.tz, days=stored.days, catch_up=stored.catch_up)
