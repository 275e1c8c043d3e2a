"""Payloads of Oban's notifications: those that were recorded, every form of them, and garbage."""

import gzip
import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from treadle.errors import ArgumentError
from treadle.stores.oban_notices import PLAIN_LIMIT, READ_LIMIT, channel, read, write
from treadle.stores.oban_signals import control_of, kill_of

GOLDEN = Path(__file__).parent.parent / "golden" / "oban-notifications.jsonl"
RECORDED = [json.loads(line) for line in GOLDEN.read_text().splitlines()]

words = st.text(max_size=20)
values = st.recursive(st.none() | st.booleans() | st.integers() | words, st.lists, max_leaves=8)
messages = st.dictionaries(words, values, max_size=5)


def packed(text: str) -> str:
    return b64encode(gzip.compress(text.encode(), mtime=0)).decode()


FORMS: list[Callable[[str], str]] = [str, packed, lambda text: f"Z:{packed(text)}"]


@pytest.mark.parametrize("notice", RECORDED, ids=lambda notice: f"{notice['program']} {notice['channel']}")
def test_what_was_recorded_is_read_in_every_form(notice: dict[str, Any]) -> None:
    meant = json.loads(notice["decoded"])
    assert [read(form(notice["decoded"])) for form in FORMS] == [meant] * 3
    assert packed(notice["decoded"]).startswith("H4sI")
    assert notice["channel"] == channel("public", notice["channel"].removeprefix("public.oban_"))


@given(messages)
def test_what_was_written_is_read(message: dict[str, Any]) -> None:
    assert read(write(message)) == message


@given(messages, st.sampled_from(FORMS))
def test_every_form_is_read(message: dict[str, Any], form: Callable[[str], str]) -> None:
    assert read(form(json.dumps(message))) == message


def test_short_messages_are_plain_and_long_ones_are_packed_without_a_prefix() -> None:
    frame = len('{"queue":""}')
    assert write({"queue": "a" * (PLAIN_LIMIT - frame - 1)}).startswith('{"queue":"aa')
    long = write({"queue": "a" * (PLAIN_LIMIT - frame)})
    assert gzip.decompress(b64decode(long)).startswith(b'{"queue":"aa')


def test_a_message_that_postgresql_would_refuse_is_refused() -> None:
    with pytest.raises(ArgumentError, match="expected a notification of less than 8000 bytes"):
        write({"ids": [str(uuid5(NAMESPACE_DNS, str(number))) for number in range(1000)]})


@pytest.mark.parametrize(
    "payload",
    [
        "", "hello", "[1,2]", "{oops", "{", '"text"', "7", "null", "Z:", "Z:@@@@", "H4sI", "{\ud800}", "\x00", "é",
        packed("[1]"), packed("hello"), packed("{}")[:-8], b64encode(b"plain").decode(),
        packed("{" + " " * READ_LIMIT + "}"), "Z:" + packed("[" * 100_000), '{"a":' + "[" * 100_000,
    ],
    ids=lambda payload: ascii(payload[:20]),
)  # fmt: skip
def test_garbage_is_nothing_and_one_line(payload: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "treadle"):
        assert read(payload) is None
    [record] = caplog.records
    assert record.getMessage().startswith("expected a notification that Oban can read")
    assert len(record.getMessage()) < 300


names = st.sampled_from(["action", "queue", "ident", "limit", "job_id", "node", "ping", "paused"])
odd = values | st.floats() | st.sampled_from(
    ["pause", "resume", "scale", "start", "stop", "pkill", "*", "any", "Oban.", "a\0b", "\ud800", 10**400, -(10**400)]
)  # fmt: skip
signals = st.dictionaries(names, odd, max_size=6).map(json.dumps)
deep = st.builds(
    lambda depth, inner: '{"action":' + "[" * depth + inner + "]" * depth + "}", st.integers(0, 5000), st.just("1")
)
documents = signals | deep | st.text()


@given(documents, st.sampled_from([*FORMS, lambda text: packed(text)[:-5], lambda text: packed(text)[7:]]))
def test_whatever_comes_is_read_and_what_is_obeyed_can_be_done(document: str, form: Callable[[str], str]) -> None:
    try:
        message = read(form(document))
    except UnicodeEncodeError:
        # Of the test's own: what cannot be packed cannot be sent.
        assume(False)
    if message is None:
        return
    control, job_id = control_of(message), kill_of(message)
    assert job_id is None or 0 < job_id < 2**63
    if control is not None:
        assert 0 < len(control.queue) < 128
        assert control.queue.isprintable()
        assert control.limit is None or 0 < control.limit < 2**15
        assert (control.limit is None) <= (control.action != "scale")


@given(st.text())
def test_no_text_raises(payload: str) -> None:
    for form in (payload, f"Z:{payload}", "{" + payload):
        assert isinstance(read(form), dict | None)
