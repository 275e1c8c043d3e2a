"""The ledger that jobs wrote, read back."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from treadle.supervise.clock import SystemClock


class Line(NamedTuple):
    """`kind` is S for a start, D for an end, E for an event; `at` is a clock that all processes share."""

    kind: str
    what: str
    pid: int
    at: float
    rest: str


class Happened(NamedTuple):
    """An event: its name, the id of its job or `-`, who saw it and when, and what else it said."""

    name: str
    job: str
    pid: int
    at: float
    values: dict[str, Any]


class Book:
    """Reads on from where it stopped, so that looking at it often costs nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._lines: list[Line] = []
        self._ended: set[str] = set()
        self._clock = SystemClock()

    @property
    def now(self) -> float:
        """The present by the clock of the lines."""
        return self._clock.steady()

    @property
    def lines(self) -> Sequence[Line]:
        """All that was written so far."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offset += len(whole)
            new = [_line(text) for text in whole.decode().splitlines()]
            self._lines += new
            self._ended |= {line.what for line in new if line.kind == "D"}
        return self._lines

    def of(self, kind: str, *numbers: int) -> list[Line]:
        """The lines of a kind, of these jobs or of all."""
        wanted = set(map(str, numbers))
        return [line for line in self.lines if line.kind == kind and (not wanted or line.what in wanted)]

    @property
    def runs(self) -> Counter[int]:
        """How often each job began."""
        return Counter(int(line.what) for line in self.of("S"))

    @property
    def ends(self) -> Counter[int]:
        """How often the body of each job came to its end."""
        return Counter(int(line.what) for line in self.of("D"))

    @property
    def ended(self) -> int:
        """How many different jobs came to their end at least once."""
        _ = self.lines
        return len(self._ended)

    @property
    def running(self) -> list[Line]:
        """The starts that have no end yet."""
        ended = {(line.what, line.pid) for line in self.of("D")}
        return [line for line in self.of("S") if (line.what, line.pid) not in ended]

    def events(self, name: str) -> list[Happened]:
        """The events of this name, in the order in which they were written."""
        found = []
        for line in self.of("E"):
            if line.what == name:
                job, _, values = line.rest.partition(" ")
                found.append(Happened(name, job, line.pid, line.at, msgspec.json.decode(values)))
        return found


def _line(text: str) -> Line:
    kind, what, pid, at, *rest = text.split(" ", 4)
    return Line(kind, what, int(pid), float(at), rest[0] if rest else "")
