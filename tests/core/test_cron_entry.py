"""An entry of the crontab as stores keep it, and the jobs that come of it."""

from datetime import UTC, datetime

import msgspec
import pytest

from treadle.core.cron_entry import CronEntry, read, written
from treadle.core.job import Job, NewJob

REPORT = NewJob(
    name="report", queue="slow", args=b'{"big": 9007199254740993, "n": 1.50}', max_attempts=3, meta={"by": "ops"}
)
ENTRY = CronEntry(name="nightly", expr="0 3 * * *", job=REPORT, tz="Europe/Paris", days="both", catch_up="all")
TICK = 1_795_348_800


def test_what_is_read_is_what_was_written_with_its_arguments_byte_for_byte() -> None:
    assert read("nightly", written(ENTRY)) == ENTRY
    assert b'"args":{"big": 9007199254740993, "n": 1.50}' in written(ENTRY)


def test_members_of_a_newer_treadle_are_passed_over() -> None:
    told = msgspec.json.decode(written(ENTRY))
    told["job"]["colour"] = told["mood"] = "new"
    assert read("nightly", msgspec.json.encode(told)).job.queue == "slow"


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b'{"expr": "0 3 * * *"}', b"\xff", written(ENTRY)[:-9]])
def test_what_is_no_entry_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="expected an entry of the crontab"):
        read("nightly", text)


def test_a_job_knows_its_tick_in_the_words_of_oban() -> None:
    job = ENTRY.job_at(TICK)
    assert job.meta == {
        "by": "ops",
        "cron": True,
        "cron_expr": "0 3 * * *",
        "cron_name": "nightly",
        "cron_tz": "Europe/Paris",
        "cron_at": "2026-11-22T12:00:00+00:00",
    }
    assert "cron_at" not in ENTRY.job_at(None).meta


@pytest.mark.parametrize(
    ("at", "tick"),
    [
        ("2026-11-22T12:00:00+00:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T13:00:00+01:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T12:00:00", None),
        ("noon", None),
        (12, None),
    ],
)
def test_a_running_job_tells_its_tick_and_never_stumbles_over_meta_of_others(at: object, tick: datetime | None) -> None:
    assert Job("1", "report", "slow", b"{}", 1, 3, meta={"cron_at": at}).tick == tick
    assert Job("1", "report", "slow", b"{}", 1, 3).tick is None
