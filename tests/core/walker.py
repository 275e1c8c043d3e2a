"""Cron by brute force: every minute of a stretch of time is looked at, by rules that are written down here anew."""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import cache

MINUTE = 60
ORDER = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@cache
def allowed(field: str, most: int) -> set[int]:
    """The numbers of a field that is written with `*`, numbers, names of days, ranges and steps."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        ends = [ORDER.index(word) if word in ORDER else int(word) for word in span.split("-")] if span != "*" else []
        first, last = (ends[0], ends[-1]) if ends else (0, most)
        found.update(number for number in range(first, last + 1) if (number - first) % int(step or 1) == 0)
    return found


def fits(expression: str, wall: datetime) -> bool:
    """Whether what the wall shows is what an expression of five fields says; days as in Vixie cron."""
    minute, hour, day, month, weekday = expression.split()
    if wall.minute not in allowed(minute, 59) or wall.hour not in allowed(hour, 23):
        return False
    # Steps of days and months count from 1, and no test has one there.
    by_day = day == "*" or wall.day in allowed(day, 31)
    by_weekday = weekday == "*" or wall.isoweekday() % 7 in {number % 7 for number in allowed(weekday, 6)}
    right_day = by_day or by_weekday if day[0] != "*" and weekday[0] != "*" else by_day and by_weekday
    return right_day and (month == "*" or wall.month in allowed(month, 12))


def walk(expression: str, zone: tzinfo, begin: int, end: int) -> Iterator[int]:
    """Every minute after `begin`, up to and with `end`, at which it ticks; both are full minutes since the epoch."""
    minute, hour, *_ = expression.split()
    every = minute[0] == "*" or hour[0] == "*"
    shown = datetime.fromtimestamp(begin, zone)
    for instant in range(begin + MINUTE, end + 1, MINUTE):
        before, shown = shown, datetime.fromtimestamp(instant, zone)
        wall = shown.replace(tzinfo=None, fold=0)
        if every:
            ticks = fits(expression, wall)
        else:
            ticks = (fits(expression, wall) and not shown.fold) or any(
                fits(expression, left_out) for left_out in _left_out(before.replace(tzinfo=None, fold=0), wall)
            )
        if ticks:
            yield instant


def _left_out(before: datetime, wall: datetime) -> Iterator[datetime]:
    """The minutes between two that follow each other, which no clock shows."""
    skipped = before + timedelta(minutes=1)
    while skipped < wall:
        yield skipped
        skipped += timedelta(minutes=1)
