"""Who dies again and again is replaced ever later, unless it was of use."""

import pytest

from tests.stores.places import ManualClock
from treadle.runtime.child import Child
from treadle.runtime.place import FIRST_PAUSE, MOST_PAUSE, Place
from treadle.runtime.plan import Plan


def live(place: Place, clock: ManualClock, *, seconds: float = 1.0, jobs: int = 0, recycled: bool = False) -> float:
    """A child that lives so long in this place and runs so many jobs; how long the place stays empty after it."""
    child = Child(place.index, Plan(), alone=place.alone)
    place.enter(child)
    clock.advance(seconds)
    child.page.tally = (jobs, 0, 0)
    child.recycled = recycled
    place.leave(child)
    child.page.close()
    return place.rest()


def test_the_first_to_die_is_replaced_at_once_and_those_after_it_later_each_time() -> None:
    clock = ManualClock()
    place = Place(0, clock)
    rests = [live(place, clock) for _ in range(10)]
    assert rests[:4] == [0.0, FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert rests[-1] == MOST_PAUSE


@pytest.mark.parametrize("good", [{"jobs": 1}, {"seconds": 11.0}, {"recycled": True}])
def test_who_was_of_use_is_replaced_at_once_and_ends_the_waiting(good: dict[str, int]) -> None:
    clock = ManualClock()
    place = Place(0, clock)
    for _ in range(5):
        live(place, clock)
    assert live(place, clock, **good) == 0.0  # type: ignore[arg-type] # each of its own type
    assert [live(place, clock) for _ in range(2)] == [0.0, FIRST_PAUSE]


def test_a_place_for_suspects_never_waits() -> None:
    clock = ManualClock()
    place = Place(4, clock, alone=True)
    assert [live(place, clock) for _ in range(4)] == [0.0] * 4


def test_a_child_that_could_not_be_made_makes_the_place_wait() -> None:
    place = Place(0, ManualClock())
    assert [place.rest() for _ in range(3)] == [0.0, FIRST_PAUSE, 2 * FIRST_PAUSE]


def test_a_place_is_empty_since_the_last_one_that_worked_in_it_ended() -> None:
    clock = ManualClock()
    place = Place(0, clock)
    made = place.since
    live(place, clock)
    assert place.since == made
    child = Child(0, Plan(), alone=False)
    place.enter(child)
    child.page.turned = clock.steady()
    clock.advance(60.0)
    place.leave(child)
    child.page.close()
    assert place.since == clock.steady()
