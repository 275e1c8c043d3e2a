"""A PostgreSQL that does not answer is left alone for a while, which is another for each client."""

import pytest

from tests.stores.places import ManualClock
from treadle.errors import StoreUnavailable
from treadle.stores.postgres_rest import PAUSE, Rest, by_chance


def test_a_server_that_was_dialled_in_vain_rests() -> None:
    clock = ManualClock()
    rest = Rest(clock, lambda _: b"\x80")
    rest.check()
    rest.begin(StoreUnavailable("cannot reach it"))
    clock.advance(PAUSE * 0.9)
    with pytest.raises(StoreUnavailable, match="cannot reach it"):
        rest.check()
    clock.advance(PAUSE * 0.2)
    rest.check()


def test_pauses_differ_by_chance() -> None:
    assert by_chance(2.0, lambda _: b"\x00") == 1.0
    assert by_chance(2.0, lambda _: b"\x80") == 2.0
    assert 2.9 < by_chance(2.0, lambda _: b"\xff") < 3.0
