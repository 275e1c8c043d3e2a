"""Which ticks are due, which were missed, and what each policy makes of them, counted to the job."""

from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.cron_entry import CronEntry
from treadle.core.job import NewJob
from treadle.features.cron import LATE, MOST, due
from treadle.stores.ticks import CronRow

HOUR = 3_600.0
NOON = 1_795_348_800


def row(expr: str, last_tick: int, **given: str) -> CronRow:
    job = NewJob(name="report", queue="default", args=b"{}", max_attempts=3)
    entry = msgspec.convert({"name": "nightly", "expr": expr, "job": job, **given}, CronEntry, from_attributes=True)
    return CronRow(entry=entry, last_tick=last_tick)


def ticks(found: object) -> list[int]:
    return list(getattr(found, "ticks", ()))


@pytest.mark.parametrize(
    ("expr", "catch_up", "coming", "missed"),
    [
        # Down for an hour, until half a minute after noon: the tick of noon is late, the others were missed.
        ("* * * * *", "skip", 1, 59),
        ("* * * * *", "last", 1, 59),
        ("* * * * *", "all", 60, 0),
        # The only tick was half an hour ago.
        ("30 * * * *", "skip", 0, 1),
        ("30 * * * *", "last", 1, 0),
        ("30 * * * *", "all", 1, 0),
        ("0 9 * * *", "all", 0, 0),
    ],
)
def test_after_an_hour_without_workers(expr: str, catch_up: str, coming: int, missed: int) -> None:
    found = due(row(expr, int(NOON - HOUR), catch_up=catch_up), NOON + 30.0)
    assert (len(ticks(found)), found.missed if found else 0) == (coming, missed)
    if found is not None:
        assert len(found.firing.jobs) == coming
        assert found.firing.tick == (NOON if expr[0] == "*" else NOON - 1_800)
        assert due(row(expr, found.firing.tick, catch_up=catch_up), NOON + 30.0) is None


def test_a_job_tells_the_tick_that_it_is_for() -> None:
    found = due(row("30 * * * *", int(NOON - HOUR), catch_up="last"), NOON + 30.0)
    assert found is not None
    assert found.firing.jobs[0].meta["cron_at"] == "2026-11-22T11:30:00+00:00"


def test_catching_up_has_an_end() -> None:
    found = due(row("* * * * *", int(NOON - 30 * 86_400), catch_up="all"), NOON + 30.0)
    assert found is not None
    assert (len(found.ticks), found.missed) == (MOST + 1, 1)
    assert found.ticks[-1] == NOON


def test_ticks_of_seconds_all_come_while_they_are_late_by_less_than_a_minute() -> None:
    assert len(ticks(due(row("* * * * * *", NOON), NOON + 10.5))) == 10


def test_a_clock_that_goes_back_fires_nothing() -> None:
    assert due(row("* * * * *", NOON), NOON - 2.0) is None
    assert due(row("* * * * *", NOON), NOON - HOUR) is None


def test_a_last_tick_of_a_future_that_never_came_is_set_right() -> None:
    found = due(row("* * * * *", NOON + 10 * 365 * 86_400), NOON + 0.5)
    assert found is not None
    assert (found.firing.tick, found.firing.jobs) == (NOON, ())


def test_the_zone_of_an_entry_counts() -> None:
    morning = int(datetime.fromisoformat("2026-11-22T08:00:00+00:00").timestamp())
    assert ticks(due(row("0 9 * * *", morning - 60, tz="Europe/Paris"), morning + 1.0)) == [morning]
    assert due(row("0 9 * * *", morning - 60), morning + 1.0) is None


@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "30 */2 * * *", "*/20 * * * * *", "0 3 * * SUN"]),
    st.sampled_from(["skip", "last", "all"]),
    st.lists(st.floats(0.1, 4 * HOUR), min_size=1, max_size=12),
)
def test_however_often_it_is_looked_at_each_tick_comes_once_or_is_counted_as_missed(
    expr: str, catch_up: str, pauses: list[float]
) -> None:
    now, last, came, missed = float(NOON), NOON, list[int](), 0
    for pause in pauses:
        now += pause
        found = due(row(expr, last, catch_up=catch_up), now)
        if found is not None:
            last = found.firing.tick
            came += found.ticks
            missed += found.missed
            assert all(now - tick <= LATE for tick in found.ticks) or catch_up != "skip"
    assert came == sorted(set(came))
    assert all(NOON < tick <= now for tick in came)
    whole = due(row(expr, NOON, catch_up="all"), now)
    if len(ticks(whole)) < MOST:
        assert len(came) + missed == len(ticks(whole))
