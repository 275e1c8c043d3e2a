"""Inserts of many tasks that wait for one connection: what each wants, and what came of it once they were done."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from treadle.core.job import Inserted, NewJob

T = TypeVar("T")


class Wish:
    """One call of `insert`: what it wants, then what came of it."""

    def __init__(self, jobs: Sequence[NewJob]) -> None:
        self.jobs = jobs
        self.inserted: Sequence[Inserted] | None = None
        self.error: Exception | None = None

    @property
    def served(self) -> bool:
        """Whether it is known what came of it."""
        return self.inserted is not None or self.error is not None

    def answer(self) -> list[Inserted]:
        """What came of it; nothing yet is an empty list. Raises its error."""
        if self.error is not None:
            raise self.error
        return list(self.inserted or ())


def shared_out(wishes: Sequence[Wish], given: Sequence[T]) -> Iterator[tuple[Wish, Sequence[T]]]:
    """Each wish with its part of what was given for the jobs of all."""
    start = 0
    for wish in wishes:
        yield wish, given[start : start + len(wish.jobs)]
        start += len(wish.jobs)
