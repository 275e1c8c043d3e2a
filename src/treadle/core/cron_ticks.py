"""When a cron expression ticks in a time zone: arithmetic on instants, right across every change of the clocks.

* A time that a change leaves out comes at the first instant after the gap; several of them come there once.
* A time that a change repeats comes once, the first time.
* An expression whose hour or minute begins with `*` knows no such times: it ticks at each real instant at which the
  clocks on the wall show what it says.

Instants are whole seconds since the epoch. The zone comes as a tzinfo; offsets are asked of it, nothing else is known.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from treadle.core.cron import CronExpression

_DAY = 86_400
_PROBE = 6 * 3_600
# Seconds that are looked through first for the latest ticks, and how they grow where too few are found.
_FIRST_LOOK = 60
_FURTHER = 4


class CronTicks(NamedTuple):
    """The ticks of an expression in a zone."""

    expression: CronExpression
    zone: tzinfo

    def next_after(self, instant: float) -> int | None:
        """The first tick after an instant; None where the calendar of Python, which has 9999 years, ends before."""
        try:
            begin = int(instant // 1)
            return self._next_real(begin + 1) if self.expression.every else self._next_time(begin)
        except (OverflowError, ValueError):
            return None

    def between(self, after: float, until: float) -> Iterator[int]:
        """Every tick after one instant up to and with another."""
        tick = self.next_after(after)
        while tick is not None and tick <= until:
            yield tick
            tick = self.next_after(tick)

    def latest(self, after: float, until: float, limit: int) -> list[int]:
        """The last `limit` ticks after one instant up to and with another, however many there were."""
        span = _FIRST_LOOK
        while True:
            begin = max(after, until - span)
            found = list(self.between(begin, until))
            if len(found) >= limit or begin <= after:
                return found[-limit:]
            span *= _FURTHER

    def _next_time(self, after: int) -> int | None:
        """Times of the day, each once: they come in the order in which the wall shows them."""
        wall = _next_wall(self.expression, _wall(after, self.zone))
        while wall is not None:
            instant = _first_instant(wall, self.zone)
            if instant > after:
                return instant
            wall = _next_wall(self.expression, wall + timedelta(seconds=1))
        return None

    def _next_real(self, instant: int) -> int | None:
        """The first instant, from this one on, at which the wall shows a fitting time."""
        while True:
            here = _wall(instant, self.zone)
            wall = _next_wall(self.expression, here)
            if wall is None:
                return None
            ahead = int((wall - here).total_seconds())
            if ahead > 2 * _DAY:
                # No change moves the clocks by more than a day, so nothing fits before that.
                instant += ahead - 2 * _DAY
                continue
            change = _next_change(instant, instant + ahead, self.zone)
            if change is None:
                return instant + ahead
            instant = change


def _next_wall(expression: CronExpression, wall: datetime) -> datetime | None:
    """The first fitting time of the wall, from this one on."""
    day = wall.date()
    time = _time_from(expression, wall.hour, wall.minute, wall.second)
    if time is None or not expression.has_day(day):
        time = expression.hours[0], expression.minutes[0], expression.seconds[0]
        day += timedelta(days=1)
        while not expression.has_day(day):
            # Months that cannot fit are passed by in one step: a leap day is up to eight years away.
            skips = day.month not in expression.months
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1) if skips else day + timedelta(days=1)
    hour, minute, second = time
    return datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - what a wall shows


def _time_from(expression: CronExpression, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
    """The first fitting time of a day from this one on; None where none is left."""
    hours, minutes, seconds = expression.hours, expression.minutes, expression.seconds
    if hour in hours:
        if minute in minutes and second <= seconds[-1]:
            return hour, minute, seconds[bisect_left(seconds, second)]
        if minute < minutes[-1]:
            return hour, minutes[bisect_left(minutes, minute + 1)], seconds[0]
    later = bisect_left(hours, hour + 1)
    return (hours[later], minutes[0], seconds[0]) if later < len(hours) else None


def _first_instant(wall: datetime, zone: tzinfo) -> int:
    """The first instant at which the wall shows this time; where it never does, the first after the gap."""
    instant = _instant(wall, zone, fold=0)
    if _wall(instant, zone) == wall:
        return instant
    return _change_within(_instant(wall, zone, fold=1), instant, zone)


def _next_change(low: int, high: int, zone: tzinfo) -> int | None:
    """The first instant after `low`, up to `high`, from which the wall is ahead by another amount."""
    while low < high:
        probe = min(low + _PROBE, high)
        if _offset(probe, zone) != _offset(low, zone):
            return _change_within(low, probe, zone)
        low = probe
    return None


def _change_within(low: int, high: int, zone: tzinfo) -> int:
    """The same, of two instants at which the amounts differ."""
    before = _offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(instant: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(instant, zone).utcoffset()


def _wall(instant: int, zone: tzinfo) -> datetime:
    """What the wall shows, as a datetime without a zone."""
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0)


def _instant(wall: datetime, zone: tzinfo, *, fold: int) -> int:
    return int(wall.replace(tzinfo=zone, fold=fold).timestamp())
