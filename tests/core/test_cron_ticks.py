"""Ticks across every change of the clocks: the golden table, brute force, and what must hold of any expression."""

import json
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.walker import walk
from treadle.core.cron import Days, parse_cron
from treadle.core.cron_ticks import CronTicks

GOLDEN = Path(__file__).parent.parent / "golden" / "cron-2026.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in GOLDEN.read_text().splitlines()]

# Gaps and folds at midnight, of half an hour and of two, over a whole day, and none at all.
ZONES = (
    *("UTC", "Europe/Paris", "Europe/Dublin", "America/Havana", "America/Santiago", "America/St_Johns", "Africa/Cairo"),
    *("Africa/Casablanca", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Antarctica/Troll"),
)
HISTORY = {
    "Pacific/Apia": "2011-12-30 12:00",
    "Pacific/Kwajalein": "1993-08-21 12:00",
    "Asia/Pyongyang": "2018-05-05 12:00",
    "America/Caracas": "2016-05-01 12:00",
    "Europe/Volgograd": "2020-12-27 12:00",
}


def ticks(expression: str, zone: str, days: Days = "either") -> CronTicks:
    return CronTicks(parse_cron(expression, days), ZoneInfo(zone))


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def shown(instants: list[int], zone: str) -> list[str]:
    return [datetime.fromtimestamp(instant, ZoneInfo(zone)).isoformat(timespec="minutes") for instant in instants]


def following(expression: str, zone: str, after: str, count: int, days: Days = "either") -> list[str]:
    """The ticks that come after what the wall shows, as the wall shows them."""
    return shown(list(islice(ticks(expression, zone, days).between(at(after, zone), 1e11), count)), zone)


# The golden table


def test_the_table_has_more_than_two_hundred_cases_and_both_ways_to_read_a_clock_that_changes() -> None:
    assert len(CASES) > 200
    assert len({case["zone"] for case in CASES}) > 40


@pytest.mark.parametrize("first", range(0, len(CASES), 25))
def test_every_case_of_the_table_is_what_we_say_and_what_brute_force_finds(first: int) -> None:
    for case in CASES[first : first + 25]:
        zone, begin, end = ZoneInfo(case["zone"]), at(case["after"][:16]), at(case["until"][:16])
        found = list(ticks(case["expr"], case["zone"]).between(begin, end))
        assert shown(found, case["zone"]) == case["ticks"], case
        if end - begin < 4 * 86_400:
            assert found == list(walk(case["expr"], zone, begin, end)), case


# The rules, as people state them


def test_a_time_in_the_gap_comes_at_the_first_instant_after_it() -> None:
    assert following("30 2 * * *", "Europe/Paris", "2026-03-28 12:00", 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
    ]
    # Half an hour at Lord Howe, at midnight in Havana, and a whole day that Samoa never had.
    assert following("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", 1) == ["2026-10-04T02:30+11:00"]
    assert following("0 0 * * *", "America/Havana", "2026-03-07 12:00", 1) == ["2026-03-08T01:00-04:00"]
    assert following("0 9 30 12 *", "Pacific/Apia", "2011-12-29 12:00", 1) == ["2011-12-31T00:00+14:00"]


def test_several_times_in_one_gap_come_there_once() -> None:
    assert following("0,20,40 2,3 * * *", "Europe/Paris", "2026-03-29 01:00", 3) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T03:20+02:00",
        "2026-03-29T03:40+02:00",
    ]


def test_a_repeated_time_comes_once_the_first_time() -> None:
    assert following("30 2 * * *", "Europe/Paris", "2026-10-24 12:00", 2) == [
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]
    assert following("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", 2) == [
        "2026-04-05T01:45+11:00",
        "2026-04-06T01:45+10:30",
    ]


def test_an_expression_of_every_hour_or_minute_ticks_in_each_real_one() -> None:
    assert following("30 * * * *", "Europe/Paris", "2026-10-25 01:00", 4) == [
        "2026-10-25T01:30+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:30+01:00",
        "2026-10-25T03:30+01:00",
    ]
    assert following("30 * * * *", "Europe/Paris", "2026-03-29 01:00", 2) == [
        "2026-03-29T01:30+01:00",
        "2026-03-29T03:30+02:00",
    ]
    assert following("*/30 2 * * *", "Europe/Paris", "2026-03-28 12:00", 1) == ["2026-03-30T02:00+02:00"]


def test_seconds_tick_within_their_minutes() -> None:
    found = list(islice(ticks("*/20 30 9 * * *", "UTC").between(at("2026-05-01 09:30:20"), 1e11), 3))
    assert [instant - at("2026-05-01 09:30:00") for instant in found] == [40, 86_400, 86_420]


