"""Oban's table as values: what Elixir and others wrote there is read, what we write there they can read."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.outcomes import (
    Cancelled,
    Completed,
    Discarded,
    Failure,
    Outcome,
    Released,
    Retried,
    SetAside,
    Snoozed,
)
from treadle.core.states import MOVES, State
from treadle.stores.oban import (
    attempted_by,
    error_object,
    errors_of,
    failure_text,
    instant,
    last_error,
    poison,
    stamp,
    state_after,
    state_of,
    view_of,
)

seconds = st.floats(min_value=0, max_value=2e11, allow_nan=False)


def test_a_stamp_has_six_digits_even_on_the_second() -> None:
    assert stamp(1_795_335_771.292048) == "2026-11-22T08:22:51.292048Z"
    assert stamp(1_795_335_771) == "2026-11-22T08:22:51.000000Z"


@given(seconds, seconds)
def test_stamps_sort_as_their_instants(one: float, other: float) -> None:
    exact = [datetime.fromtimestamp(value, UTC) for value in (one, other)]
    assert (stamp(one) < stamp(other)) == (exact[0] < exact[1])


@given(seconds)
def test_a_stamp_is_read_as_what_was_written(value: float) -> None:
    assert instant(stamp(value)) == datetime.fromtimestamp(value, UTC)


@pytest.mark.parametrize("value", [1e12, 1e300, float("inf"), float("nan")])
def test_what_lies_beyond_the_calendar_is_its_end(value: float) -> None:
    assert stamp(value) == "9999-12-31T23:59:59.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T08:00:00Z",
        "2026-11-22T08:00:00.000Z",
        "2026-11-22T08:00:00.000000Z",
        "2026-11-22 08:00:00",
        "2026-11-22T08:00:00+00:00",
        "2026-11-22T10:00:00+02:00",
    ],
)
def test_every_form_of_an_instant_is_read(text: str) -> None:
    assert instant(text) == datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "", "soon", 7, "2026-13-01T00:00:00Z", b"2026-11-22T08:00:00Z"])
def test_what_is_no_instant_is_none(text: object) -> None:
    assert instant(text) is None


def test_the_triple_names_owner_producer_and_claim() -> None:
    owner, producer, claim = json.loads(attempted_by("web-1:7:abc", "mail", "0123456789ab"))
    assert (owner, claim) == ("web-1:7:abc", "0123456789ab")
    assert uuid.UUID(producer).version == 5
    assert producer == json.loads(attempted_by("web-1:7:abc", "mail", "another"))[1]
    assert producer != json.loads(attempted_by("web-1:7:abc", "other", "0123456789ab"))[1]


@given(st.text(max_size=200), st.integers(min_value=0, max_value=2**31))
def test_an_error_has_exactly_the_keys_that_elixir_reads(text: str, attempt: int) -> None:
    written = error_object("2026-11-22T08:07:38.898118Z", attempt, text)
    assert json.loads(written) == {"at": "2026-11-22T08:07:38.898118Z", "attempt": attempt, "error": text}
    (read,) = errors_of(f"[{written}]".encode())
    assert (read.error, read.attempt) == (text, attempt)


def test_a_text_that_utf8_cannot_carry_is_written_all_the_same() -> None:
    assert json.loads(error_object("x", 1, "lone \ud800 and \x00"))["error"] == "lone ? and \x00"


def test_errors_are_read_as_objects_and_as_texts_that_hold_one() -> None:
    error = {"at": "2026-11-22T08:07:38.898118Z", "attempt": 1, "error": "** (RuntimeError) boom"}
    both = json.dumps([error, json.dumps(error), "plain", 7]).encode()
    first, second, third, fourth = errors_of(both)
    assert first == second
    assert (first.error, first.attempt) == ("** (RuntimeError) boom", 1)
    assert first.at == datetime(2026, 11, 22, 8, 7, 38, 898118, tzinfo=UTC)
    assert (third.error, fourth.error) == ("plain", "7")
    assert last_error(both) == "7"


@pytest.mark.parametrize("raw", [None, b"", b"{}", b"no json", 7, b"\xff", b"[]"])
def test_errors_that_are_none_are_empty(raw: object) -> None:
    assert errors_of(raw) == ()
    assert last_error(raw) is None


def test_a_failure_is_told_by_its_traceback_or_else_by_its_class() -> None:
    assert failure_text(Failure("ValueError", "no such user")) == "ValueError: no such user"
    assert failure_text(Failure("ValueError", "x", "Traceback …")) == "Traceback …"


FAILED = Failure("ValueError", "x")
OUTCOMES: list[Outcome] = [
    Completed(),
    Retried(1.0, FAILED),
    Discarded(FAILED),
    Snoozed(1.0),
    Cancelled(),
    Released(),
    Released(1.0),
    SetAside(),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_a_move_out_of_executing(outcome: Outcome) -> None:
    assert state_after(outcome) in MOVES[State.EXECUTING]


def test_a_state_of_another_version_is_none() -> None:
    assert [state_of(text) for text in ("retryable", "archived", None, 7)] == [State.RETRYABLE, None, None, None]


@pytest.mark.parametrize(
    ("args", "meta"),
    [
        (b"{}", b"{}"),
        (b"[]", b"{}"),
        (b' {"a": [1, {"b": null}]}', b'{"snoozed": 1}'),
        (b'{"n": ' + b"9" * 4_000 + b"}", b"{}"),
        (b'{"text": "\\ud800"}', b"{}"),
        (b"{}", None),
        (b"{}", b"null"),
    ],
)
def test_a_sound_row_is_run(args: object, meta: object) -> None:
    assert poison(args, meta, 0, 20) is None


@pytest.mark.parametrize(
    ("args", "meta"),
    [
        (b"", b"{}"),
        (b"7", b"{}"),
        (b'"text"', b"{}"),
        (b"null", b"{}"),
        (None, b"{}"),
        (b"{", b"{}"),
        (b'{"a": NaN}', b"{}"),
        (b"{} {}", b"{}"),
        (b"[" * 91 + b"]" * 91, b"{}"),
        (b"[" * 100_000 + b"]" * 100_000, b"{}"),
        (b"{}", b"[]"),
        (b"{}", b"{"),
        (b"{}", b"7"),
    ],
)
def test_poison_is_told_with_its_reason(args: object, meta: object) -> None:
    reason = poison(args, meta, 0, 20)
    assert reason
    assert len(reason) < 200


def test_a_row_without_an_attempt_left_is_not_run() -> None:
    assert poison(b"{}", b"{}", 19, 20) is None
    assert poison(b"{}", b"{}", 20, 20)
    assert poison(b"{}", b"{}", "many", 20)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_break_the_look_at_a_row(args: bytes, meta: bytes) -> None:
    poison(args, meta, 0, 20)
    row = [7, "available", b"q", b"w", args, meta, args, meta, 0, 20, 0, "x", None, b"\xff", args, None, None, None]
    view = view_of(row)
    assert (view.id, view.state) == ("7", State.AVAILABLE)


def test_a_row_of_elixir_is_shown() -> None:
    view = view_of(
        [
            *(3, "retryable", b"mail", b"MyApp.Mailer", b'{"id": 1}', b'{"snoozed": 2}', b'["a", "b"]'),
            b'["{\\"at\\":\\"2026-11-22T08:07:38Z\\",\\"attempt\\":1,\\"error\\":\\"boom\\"}"]',
            *(1, 20, 0, "2026-11-22T08:00:00Z", "2026-11-22 09:00:00", "2026-11-22T08:07:00.123Z", b'["elixir@host"]'),
            *(None, None, None),
        ]
    )
    assert (view.name, view.queue, view.args, view.meta) == ("MyApp.Mailer", "mail", {"id": 1}, {"snoozed": 2})
    assert (view.owner, view.tags, view.errors[0].error) == ("elixir@host", ("a", "b"), "boom")
    assert view.scheduled_at == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert view.finished_at is None
