"""A collection of jobs: what an app is, and what a library offers to the apps of others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, ParamSpec, TypeVar, Unpack, overload

from treadle.app.cron_declaration import CronArgs, CronDeclaration, declaration
from treadle.app.function import Declaration, JobFunction, PlainDecorator, RecordedDecorator
from treadle.app.handle import Handle
from treadle.app.registry import Entry, Registered, Registry
from treadle.app.surface import App
from treadle.core.cron import Days
from treadle.core.cron_entry import CatchUp
from treadle.core.options import ExternalSettings, JobSettings, check_known, check_name
from treadle.errors import ConfigError
from treadle.runtime.handler import Handler

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = ("name", *JobSettings.__annotations__, "record")
_EXTERNAL_OPTIONS = tuple(ExternalSettings.__annotations__)


class Jobs:
    """Jobs that are declared before, or without, the app that runs them; `app.include(jobs)` takes them."""

    def __init__(self) -> None:
        self._registry = Registry(self)

    @property
    def app(self) -> App:
        """The app that took these jobs. Raises ConfigError where none did."""
        taker = self._registry.taker
        if taker is None:
            raise ConfigError("expected these jobs to belong to an app, got none: take them with app.include(jobs)")
        return taker.home.app

    @overload
    def job(self, function: Callable[P, R], /) -> JobFunction[P, R, Handle]: ...
    @overload
    def job(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        record: Literal[True],
        **options: Unpack[JobSettings],
    ) -> RecordedDecorator: ...
    @overload
    def job(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        record: Literal[False] = False,
        **options: Unpack[JobSettings],
    ) -> PlainDecorator: ...
    def job(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        record: bool = False,
        **options: Unpack[JobSettings],
    ) -> Any:
        """Make a function a job.

        `name` is what stands in the store (default: the function's name). `record=True` keeps what the function returns
        for a day. `executor` is "loop", "thread" or "process" (default: "loop" for async functions, "thread" for
        others). The other options are those of JobSettings. Raises ConfigError for an option that is not known and for
        two jobs of one name; the options' values are looked at when a worker starts and at the first enqueue.
        """
        given = {**options, "record": record}

        def declare(function: Callable[..., Any]) -> Registered:
            return self._declare(function, name, given, external=False)

        return declare if function is None else declare(function)

    def external(self, name: str, **options: Unpack[ExternalSettings]) -> PlainDecorator:
        """Declare a job that another program runs: typed and enqueued here, its body never called.

        Raises ConfigError for an option that is not known and for two jobs of one name.
        """
        if not isinstance(name, str):
            raise ConfigError(
                f'expected external() to be given a name, as in external("MyApp.Mailer"), got {name!r:.80}'
            )
        check_name(name, "the name of a job")

        def declare(function: Callable[P, R], /) -> JobFunction[P, R, Handle]:
            return self._declare(function, name, options, external=True)

        return declare

    def cron(
        self,
        expr: str,
        /,
        *,
        tz: str = "UTC",
        args: CronArgs = (),
        name: str | None = None,
        catch_up: CatchUp = "skip",
        days: Days = "either",
    ) -> Callable[[F], F]:
        """Insert the job that this stands at, above or below the decorator that makes it one, at every tick of `expr`.

        `expr` has five fields, or six with the second first, and ticks as clocks in the time zone `tz` show it. `args`
        is what the job is given: a mapping or a list. `name` names the entry, as the job unless given: several entries
        of one job need names. `catch_up`: which of the ticks come later that no worker was there for, "skip" for none,
        "last" for the last, "all" for at most the last 1,000. `days`: whether, where day of month and weekday are both
        restricted, "either" of them is enough or "both" must fit. Raises ConfigError; zone, name and arguments are
        looked at when a worker starts.
        """
        given = CronDeclaration(None, expr, tz, args, name, catch_up, days)

        def declare(target: F) -> F:
            self._registry.enter_cron(declaration(target, given))
            return target

        return declare

    def include(self, jobs: "Jobs") -> None:
        """Take the jobs of a collection, also those that it declares later; a collection belongs to one app.

        Raises ConfigError.
        """
        if type(jobs) is not Jobs:
            raise ConfigError(
                f"expected a collection made by Jobs(), got {jobs!r:.80}; declare the jobs on one, and include that"
            )
        self._registry.include(jobs._registry)  # noqa: SLF001 - of the same kind

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Every job that runs here by its name, as a worker sees it. Raises ConfigError."""
        entries = self._registry.entries
        return {entry.job.name: entry.declaration.handler for entry in entries if not entry.declaration.external}

    @property
    def parameters(self) -> Mapping[str, Sequence[str]]:
        """The names of the parameters of every job, by each name that it answers to; `*rest` takes what is left.

        Jobs that cannot run as they are declared are left out.
        """
        found: dict[str, Sequence[str]] = {}
        for entry in self._registry.entries:
            with suppress(ConfigError):
                found |= dict.fromkeys(entry.answers, entry.declaration.handler.signature.parameters)
        return found

    def find(self, name: str) -> Registered | None:
        """The job that answers to a name, in any peer's spelling: `A::B`, `Elixir.A.B` and `A.B/1` are `A.B`."""
        entry = self._registry.find(name)
        return entry.job if entry else None

    def resolve(self, name: str) -> Handler | None:
        """The job that runs here and answers to a name, as a worker sees it; see `find`."""
        entry = self._registry.find(name)
        return None if entry is None or entry.declaration.external else entry.declaration.handler

    def _declare(
        self, function: Callable[P, R], name: str | None, given: Mapping[str, Any], *, external: bool
    ) -> JobFunction[P, R, Any]:
        if isinstance(function, JobFunction):
            raise ConfigError(
                f"expected a function, got {function!r:.80}, a job already; give another app a function of its own"
            )
        name = _name_of(function) if name is None else check_name(name, "the name of a job")
        known = _EXTERNAL_OPTIONS if external else _OPTIONS
        check_known(given, known, f'of {"external " if external else ""}job "{name}"')
        values = dict(given)
        answers = (name, *_aliases(name, values.pop("aliases", ())))
        declaration = Declaration(self, name, function, values, external=external)
        job: JobFunction[P, R, Any] = JobFunction(declaration)
        self._registry.enter([Entry(job, declaration, answers)])
        return job


def _name_of(function: object) -> str:
    name = getattr(function, "__name__", None)
    if not callable(function):
        raise ConfigError(f"expected a function, got {function!r:.80}; options are named, as in job(name=...)")
    if name in {None, "<lambda>"}:
        raise ConfigError(f"expected a function that has a name, got {function!r:.80}; give the job a name=")
    return check_name(name, "the name of a job")


def _aliases(name: str, given: object) -> list[str]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(f'expected aliases of job "{name}" to be a list of names, got {given!r:.80}')
    return [check_name(alias, f'an alias of job "{name}"') for alias in given]
