"""Cron expressions as Elixir's Oban reads them: five fields, Sunday 0, names in capitals, ranges that go up. Pure."""

import re
from collections.abc import Collection
from typing import Final

from treadle.core.cron import Days, parse_cron
from treadle.errors import ConfigError

_NICKNAMES: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_FIELDS = 5


def _parts(number: str) -> re.Pattern[str]:
    # oban lib/oban/cron/expression.ex, parse_part: steps have two digits at the most.
    part = rf"(\*(/[1-9]\d?)?|({number})(-({number}))?(/[1-9]\d?)?)"
    return re.compile(rf"{part}(,{part})*", re.ASCII)


_NUMBERS = _parts(r"\d+")
_MONTHS = _parts(r"\d+|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC")
# No range ends with Sunday, which is the first day there.
_WEEKDAYS = _parts(r"0*[1-6]|MON|TUE|WED|THU|FRI|SAT|(?<!-)(0+|SUN)")


def elixir_expression(text: str, days: Days) -> str | None:
    """An expression that Elixir's Oban reads and that ticks at the same times; None where there is none.

    It has no seconds, and takes a day to fit only where both its number and its weekday do.
    """
    try:
        parsed = parse_cron(text, days)
    except ConfigError:
        return None
    if parsed.seconds != (0,) or parsed.either:
        return None
    words = text.upper().split()
    if words[0].lower() in _NICKNAMES:
        return words[0].lower()
    minute, hour, day, month, weekday = words[-_FIELDS:]
    return " ".join(
        (
            _field(minute, _NUMBERS, parsed.minutes),
            _field(hour, _NUMBERS, parsed.hours),
            _field(day, _NUMBERS, parsed.days),
            _field(month, _MONTHS, parsed.months),
            _field(weekday, _WEEKDAYS, parsed.weekdays),
        )
    )


def _field(word: str, read: re.Pattern[str], values: Collection[int]) -> str:
    """The field as it was written, if it is read as it stands; else the numbers that it stands for."""
    if word == "?":
        return "*"
    return word if read.fullmatch(word) else ",".join(map(str, sorted(values)))
