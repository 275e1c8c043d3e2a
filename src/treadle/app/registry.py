"""Which job answers to which name, in a collection of jobs and in the app that took it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from treadle.app.cron_declaration import CronDeclaration
from treadle.app.function import Declaration, JobFunction
from treadle.app.surface import Home
from treadle.core.names import peerless
from treadle.errors import ConfigError

Registered = JobFunction[..., Any, Any]


class Entry(NamedTuple):
    """A registered job, and every name that it answers to."""

    job: Registered
    declaration: Declaration
    answers: tuple[str, ...]


class Registry:
    """The entries of one collection; whatever is entered is entered with its `taker` too."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.taker: Registry | None = None
        self.entries: list[Entry] = []
        self.crons: list[CronDeclaration] = []
        self._answers: dict[str, Entry] = {}

    def find(self, name: str) -> Entry | None:
        """The entry that answers to a name, in any peer's spelling."""
        found = self._answers.get(name)
        if found is None:
            found = self._answers.get(peerless(name))
        return found

    def include(self, other: "Registry") -> None:
        """Take the entries of another, now and later. Raises ConfigError, and then takes none."""
        if other.taker is self:
            return
        if other.taker is not None or other in self._takers():
            raise ConfigError(
                "expected a collection of jobs that nobody took yet, got one that belongs to another; make one for each"
            )
        self.enter(other.entries)
        for cron in other.crons:
            self.enter_cron(cron)
        other.taker = self

    def enter(self, entries: Sequence[Entry]) -> None:
        """Enter all of them, here and with whoever took this collection. Raises ConfigError, and then enters none."""
        takers = tuple(self._takers())
        # The outermost has every name that the others have: what it does not refuse, none does.
        takers[-1].refuse_twins(entries)
        for taker in takers:
            taker.add(entries)

    def enter_cron(self, cron: CronDeclaration) -> None:
        """Enter an entry of the crontab, here and with whoever took this collection."""
        for taker in self._takers():
            taker.crons.append(cron)

    def job_of(self, target: object) -> Registered | None:
        """The job that is this, or that was made of this function; None where there is none."""
        if isinstance(target, JobFunction):
            return target
        return next((entry.job for entry in self.entries if entry.declaration.function is target), None)

    def add(self, entries: Sequence[Entry]) -> None:
        """Enter them here alone."""
        self.entries += entries
        for entry in entries:
            self._answers.update(dict.fromkeys(entry.answers, entry))

    def refuse_twins(self, entries: Sequence[Entry]) -> None:
        """Raise ConfigError where one of them answers to a name that another has."""
        for entry in entries:
            for answer in entry.answers:
                twin = self._answers.get(answer)
                if twin is not None:
                    raise ConfigError(
                        f'two jobs answer to "{answer}": {twin.declaration.place} and {entry.declaration.place}; '
                        f"give one of them another name="
                    )

    def _takers(self) -> "Iterator[Registry]":
        """This collection, the one that took it, and so on."""
        taker: Registry | None = self
        while taker is not None:
            yield taker
            taker = taker.taker
