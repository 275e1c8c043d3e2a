"""A collection of jobs: what an app is, and what a library offers to the apps of others."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, Unpack, overload

from treadle.app.function import Declaration, JobFunction, PlainDecorator, RecordedDecorator
from treadle.app.handle import Handle
from treadle.app.surface import App
from treadle.core.options import JobSettings, check_known, check_name
from treadle.errors import ConfigError
from treadle.runtime.handler import Handler

P = ParamSpec("P")
R = TypeVar("R")

Registered = JobFunction[..., Any, Any]


class Jobs:
    """Jobs that are declared before, or without, the app that runs them; `app.include(jobs)` takes them."""

    def __init__(self) -> None:
        self._taker: Jobs | None = None
        self._entries: list[_Entry] = []
        self._declared: dict[str, Registered] = {}
        self._answers: dict[str, Registered] = {}
        self._places: dict[str, str] = {}

    @property
    def app(self) -> App:
        """The app that took these jobs. Raises ConfigError where none did."""
        if self._taker is None:
            raise ConfigError("expected these jobs to belong to an app, got none: take them with app.include(jobs)")
        return self._taker.app

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

        def declare(function: Callable[..., Any]) -> Registered:
            return self._declare(function, name, {**options, "record": record}, external=False)

        return declare if function is None else declare(function)

    def external(self, name: str, **options: Unpack[JobSettings]) -> PlainDecorator:
        """Declare a job that another program runs: typed and enqueued here, its body never called."""
        declare: Any = lambda function: self._declare(function, name, options, external=True)  # noqa: E731 - untyped
        decorator: PlainDecorator = declare
        return decorator

    def include(self, jobs: "Jobs") -> None:
        """Take the jobs of a collection, also those that it declares later; a collection belongs to one app.

        Raises ConfigError.
        """
        if jobs._taker is self:  # noqa: SLF001 - of the same kind
            return
        if jobs._taker is not None:  # noqa: SLF001
            raise ConfigError("expected a collection of jobs that belongs to no app yet, got one that another app took")
        for entry in jobs._entries:  # noqa: SLF001
            self._refuse_twins(entry)
        for entry in jobs._entries:  # noqa: SLF001
            self._enter(entry)
        jobs._taker = self  # noqa: SLF001

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Every registered job by its name, as a worker sees it. Raises ConfigError."""
        return {name: job.handler for name, job in self._declared.items()}

    def find(self, name: str) -> Registered | None:
        """The job that answers to a name, in any peer's spelling: `A::B`, `Elixir.A.B` and `A.B/1` are `A.B`."""
        found = self._answers.get(name)
        if found is None:
            found = self._answers.get(name.replace("::", ".").removeprefix("Elixir.").partition("/")[0])
        return found

    def resolve(self, name: str) -> Handler | None:
        """The job that answers to a name, as a worker sees it; see `find`."""
        found = self.find(name)
        return found.handler if found else None

    def _declare(
        self, function: Callable[..., Any], name: str | None, given: Mapping[str, Any], *, external: bool
    ) -> Registered:
        name = check_name(getattr(function, "__name__", None) if name is None else name, "the name of a job")
        values = dict(given)
        record = {"record": values.pop("record")} if "record" in values else {}
        check_known(values, JobSettings, f'of job "{name}"')
        answers = (name, *_aliases(name, values.pop("aliases", ())))
        declaration = Declaration(self, name, function, values | record, external=external)
        entry = _Entry(JobFunction(declaration), answers, declaration.place, external)
        for registry in filter(None, (self._taker, self)):
            registry._enter(entry)  # noqa: SLF001 - of the same kind
        return entry.job

    def _enter(self, entry: "_Entry") -> None:
        self._refuse_twins(entry)
        self._entries.append(entry)
        self._places.update(dict.fromkeys(entry.answers, entry.place))
        if not entry.external:
            self._declared[entry.job.name] = entry.job
            self._answers.update(dict.fromkeys(entry.answers, entry.job))

    def _refuse_twins(self, entry: "_Entry") -> None:
        for answer in entry.answers:
            if answer in self._places:
                raise ConfigError(
                    f'two jobs answer to "{answer}": {self._places[answer]} and {entry.place}; '
                    f"give one of them another name="
                )


class _Entry(NamedTuple):
    job: Registered
    answers: tuple[str, ...]
    place: str
    external: bool


def _aliases(name: str, given: object) -> list[str]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(f'expected aliases of job "{name}" to be a list of names, got {given!r:.80}')
    return [check_name(alias, f'an alias of job "{name}"') for alias in given]
