"""A process knows how much memory it occupies."""

from treadle.runtime.memory import resident

MIB = 1024


def test_what_is_allocated_and_written_to_counts_until_it_is_let_go() -> None:
    before = resident()
    kept = [bytearray(b"x" * 1024 * 1024) for _ in range(50)]
    full = resident()
    assert 45 * MIB < full - before < 200 * MIB
    kept.clear()
    assert resident() < full - 40 * MIB
