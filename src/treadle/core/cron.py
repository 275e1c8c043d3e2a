"""Cron expressions, read from text: five fields, or six with the second first, or a nickname.

A field is `*`, or a list of numbers, names and ranges, each with a step if need be: `*/5`, `10-40/5`, `MON-FRI`.
`5/15` is every 15th from 5 on. `?` is `*` in the two fields of days. Sunday is 0 and 7.
"""

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple

import msgspec

from treadle.core.nearest import did_you_mean
from treadle.errors import ConfigError

Days = Literal["either", "both"]
DAYS: tuple[Days, ...] = ("either", "both")

LONGEST = 1_000
"""Characters of an expression: a list of all the minutes has 170."""

_SHOWN = 80
_SHORT_FIELDS = 5
_LONG_FIELDS = 6
_LEAP_YEAR = 2024

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NICKNAMES: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()

    @property
    def values(self) -> str:
        numbers = f"numbers from {self.least} to {self.most}"
        return f"{numbers} or names from {self.words[0]} to {self.words[-1]}" if self.words else numbers


_SECOND = _Field("second", 0, 59)
_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY = _Field("day of month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("weekday", 0, 7, _WEEKDAYS)
_FIELDS = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)
_DAY_FIELDS = (_DAY, _WEEKDAY)
_SUNDAY = 7


class CronExpression(msgspec.Struct, frozen=True):
    """What the wall clock must show: a time of day that is in all three of its sets, on a day that fits.

    `weekdays` counts from Sunday, 0. `either`: a day fits if its number or its weekday does; else both must.
    `every` says that the hour or the minute began with `*`: such an expression means each real minute that shows a
    fitting time; any other means times, each of which comes once a day. See core/cron_ticks.py.
    """

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    every: bool

    def has_day(self, day: date) -> bool:
        """Whether it may tick on this day."""
        if day.month not in self.months:
            return False
        number, weekday = day.day in self.days, day.isoweekday() % _SUNDAY in self.weekdays
        return number or weekday if self.either else number and weekday


def parse_cron(text: object, days: Days = "either") -> CronExpression:
    """Read an expression.

    `days` says when a day fits where day of month and weekday are both restricted, which is, as in Vixie cron, where
    neither begins with `*`: "either" of them is enough as it is there, or "both" must fit as with Oban. Raises
    ConfigError for what is none, and for one that no day ever fits.
    """
    words = _words(text)
    fields = words if len(words) == _LONG_FIELDS else ["0", *words]
    shown = _shown(" ".join(words))
    sets = [_values(word, field, shown) for word, field in zip(fields, _FIELDS, strict=True)]
    second, minute, hour, day, month, weekday = (tuple(sorted(found)) for found in sets)
    free = [word[0] in "*?" for word in (fields[3], fields[5])]
    expression = CronExpression(
        text=" ".join(str(text).split()),
        seconds=second,
        minutes=minute,
        hours=hour,
        days=frozenset(day),
        months=frozenset(month),
        weekdays=frozenset(number % _SUNDAY for number in weekday),
        either=days == "either" and not any(free),
        every="*" in (fields[1][0], fields[2][0]),
    )
    if not expression.either and all(day[0] > _longest(number) for number in month):
        raise ConfigError(
            f"cron expression {shown}: expected a day of month that one of its months has, got {day[0]} in "
            f"{', '.join(_MONTHS[number - 1] for number in month)}: it would never come"
        )
    return expression


def _words(text: object) -> list[str]:
    """The fields of an expression, nicknames replaced."""
    if not isinstance(text, str):
        raise ConfigError(f'expected a cron expression to be text such as "0 9 * * MON-FRI", got {text!r:.80}')
    if len(text) > LONGEST:
        raise ConfigError(f"expected a cron expression of at most {LONGEST:,} characters, got {len(text):,}")
    words = text.split()
    if text.lstrip()[:1] == "@":
        return _nickname(" ".join(words)).split()
    if len(words) not in (_SHORT_FIELDS, _LONG_FIELDS):
        raise ConfigError(
            f"expected a cron expression of 5 fields (minute, hour, day of month, month, weekday), or of 6 with the "
            f"second first, got {len(words)} in {_shown(' '.join(words))}"
        )
    return words


def _nickname(word: str) -> str:
    found = _NICKNAMES.get(word.lower())
    if found is not None:
        return found
    if word.lower() == "@reboot":
        raise ConfigError(
            'expected a cron expression that names times, got "@reboot": what a worker does when it starts belongs '
            "into the app's lifespan"
        )
    raise ConfigError(
        f"expected a cron expression of 5 or 6 fields or one of {', '.join(_NICKNAMES)}, got {_shown(word)}"
        f"{did_you_mean(word[:_SHOWN].lower(), _NICKNAMES)}"
    )


def _values(word: str, field: _Field, text: str) -> set[int]:
    """The numbers that a field of an expression allows."""
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step = part.partition("/")
        first, last = _span(span, field, text, open_end=bool(slash))
        found.update(range(first, last + 1, _step(step, field, text) if slash else 1))
    return found


def _span(span: str, field: _Field, text: str, *, open_end: bool) -> tuple[int, int]:
    """The first and the last number of one part; a single number with a step goes on to the field's end."""
    if span == "*" or (span == "?" and field in _DAY_FIELDS):
        # Sunday once: a step over seven days must not begin the week anew at its end.
        return field.least, field.most - (field is _WEEKDAY)
    start, dash, end = span.partition("-")
    first = _number(start, field, text)
    if not dash:
        return first, (field.most - (field is _WEEKDAY and first < _SUNDAY) if open_end else first)
    last = _number(end, field, text)
    if field is _WEEKDAY and not last and first:
        # FRI-SUN
        last = _SUNDAY
    if last < first:
        ends = f"{start}-{field.most},{field.least}-{end}"
        raise ConfigError(
            f"cron expression {text}: expected a range of {field.name} to go up, got {_shown(span)}; did you mean "
            f"{_shown(ends)}?"
        )
    return first, last


def _step(step: str, field: _Field, text: str) -> int:
    most = field.most - field.least + (field is not _WEEKDAY)
    number = _whole(step)
    if number is not None and 1 <= number <= most:
        return number
    near = most if number is not None and number > most else 1
    raise ConfigError(
        f"cron expression {text}: expected the step of {field.name} to be a number from 1 to {most}, got "
        f'{_shown(step)}; did you mean "{near}"?'
    )


def _number(word: str, field: _Field, text: str) -> int:
    number = _whole(word)
    if number is None and word.upper() in field.words:
        return field.words.index(word.upper()) + field.least
    if number is not None and field.least <= number <= field.most:
        return number
    raise ConfigError(
        f"cron expression {text}: expected {field.name} to be * or {field.values}, got {_shown(word)}"
        f"{_nearest(word, number, field)}"
    )


def _nearest(word: str, number: int | None, field: _Field) -> str:
    if number is None:
        return did_you_mean(word[:_SHOWN].upper(), field.words)
    # 24 o'clock and minute 60 are 0, said otherwise.
    wraps = not field.least and field is not _WEEKDAY and number == field.most + 1
    return f'; did you mean "{field.least if wraps or number < field.least else field.most}"?'


def _whole(word: str) -> int | None:
    """The number that a word is; None for one that is none, or longer than any that is allowed."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= _SHOWN else None


def _longest(month: int) -> int:
    """How many days a month has at the most."""
    following = date(_LEAP_YEAR + month // 12, month % 12 + 1, 1)
    return (following - date(_LEAP_YEAR, month, 1)).days


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'
