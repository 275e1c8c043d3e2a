"""The machine's clocks, and what no other process draws."""

import re

from treadle.supervise.clock import SystemClock, jitter, nonce


def test_the_steady_clock_does_not_go_back() -> None:
    clock = SystemClock()
    times = [clock.steady() for _ in range(100)]
    assert times == sorted(times)


def test_the_wall_clock_tells_this_century() -> None:
    assert 1_700_000_000 < SystemClock().now() < 4_100_000_000


def test_chance_is_drawn_from_0_to_1() -> None:
    drawn = {jitter() for _ in range(100)}
    assert len(drawn) > 90
    assert all(0.0 <= value < 1.0 for value in drawn)


def test_a_nonce_is_12_hex_digits_and_never_the_same() -> None:
    drawn = {nonce() for _ in range(100)}
    assert len(drawn) == 100
    assert all(re.fullmatch(r"[0-9a-f]{12}", value) for value in drawn)
