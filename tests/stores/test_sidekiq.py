"""Sidekiq's payloads as values: what 6.4, 7.3 and 8.1 wrote is read, and changed only where a step changes it."""

import base64
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores.redis_desk import MALFORMED, foreign, new
from treadle.core.outcomes import Failure
from treadle.core.states import State
from treadle.stores import sidekiq, sidekiq_new
from treadle.stores.members import Spliced, members
from treadle.stores.sidekiq_view import instant, view

FAILURE = Failure("ValueError", "boom", "Traceback:\n  line 1\n  line 2\nValueError: boom")
GOLDEN = [
    json.loads(line)
    for path in sorted((Path(__file__).parent.parent / "golden").glob("sidekiq-*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]
JOBS = [
    pytest.param(entry["payload"].encode(), id=f"{entry['version']}-{number}")
    for number, entry in enumerate(GOLDEN)
    if entry["where"].startswith(("queue:", "schedule", "retry", "dead")) and entry["payload"] != "{not json"
]
each_golden_job = pytest.mark.parametrize("text", JOBS)


def joined(text: Spliced, time: bytes = b"1795349999.000001") -> dict[str, Any]:
    value: dict[str, Any] = json.loads(time.join(text.pieces))
    return value


def unchanged_but(before: bytes, after: bytes, *names: str) -> None:
    """Every member but these is there with the same bytes, in the same order."""
    old = [before[m.start : m.end] for m in members(before) if m.name not in names]
    assert old == [after[m.start : m.end] for m in members(after) if m.name not in names]


# Golden payloads


def test_there_are_golden_jobs_of_three_generations() -> None:
    assert {entry["version"] for entry in GOLDEN} == {"6.4.1", "7.3.10", "8.1.7"}
    assert len(JOBS) > 50


@each_golden_job
def test_a_golden_job_is_read(text: bytes) -> None:
    written = json.loads(text)
    job = sidekiq.read(text, "fetched")
    assert (job.id, job.name, job.queue) == (written["jid"], written["class"], "fetched")
    assert json.loads(job.args) == written["args"]
    assert job.origin == "sidekiq"
    assert job.attempt == written.get("retry_count", -1) + 2
    assert job.max_attempts == {"true": 26, "false": 1, "0": 1, "2": 3, "3": 4, "5": 6}[json.dumps(written["retry"])]


@each_golden_job
def test_a_golden_job_fails_with_only_its_failure_changed(text: bytes) -> None:
    after = b"1.5".join(sidekiq.failed(text, "default", FAILURE).pieces)
    backtrace = "backtrace" in json.loads(text)
    names = ["queue", "error_message", "error_class", "retry_count", "failed_at", "retried_at"]
    unchanged_but(text, after, *names, *(["error_backtrace"] if backtrace else []))


@each_golden_job
def test_a_golden_job_is_staged_with_only_its_time_changed(text: bytes) -> None:
    queue, _, changed = sidekiq.due(text)
    assert queue == json.loads(text)["queue"]
    unchanged_but(text, b"1.5".join(changed.pieces), "enqueued_at")
    assert joined(changed)["enqueued_at"] == 1795349999.000001


@each_golden_job
def test_a_golden_job_that_somebody_retries_has_only_its_time_and_count_changed(text: bytes) -> None:
    queue, _, changed = sidekiq.again(text)
    assert queue == json.loads(text)["queue"]
    unchanged_but(text, b"1.5".join(changed.pieces), "enqueued_at", "retry_count")
    counted = json.loads(text).get("retry_count")
    assert joined(changed).get("retry_count") == (None if counted is None else counted - 1)


@each_golden_job
def test_a_golden_job_that_waits_in_its_own_queue_is_not_touched(text: bytes) -> None:
    assert sidekiq.moved(text, json.loads(text)["queue"]).pieces == [text]


@each_golden_job
def test_a_golden_job_is_shown(text: bytes) -> None:
    written = json.loads(text)
    shown = view(text, State.RETRYABLE, score=1795334480.5)
    assert shown.args == written["args"]
    assert shown.inserted_at is not None
    assert shown.inserted_at.year == 2026
    assert bool(shown.errors) == ("error_class" in written)


# Reading


@pytest.mark.parametrize(
    ("retry", "attempts"),
    [("true", 26), ("false", 1), ("null", 1), ("0", 1), ("5", 6), ("-3", 1), ('"yes"', 26), ("2.5", 26)],
)
def test_retry_says_how_often_a_job_runs(retry: str, attempts: int) -> None:
    text = b'{"class":"A","args":[],"jid":"1","retry":%b}' % retry.encode()
    assert sidekiq.read(text, "q").max_attempts == attempts


def test_a_job_without_retry_runs_once() -> None:
    assert sidekiq.read(b'{"class":"A","args":[],"jid":"1"}', "q").max_attempts == 1


@pytest.mark.parametrize(("count", "attempt"), [("null", 1), ("0", 2), ("24", 26), ("-1", 1), ('"x"', 1), ("true", 1)])
def test_retry_count_is_failures_less_one(count: str, attempt: int) -> None:
    assert sidekiq.read(foreign(retry_count=json.loads(count)).encode(), "q").attempt == attempt


def test_arguments_that_verk_wrote_as_text_are_a_list() -> None:
    assert sidekiq.read(foreign(args=' [1, {"a": "b"}] ').encode(), "q").args == b'[1, {"a": "b"}]'


@pytest.mark.parametrize("where", ["args", "tags"])
def test_a_lone_surrogate_is_read_and_kept(where: str) -> None:
    text = b'{"class":"A","args":[1],"jid":"1","tags":[]}'.replace(
        b'"%b":[' % where.encode(), b'"%b":["\\ud800",' % where.encode()
    ).replace(b",]", b"]")
    job = sidekiq.read(text, "q")
    assert b"1]" in job.args
    assert (b"\\ud800" in job.args) == (where == "args")
    assert b"\\ud800" in b"".join(sidekiq.failed(text, "q", FAILURE).pieces)


@given(st.integers())
def test_integers_of_any_size_pass_through(number: int) -> None:
    assert sidekiq.read(foreign(args=[number]).encode(), "q").args == b"[%d]" % number


each_malformed = pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())


@each_malformed
def test_what_is_no_job_is_refused(text: bytes) -> None:
    with pytest.raises(sidekiq.Malformed):
        sidekiq.read(text, "q")
    with pytest.raises(sidekiq.Malformed):
        sidekiq.due(text)


@each_malformed
def test_what_is_no_job_is_kept_whole(text: bytes) -> None:
    changed = sidekiq.buried(text, "q")
    if changed.pieces != [text]:
        assert joined(changed)["args"] == [text.decode()]
        assert joined(changed)["class"] == "InvalidPayload"


@each_malformed
def test_what_is_no_job_is_shown(text: bytes) -> None:
    assert view(text, State.DISCARDED, score=1795334480.5).name == "InvalidPayload"


@given(st.binary())
def test_no_bytes_at_all_make_the_reader_fail_otherwise(text: bytes) -> None:
    with pytest.raises(sidekiq.Malformed):
        sidekiq.read(text, "q")


def test_arguments_nested_as_deep_as_may_be_are_read() -> None:
    deep = b"[" * 90 + b"]" * 90
    assert sidekiq.read(b'{"class":"A","jid":"1","args":' + deep + b"}", "q").args == deep


@pytest.mark.parametrize("queue", ["null", "7", '""', "[]"])
def test_a_due_job_without_a_queue_is_none(queue: str) -> None:
    with pytest.raises(sidekiq.Malformed):
        sidekiq.due(foreign(queue=json.loads(queue)).encode())


# Writing


def test_a_new_job_is_one_that_sidekiq_reads() -> None:
    head = sidekiq_new.head(new(7, queue="größe", name="My::Job", max_attempts=4), "ab" * 12)
    written: dict[str, Any] = json.loads(b"1795349999.000001".join([head, sidekiq_new.BETWEEN, sidekiq_new.TAIL]))
    assert written == {
        "retry": 3,
        "queue": "größe",
        "class": "My::Job",
        "args": [7],
        "jid": "ab" * 12,
        "created_at": 1795349999.000001,
        "enqueued_at": 1795349999.000001,
        "trd": {},
    }
    assert sidekiq.read(json.dumps(written).encode(), "größe").origin == "treadle"


def test_the_first_failure_has_its_time_and_counts_zero() -> None:
    after = joined(sidekiq.failed(foreign().encode(), "mail", FAILURE))
    assert (after["retry_count"], after["failed_at"], after["error_class"]) == (0, 1795349999.000001, "ValueError")
    assert "retried_at" not in after


def test_a_later_failure_keeps_the_time_of_the_first() -> None:
    after = joined(sidekiq.failed(foreign(retry_count=0, failed_at=1795334523349).encode(), "mail", FAILURE))
    assert (after["retry_count"], after["failed_at"], after["retried_at"]) == (1, 1795334523349, 1795349999.000001)


def test_a_failed_job_goes_to_its_retry_queue_or_where_it_was_fetched() -> None:
    assert joined(sidekiq.failed(foreign(queue="x").encode(), "fetched", FAILURE))["queue"] == "fetched"
    assert joined(sidekiq.failed(foreign(retry_queue="low").encode(), "fetched", FAILURE))["queue"] == "low"


@pytest.mark.parametrize(("wanted", "lines"), [(True, 4), (2, 2)])
def test_a_backtrace_is_written_where_it_is_asked_for(wanted: object, lines: int) -> None:
    after = joined(sidekiq.failed(foreign(backtrace=wanted).encode(), "mail", FAILURE))
    kept = json.loads(zlib.decompress(base64.b64decode(after["error_backtrace"])))
    assert kept == FAILURE.traceback.splitlines()[-lines:]


def test_no_tag_begins_in_a_backtrace() -> None:
    evil = Failure("ValueError", "<b>", "in <module>\nValueError: <b>")
    packed = joined(sidekiq.failed(foreign(backtrace=True).encode(), "mail", evil))["error_backtrace"]
    assert json.loads(zlib.decompress(base64.b64decode(packed))) == [
        "in \u2039module\u203a",
        "ValueError: \u2039b\u203a",
    ]


@pytest.mark.parametrize(
    ("members_given", "kept"),
    [({}, True), ({"dead": False}, False), ({"retry": False}, False), ({"retry": None}, False), ({"retry": 0}, True)],
)
def test_a_dead_job_is_kept_by_sidekiqs_rules(members_given: dict[str, Any], *, kept: bool) -> None:
    assert sidekiq.kept_when_dead(foreign(**members_given).encode()) is kept


def test_a_snoozed_job_says_which_queue_it_was_fetched_from() -> None:
    assert joined(sidekiq.moved(foreign(queue="x").encode(), "fetched"))["queue"] == "fetched"


def test_a_suspect_that_waits_for_its_time_keeps_its_deaths_until_it_is_staged() -> None:
    text = foreign().encode()
    waiting = b"".join(sidekiq.moved(text, "mail", 2).pieces)
    assert json.loads(waiting)["trd_deaths"] == 2
    staged = sidekiq.due(waiting)
    assert staged.deaths == 2
    assert b"".join(staged.text.pieces[:1]).startswith(text.partition(b',"enqueued_at"')[0])
    assert b"trd_deaths" not in b"".join(staged.text.pieces)
    # A foreign scheduler would leave it there; the next step of the job takes it away.
    assert b"trd_deaths" not in b"".join(sidekiq.moved(waiting, "mail").pieces)
    assert b"trd_deaths" not in b"".join(sidekiq.failed(waiting, "mail", Failure("ValueError", "no")).pieces)
    assert sidekiq.again(waiting).deaths is None


def test_a_job_that_somebody_retries_has_one_attempt_more() -> None:
    queue, _, changed = sidekiq.again(foreign(retry_count=3, at=5.5).encode())
    assert queue == "mail"
    assert joined(changed)["retry_count"] == 2
    assert "at" not in joined(changed)


# Times


@pytest.mark.parametrize(
    "value",
    [1795334455.5, 1795334455500, "1795334455.5", "1795334455500", "2026-11-22T08:00:55.5Z", "2026-11-22T08:00:55.500"],
)
def test_a_time_is_read_in_every_unit_that_was_ever_written(value: object) -> None:
    assert instant(value) == datetime(2026, 11, 22, 8, 0, 55, 500_000, UTC)


@pytest.mark.parametrize("value", [None, True, "soon", float("nan"), float("inf"), 1e30, -1e30, [], {}, 10**400])
def test_what_is_no_time_is_none(value: object) -> None:
    assert instant(value) is None


# How long it is retried


@pytest.mark.parametrize(
    ("failed_at", "now", "last"),
    [
        (None, 5_000.0, False),
        (1_000.0, 1_060.0, False),
        (1_000.0, 1_060.5, True),
        (1_500_000_000_000, 1.5e9 + 61, True),
    ],
)
def test_an_attempt_that_begins_after_retry_for_is_the_last(failed_at: float | None, now: float, *, last: bool) -> None:
    count = {} if failed_at is None else {"failed_at": failed_at, "retry_count": 1}
    job = sidekiq.read(foreign(1, retry=True, retry_for=60, **count).encode(), "default", now=now)
    assert (job.attempt >= job.max_attempts) is last


@pytest.mark.parametrize("strange", ["60", True, None, [60], {"s": 60}])
def test_a_retry_for_that_is_no_number_limits_nothing(strange: Any) -> None:  # noqa: ANN401 - any JSON
    text = foreign(1, retry=True, retry_for=strange, failed_at=1.5, retry_count=1).encode()
    assert sidekiq.read(text, "default", now=5e9).max_attempts == 26


def test_retry_counts_beside_retry_for() -> None:
    again = foreign(1, retry=3, retry_for=60, failed_at=1.5, retry_count=2).encode()
    assert sidekiq.read(again, "default", now=2.0).attempt == 4
    assert sidekiq.read(foreign(1, retry=3, retry_for=60).encode(), "default", now=2.0).max_attempts == 4
