"""A process knows how much memory it occupies."""

import mmap

from treadle.runtime.memory import resident

MIB = 1024
BYTES = 50 * 1024 * 1024


def test_what_is_allocated_and_written_to_counts_until_it_is_let_go() -> None:
    before = resident()
    # Straight from the system: what the allocator is given back it may keep.
    with mmap.mmap(-1, BYTES) as kept:
        kept.write(b"x" * BYTES)
        full = resident()
        assert 45 * MIB < full - before < 200 * MIB
    assert resident() < full - 40 * MIB