def test_days_are_those_of_either_field_or_of_both() -> None:
    assert following("0 9 13 * FRI", "UTC", "2026-11-01 00:00", 3) == [
        "2026-11-06T09:00+00:00",
        "2026-11-13T09:00+00:00",
        "2026-11-20T09:00+00:00",
    ]
    assert following("0 9 13 * FRI", "UTC", "2026-03-14 00:00", 2, "both") == [
        "2026-11-13T09:00+00:00",
        "2027-08-13T09:00+00:00",
    ]
    # As in Vixie cron a field that begins with * restricts nothing by itself, also where it has a step.
    assert following("0 9 */2 * MON", "UTC", "2026-11-01 00:00", 3) == [
        "2026-11-09T09:00+00:00",
        "2026-11-23T09:00+00:00",
        "2026-12-07T09:00+00:00",
    ]


def test_what_comes_seldom_is_found_however_far_away_it_is() -> None:
    assert following("0 0 29 2 MON", "UTC", "2026-01-01 00:00", 1, "both") == ["2044-02-29T00:00+00:00"]
    assert following("* * 29 2 *", "Europe/Paris", "2096-03-01 00:00", 1) == ["2104-02-29T00:00+01:00"]
    assert ticks("0 0 1 1 *", "UTC").next_after(at("9999-06-01 00:00")) is None
    assert ticks("* * 1 1 *", "UTC").next_after(at("9999-06-01 00:00")) is None


def test_the_latest_ticks_are_found_without_those_before_them() -> None:
    minutely, now = ticks("* * * * *", "UTC"), at("2026-11-28 12:00:30")
    assert minutely.latest(0, now, 3) == [now - 150, now - 90, now - 30]
    assert minutely.latest(now - 60, now, 3) == [now - 30]
    assert minutely.latest(now - 20, now, 3) == []
    assert ticks("0 0 1 1 *", "UTC").latest(0, now, 2) == [at("2025-01-01 00:00"), at("2026-01-01 00:00")]


# What must hold of any


def fields() -> st.SearchStrategy[str]:
    def field(least: int, most: int, *, steps: bool) -> st.SearchStrategy[str]:
        number = st.integers(least, most)
        spans = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
        lists = st.lists(st.one_of(number.map(str), spans), min_size=1, max_size=3).map(",".join)
        stepped = [st.sampled_from(["*/7", "*/15", "3-20/4"])] if steps else []
        return st.one_of(st.just("*"), lists, *stepped)

    times = field(0, 59, steps=True), field(0, 23, steps=True)
    # Few expressions may be so rare that a window of two days has none of their ticks.
    dates = (
        st.one_of(st.just("*"), field(1, 28, steps=False)),
        st.just("*"),
        st.one_of(st.just("*"), field(0, 6, steps=False)),
    )
    return st.tuples(*times, *dates).map(" ".join)


def about(changes: list[int]) -> st.SearchStrategy[int]:
    """Full minutes within a day and a half of these instants."""
    minutes = st.integers(-2_160, 2_160)
    return st.tuples(st.sampled_from(changes), minutes).map(lambda pair: pair[0] + pair[1] * 60)


def instants() -> st.SearchStrategy[tuple[str, int]]:
    """A zone, and a full minute that is often within a day of a change of its clocks."""
    year = st.integers(at("2026-01-01 00:00") // 60, at("2027-01-01 00:00") // 60).map(lambda minute: minute * 60)
    changes = [at(case["until"][:16]) - 20 * 3_600 for case in CASES if case["zone"] in ZONES]
    jumps = [st.tuples(st.just(zone), about([at(day)])) for zone, day in HISTORY.items()]
    return st.one_of(st.tuples(st.sampled_from(ZONES), about(changes) | year), *jumps)


@settings(max_examples=150, deadline=None)
@given(fields(), instants())
def test_ticks_are_those_that_brute_force_finds(expression: str, place: tuple[str, int]) -> None:
    zone, begin = place
    end = begin + 86_400
    assert list(ticks(expression, zone).between(begin, end)) == list(walk(expression, ZoneInfo(zone), begin, end))


@settings(deadline=None)
@given(fields(), instants(), st.floats(0, 59.9))
def test_ticks_rise_and_the_next_one_is_the_same_from_every_instant_before_it(
    expression: str, place: tuple[str, int], part: float
) -> None:
    zone, begin = place
    found = list(islice(ticks(expression, zone).between(begin + part, 1e11), 5))
    assert all(first < second for first, second in pairwise(found))
    between = (begin + found[0]) / 2
    if begin + part < between:
        assert ticks(expression, zone).next_after(between) == found[0]
    assert ticks(expression, zone).latest(begin + part, found[-1], 5) == found
    assert ticks(expression, zone).latest(begin + part, found[-1], 2) == found[-2:]
