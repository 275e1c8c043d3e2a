"""Time-outs share one timer: each comes once, at its time, and the next is always known."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.desk import attempt_of
from tests.stores.places import ManualClock
from treadle.runtime.attempt import Attempt
from treadle.runtime.deadlines import TICK, Deadlines


async def noop() -> None: ...


class Timer:
    """The only one that may be set at a time; the test turns it."""

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "Timer":
        assert self.callback is None, "one timer for all of them"
        assert seconds == TICK
        self.callback = callback
        return self

    def cancel(self) -> None:
        self.callback = None

    def turn(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class Wheel:
    """A wheel on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.timer = Timer()
        self.expired: list[Attempt] = []
        self.earliest: Attempt | None = None
        self.wheel = Deadlines(self.clock.steady, self.timer.call_later, self.expired.append, self._set_earliest)

    def add(self, seconds: float) -> Attempt:
        attempt = attempt_of(noop)
        attempt.deadline = self.clock.steady() + seconds
        self.wheel.add(attempt)
        return attempt

    def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.timer.turn()

    def _set_earliest(self, attempt: Attempt | None) -> None:
        self.earliest = attempt


def test_an_attempt_expires_once_after_its_deadline() -> None:
    wheel = Wheel()
    attempt = wheel.add(1.0)
    wheel.elapse(0.99)
    assert wheel.expired == []
    wheel.elapse(0.01 + 2 * TICK)
    assert wheel.expired == [attempt]
    wheel.elapse(1.0)
    assert wheel.expired == [attempt]


def test_an_attempt_that_ended_does_not_expire() -> None:
    wheel = Wheel()
    wheel.wheel.remove(wheel.add(1.0))
    wheel.elapse(2.0)
    assert wheel.expired == []
    assert wheel.earliest is None


def test_the_wheel_stands_while_nothing_has_a_time_out() -> None:
    wheel = Wheel()
    assert wheel.timer.callback is None
    wheel.wheel.remove(wheel.add(1.0))
    wheel.elapse(0.05)
    assert wheel.timer.callback is None
    wheel.add(1.0)
    assert wheel.timer.callback is not None


def test_an_attempt_that_expired_stays_the_earliest_until_it_has_ended() -> None:
    wheel = Wheel()
    stuck, later = wheel.add(1.0), wheel.add(100.0)
    wheel.elapse(2.0)
    assert wheel.expired == [stuck]
    wheel.add(50.0)
    assert wheel.earliest is stuck
    wheel.wheel.remove(stuck)
    assert wheel.earliest is not None
    assert wheel.earliest.deadline < later.deadline


def test_a_deadline_may_be_moved() -> None:
    wheel = Wheel()
    attempt = wheel.add(1.0)
    wheel.wheel.remove(attempt)
    attempt.deadline += 10.0
    wheel.wheel.add(attempt)
    wheel.elapse(2.0)
    assert wheel.expired == []
    wheel.elapse(10.0)
    assert wheel.expired == [attempt]


def test_closing_stops_the_timer() -> None:
    wheel = Wheel()
    wheel.add(1.0)
    wheel.wheel.close()
    assert wheel.timer.callback is None


steps = st.lists(
    st.tuples(st.just("add"), st.floats(0.0, 3.0))
    | st.tuples(st.just("remove"), st.floats(0.0, 1.0))
    | st.tuples(st.just("elapse"), st.floats(0.0, 1.5)),
    max_size=40,
)


@given(steps)
def test_whatever_comes_and_goes_each_expires_once_in_time_and_the_earliest_is_known(
    story: list[tuple[str, float]],
) -> None:
    wheel = Wheel()
    living: list[Attempt] = []
    for step, number in story:
        match step:
            case "add":
                living.append(wheel.add(number))
            case "remove" if living:
                wheel.wheel.remove(living.pop(int(number * (len(living) - 1))))
            case "elapse":
                before = set(wheel.expired)
                wheel.elapse(number)
                now = wheel.clock.steady()
                for attempt in set(wheel.expired) - before:
                    assert attempt.deadline <= now
                assert all(a in wheel.expired for a in living if a.deadline < now - 2 * TICK)
        assert len(wheel.expired) == len(set(wheel.expired))
        assert getattr(wheel.earliest, "deadline", None) == min((a.deadline for a in living), default=None)
