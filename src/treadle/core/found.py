"""What a look for jobs brought: the jobs or their numbers, how many were looked at, and where to go on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import msgspec

from treadle.core.job import JobView
from treadle.core.states import State


@dataclass(frozen=True, slots=True)
class Page(Sequence[JobView]):
    """The jobs that were found, newest first in each place where jobs stand; a sequence of them.

    `looked` is how many jobs were looked at for it. `cursor` says where to go on, and is None where there is nothing
    left to look at.
    """

    jobs: tuple[JobView, ...]
    looked: int
    cursor: str | None = None

    @property
    def complete(self) -> bool:
        """Whether everything was looked at."""
        return self.cursor is None

    @overload
    def __getitem__(self, index: int) -> JobView: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[JobView, ...]: ...

    def __getitem__(self, index: int | slice) -> JobView | tuple[JobView, ...]:
        return self.jobs[index]

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[JobView]:
        return iter(self.jobs)


class Tally(msgspec.Struct, frozen=True):
    """How many jobs match, by state; `looked` and `cursor` are as of a page."""

    states: Mapping[State, int]
    looked: int
    cursor: str | None = None
