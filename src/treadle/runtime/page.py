"""A few numbers that a worker process shares with its parent in memory, readable when the process is stuck or dead."""

import mmap
import os
import tempfile

_TURNED, _FETCHED, _RSS, _DEADLINE, _BEAT, _OVERDUE, _COMPLETED, _FAILED, _DISCARDED, _MARKS = range(10)


class Page:
    """Memory shared by a worker process and its parent; each number has one writer.

    `marks` holds, for every slot, the mark of the job that runs in it (0: none).
    """

    def __init__(self, fd: int, slots: int) -> None:
        self._fd = fd
        self._map(slots)

    @property
    def fd(self) -> int:
        """The descriptor to hand to the other process."""
        return self._fd

    @property
    def turned(self) -> float:
        """When the child's loop last turned, on the steady clock; the child writes it.

        0: it does not work yet. Infinite: its work has ended.
        """
        return self._floats[_TURNED]

    @turned.setter
    def turned(self, value: float) -> None:
        self._floats[_TURNED] = value

    @property
    def fetched(self) -> float:
        """Since when the child owes a look at its queues, on the steady clock; the child writes it.

        Each look that the store answers sets it anew. Infinite: it owes none, being full or told to claim no more. 0:
        it does not work yet.
        """
        return self._floats[_FETCHED]

    @fetched.setter
    def fetched(self, value: float) -> None:
        self._floats[_FETCHED] = value

    @property
    def rss(self) -> int:
        """KiB of memory that the child occupies; the child writes it."""
        return self._integers[_RSS]

    @rss.setter
    def rss(self, value: int) -> None:
        self._integers[_RSS] = value

    @property
    def beat(self) -> float:
        """When the store last accepted the parent's beat, on the steady clock; the parent writes it."""
        return self._floats[_BEAT]

    @beat.setter
    def beat(self, value: float) -> None:
        self._floats[_BEAT] = value

    @property
    def overdue(self) -> tuple[float, int]:
        """The earliest deadline among the running jobs on the steady clock (0: none) and its job's mark."""
        return self._floats[_DEADLINE], self._integers[_OVERDUE]

    @overdue.setter
    def overdue(self, value: tuple[float, int]) -> None:
        self._floats[_DEADLINE], self._integers[_OVERDUE] = value

    @property
    def tally(self) -> tuple[int, int, int]:
        """How many attempts ended well, failed with another to come, and failed for good; the child writes it."""
        return self._integers[_COMPLETED], self._integers[_FAILED], self._integers[_DISCARDED]

    @tally.setter
    def tally(self, value: tuple[int, int, int]) -> None:
        self._integers[_COMPLETED], self._integers[_FAILED], self._integers[_DISCARDED] = value

    def grow(self, slots: int) -> None:
        """Have room for so many slots; each side does it for itself, the parent before it tells the child."""
        if slots > self.slots:
            if os.fstat(self._fd).st_size < size(slots):
                os.ftruncate(self._fd, size(slots))
            # The old views may be in another thread's hands: they are let go when nobody has them.
            self._map(slots)

    def _map(self, slots: int) -> None:
        self.slots = slots
        self._memory = mmap.mmap(self._fd, size(slots))
        view = memoryview(self._memory)
        self._integers = view.cast("Q")
        self._floats = view.cast("d")
        self.marks = self._integers[_MARKS : _MARKS + slots]

    def close(self) -> None:
        """Let the memory go."""
        for view in (self.marks, self._integers, self._floats):
            view.release()
        self._memory.close()
        os.close(self._fd)


def size(slots: int) -> int:
    """Bytes of a page with so many slots."""
    return 8 * (_MARKS + slots)


def new_page(slots: int) -> Page:
    """A page of zeros in a file that has no name."""
    with tempfile.TemporaryFile() as file:
        file.truncate(size(slots))
        return Page(os.dup(file.fileno()), slots)
