"""Cron expressions as people write them: what is read, what is refused and what they are told."""

from datetime import date
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.cron import CronExpression, parse_cron
from treadle.errors import ConfigError


def times(expression: CronExpression) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    return expression.seconds, expression.minutes, expression.hours


@pytest.mark.parametrize(
    ("text", "seconds", "minutes", "hours"),
    [
        ("0 9 * * *", (0,), (0,), (9,)),
        ("30 0 9 * * *", (30,), (0,), (9,)),
        ("*/20 5 0 * * *", (0, 20, 40), (5,), (0,)),
        ("10-40/10,59 9 * * *", (0,), (10, 20, 30, 40, 59), (9,)),
        ("40/5 22/1 * * *", (0,), (40, 45, 50, 55), (22, 23)),
        ("5,5,1-2 1-3 * * *", (0,), (1, 2, 5), (1, 2, 3)),
        ("  007\t9\n* * * ", (0,), (7,), (9,)),
    ],
)
def test_times_of_the_day(
    text: str, seconds: tuple[int, ...], minutes: tuple[int, ...], hours: tuple[int, ...]
) -> None:
    assert times(parse_cron(text)) == (seconds, minutes, hours)


@pytest.mark.parametrize(
    ("field", "weekdays"),
    [
        ("0", {0}),
        ("7", {0}),
        ("sun", {0}),
        ("MON-FRI", {1, 2, 3, 4, 5}),
        ("5-7", {5, 6, 0}),
        ("Fri-Sun", {5, 6, 0}),
        ("6-0", {6, 0}),
        ("0-7", {0, 1, 2, 3, 4, 5, 6}),
        ("*/2", {0, 2, 4, 6}),
        ("1/2", {1, 3, 5}),
        ("SUN-SAT/3", {0, 3, 6}),
        ("?", {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_weekdays_in_every_spelling(field: str, weekdays: set[int]) -> None:
    assert parse_cron(f"0 0 ? * {field}").weekdays == weekdays


def test_months_have_names_too() -> None:
    assert parse_cron("0 0 1 jan,MAR-May,12 *").months == {1, 3, 4, 5, 12}


@pytest.mark.parametrize(
    ("nickname", "meant"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * SUN"),
        (" @Daily ", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@HOURLY", "0 * * * *"),
    ],
)
def test_nicknames_are_short_for_what_they_are_in_every_cron(nickname: str, meant: str) -> None:
    found, written = parse_cron(nickname), parse_cron(meant)
    assert (times(found), found.days, found.months, found.weekdays) == (
        times(written),
        written.days,
        written.months,
        written.weekdays,
    )
    assert found.text == nickname.strip()


def test_days_as_in_vixie_cron_and_as_with_oban() -> None:
    friday_13, friday, thirteenth = date(2026, 11, 13), date(2026, 11, 20), date(2026, 12, 13)

    def fits(text: str, days: str = "either") -> list[bool]:
        expression = parse_cron(text, "both" if days == "both" else "either")
        return [expression.has_day(day) for day in (friday_13, friday, thirteenth)]

    assert fits("0 0 13 * FRI") == [True, True, True]
    assert fits("0 0 13 * FRI", "both") == [True, False, False]
    assert fits("0 0 * * FRI") == fits("0 0 ? * FRI", "both") == [True, True, False]
    assert fits("0 0 13 * *") == fits("0 0 13 * ?") == [True, False, True]
    assert fits("0 0 */4 * FRI") == [True, False, False]


NO_FIELDS = (
    "expected a cron expression of 5 fields (minute, hour, day of month, month, weekday), or of 6 with the second"
)
NO_WORD = (
    "expected a cron expression of 5 or 6 fields or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight"
)
NO_DAY = "expected a day of month that one of its months has, got"
WEEKDAYS = "expected weekday to be * or numbers from 0 to 7 or names from SUN to SAT"
MONTHS = "expected month to be * or numbers from 1 to 12 or names from JAN to DEC"
MINUTES = "expected minute to be * or numbers from 0 to 59"
HOURS = "expected hour to be * or numbers from 0 to 23"
DAYS = "expected day of month to be * or numbers from 1 to 31"
STEPS = "expected the step of minute to be a number from 1 to 60"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("61 9 * * *", f'{MINUTES}, got "61"; did you mean "59"?'),
        ("0 24 * * *", f'{HOURS}, got "24"; did you mean "0"?'),
        ("0 0 0 * *", f'{DAYS}, got "0"; did you mean "1"?'),
        ("0 0 * * MONDAY", f'{WEEKDAYS}, got "MONDAY"; did you mean "MON"?'),
        ("0 0 * * 8", f'{WEEKDAYS}, got "8"; did you mean "7"?'),
        ("0 0 1 JUNE *", f'{MONTHS}, got "JUNE"; did you mean "JUN"?'),
        ("0 0 L * *", f'{DAYS}, got "L"'),
        ("0 ? * * *", f'{HOURS}, got "?"'),
        ("0 0 1 FEB-JAN *", 'expected a range of month to go up, got "FEB-JAN"; did you mean "FEB-12,1-JAN"?'),
        ("0 22-6 * * *", 'expected a range of hour to go up, got "22-6"; did you mean "22-23,0-6"?'),
        ("*/90 * * * *", f'{STEPS}, got "90"; did you mean "60"?'),
        ("*/0 * * * *", f'{STEPS}, got "0"; did you mean "1"?'),
        ("*-5 * * * *", f'{MINUTES}, got "*"'),
        ("1,,2 * * * *", f'{MINUTES}, got ""'),
        ("-5 * * * *", f'{MINUTES}, got ""'),
        ("\uff11 * * * *", f'{MINUTES}, got "\uff11"'),
        ("0 0 30 2 *", f"{NO_DAY} 30 in FEB: it would never come"),
        ("0 0 31 2,4,JUN *", f"{NO_DAY} 31 in FEB, APR, JUN: it would never come"),
    ],
)
def test_a_field_that_cannot_be_is_told_what_was_expected(text: str, told: str) -> None:
    assert refusal(text) == f'cron expression "{text}": {told}'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0 9 * *", f'{NO_FIELDS} first, got 4 in "0 9 * *"'),
        ("", f'{NO_FIELDS} first, got 0 in ""'),
        (9, 'expected a cron expression to be text such as "0 9 * * MON-FRI", got 9'),
        ("@dayly", f'{NO_WORD}, @hourly, got "@dayly"; did you mean "@daily"?'),
        ("@reboot", 'expected a cron expression that names times, got "@reboot"'),
    ],
)
def test_what_is_no_expression_is_told_what_one_is(text: object, told: str) -> None:
    assert refusal(text).partition(": what a worker")[0] == told


def refusal(text: object) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_cron(text)
    return str(refused.value)


def test_days_that_never_come_are_refused_only_where_no_other_does() -> None:
    assert parse_cron("0 0 29 2 *").days == {29}
    assert parse_cron("0 0 30 2 MON").either
    with pytest.raises(ConfigError, match="never come"):
        parse_cron("0 0 30 2 MON", "both")
    with pytest.raises(ConfigError, match="never come"):
        parse_cron("0 0 30 2 */2")


@pytest.mark.parametrize(
    "text",
    [
        "9" * 100_000,
        "1," * 50_000,
        "* " * 50_000,
        "-" * 100_000,
        "@" + "d" * 100_000,
        "\n" * 100_000,
        "1/" * 50_000 + " * * * *",
        "\uff19" * 100_000,
    ],
    ids=lambda text: f"{text[:3]!r}",
)
def test_a_hundred_kilobytes_are_refused_at_once(text: str) -> None:
    began = process_time()
    told = refusal(text)
    assert process_time() - began < 0.05
    assert len(told) < 300


@given(st.text(alphabet="0123456789*/,-? @AFNORSUdhilmouy\t", max_size=40) | st.text(max_size=40))
def test_any_text_is_an_expression_or_a_config_error_of_one_line(text: str) -> None:
    told = ""
    try:
        parse_cron(text)
    except ConfigError as error:
        told = str(error)
    assert "\n" not in told
