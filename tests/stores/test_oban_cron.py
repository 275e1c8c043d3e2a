"""Cron expressions in the words of Elixir's Oban: what is said as it is, what in other words, and what not at all."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from treadle.core.cron import DAYS, Days, parse_cron
from treadle.errors import ConfigError
from treadle.stores.oban_cron import elixir_expression

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def elixir_reads(text: str) -> list[set[int]]:
    """The five sets of what oban's expression.ex 2.23 makes of a text. Raises ValueError where it raises."""
    text = {
        "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
        "@monthly": "0 0 1 * *",
        "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *",
        "@hourly": "0 * * * *",
    }.get(text, text)
    fields = text.split(maxsplit=4)
    if len(fields) != 5:
        raise ValueError(text)
    for at, names, first in ((3, MONTHS, 1), (4, WEEKDAYS, 0)):
        for number, name in enumerate(names, first):
            fields[at] = fields[at].replace(name, str(number))
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    return [elixir_field(field, *bound) for field, bound in zip(fields, bounds, strict=True)]


def elixir_field(field: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in re.split(r"\s*,\s*", field):
        span = re.fullmatch(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/([1-9]\d?))?", part)
        if span is None:
            raise ValueError(field)
        star, start, end, step = span.groups()
        first = least if star else int(start)
        last = int(end) if end else most if star or step else first
        if last < first:
            raise ValueError(field)
        found.update(range(first, last + 1, int(step or 1)))
    if not found <= set(range(least, most + 1)):
        raise ValueError(field)
    return found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 9 * * MON-FRI", "0 9 * * MON-FRI"),
        ("*/5 1-3,7 1 jan-mar *", "*/5 1-3,7 1 JAN-MAR *"),
        ("0 9 * * 7", "0 9 * * 0"),
        ("0 9 * * 5-7", "0 9 * * 0,5,6"),
        ("0 9 * * FRI-SUN", "0 9 * * 0,5,6"),
        ("0 9 * * SUN-TUE", "0 9 * * SUN-TUE"),
        ("0 9 ? * 1", "0 9 * * 1"),
        ("0 0 9 * * *", "0 9 * * *"),
        ("@Daily", "@daily"),
        ("30 0 9 * * *", None),
        ("*/10 * * * * *", None),
        ("0 9 1 * MON", None),
        ("no expression", None),
    ],
)
def test_expressions_by_example(text: str, said: str | None) -> None:
    assert elixir_expression(text, "either") == said


def test_days_that_both_must_fit_are_said() -> None:
    assert elixir_expression("0 9 1-7 * MON", "both") == "0 9 1-7 * MON"


def parts(least: int, most: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    number = st.integers(least, most).map(str) | st.sampled_from([*names, str(least)])
    step = st.integers(1, most - least).map(lambda value: f"/{value}")
    part = st.one_of(
        st.just("*"),
        st.builds("*{}".format, step),
        number,
        st.builds("{}{}".format, number, step),
        st.builds("{}-{}".format, number, number),
        st.builds("{}-{}{}".format, number, number, step),
    )
    return st.lists(part, min_size=1, max_size=3).map(",".join)


expressions = st.tuples(
    parts(0, 59), parts(0, 23), parts(1, 31) | st.just("*"), parts(1, 12, MONTHS), parts(0, 7, WEEKDAYS) | st.just("*")
).map(" ".join)


@given(expressions, st.sampled_from(DAYS))
def test_whatever_is_said_is_read_there_and_means_the_same(text: str, days: Days) -> None:
    try:
        meant = parse_cron(text, days)
    except ConfigError:
        assume(False)
    said = elixir_expression(text, days)
    if said is None:
        assert meant.either
        return
    minutes, hours, numbers, months, weekdays = elixir_reads(said)
    assert (sorted(minutes), sorted(hours)) == (list(meant.minutes), list(meant.hours))
    day = datetime(2024, 1, 1, tzinfo=UTC)
    for date in ((day + timedelta(days=ahead)).date() for ahead in range(366)):
        fits = date.day in numbers and date.month in months and date.isoweekday() % 7 in weekdays
        assert fits == meant.has_day(date)
