"""An entry of the crontab as a decorator or a call says it, and what is refused of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from treadle.app.function import JobFunction, NewCall
from treadle.core.cron import DAYS, Days, parse_cron
from treadle.core.cron_entry import CATCH_UP, CatchUp, CronEntry
from treadle.core.job import NewJob
from treadle.core.options import check_choice, check_name
from treadle.errors import ConfigError
from treadle.features.zones import zone

CronArgs = Mapping[str, Any] | Sequence[Any]

Found = JobFunction[..., Any, Any] | None


class CronDeclaration(NamedTuple):
    """What stands at a job, or at a function that another decorator makes one. `name` is None for the job's own."""

    target: object
    expr: str
    tz: str
    args: CronArgs
    name: str | None
    catch_up: CatchUp
    days: Days


def declaration(target: object, given: CronDeclaration) -> CronDeclaration:
    """The declaration for this target, all checked that can be before its app is there. Raises ConfigError."""
    if not callable(target):
        raise ConfigError(
            f'expected a job or a function under @app.cron("{given.expr:.80}"), got {target!r:.80}; what the job is '
            f"given is named, as in cron(..., args=[42])"
        )
    name = None if given.name is None else check_name(given.name, "the name of a cron entry")
    what = f'of the cron entry "{name or getattr(target, "__name__", "")}"'
    if isinstance(given.args, str | bytes) or not isinstance(given.args, Mapping | Sequence):
        raise ConfigError(f"expected args {what} to be a mapping of names to values, or a list, got {given.args!r:.80}")
    if not isinstance(given.tz, str):
        raise ConfigError(f'expected tz {what} to be the name of a time zone, as "Europe/Paris", got {given.tz!r:.80}')
    check_choice(given.catch_up, f"catch_up {what}", CATCH_UP)
    days = check_choice(given.days, f"days {what}", DAYS)
    return given._replace(target=target, expr=parse_cron(given.expr, days).text, name=name)


def entries(declarations: Iterable[CronDeclaration], job_of: Callable[[object], Found]) -> dict[str, CronEntry]:
    """The entries by their names; `job_of` gives the job of a target. Raises ConfigError, ArgumentError."""
    found: dict[str, CronEntry] = {}
    for given in declarations:
        job = job_of(given.target)
        if job is None:
            shown = getattr(given.target, "__qualname__", given.target)
            raise ConfigError(f"expected a job of this app under @app.cron, got {shown}; decorate it with @app.job too")
        call = job.new(**given.args) if isinstance(given.args, Mapping) else job.new(*given.args)
        one = entry(call, expr=given.expr, name=given.name, tz=given.tz, catch_up=given.catch_up, days=given.days)
        if one.name in found:
            raise ConfigError(
                f'expected cron entries of different names, got two of "{one.name}", at "{found[one.name].expr}" and '
                f'at "{one.expr}"; give one of them another name='
            )
        found[one.name] = one
    return found


def entry(call: object, *, expr: str, name: str | None, tz: str, catch_up: CatchUp, days: Days) -> CronEntry:
    """The entry that inserts this call, or this job where it needs no arguments. Raises ConfigError, ArgumentError."""
    new = _new(call)
    name = check_name(new.name if name is None else name, "the name of a cron entry")
    what = f'of the cron entry "{name}"'
    if new.at is not None:
        raise ConfigError(f"expected the job {what} to come with its ticks, got one with at=; leave it out")
    days = check_choice(days, f"days {what}", DAYS)
    zone(tz, f"tz {what}")
    return CronEntry(
        name=name,
        expr=parse_cron(expr, days).text,
        job=new,
        tz=tz,
        days=days,
        catch_up=check_choice(catch_up, f"catch_up {what}", CATCH_UP),
    )


def _new(call: object) -> NewJob:
    match call:
        case NewCall():
            return call.new
        case JobFunction():
            return call.new().new
        case NewJob():
            return call
        case _:
            raise ConfigError(f"expected a job for a cron entry, or a call as in welcome.new(42), got {call!r:.80}")
