"""Recorded values in Erlang's external term format."""

import json
import struct
import zlib
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import ArgumentError
from treadle.stores.erlang import SIZE_LIMIT, recorded, returned

# Written by oban-py 0.7.0.
GOLDEN = "g3QAAAACbQAAAAFhYQFtAAAAAWJsAAAABG0AAAABeHMEdHJ1ZXMDbmlsRj/4AAAAAAAAag"
VALUE = {"a": 1, "b": ["x", True, None, 1.5]}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def term(body: bytes) -> str:
    return b64encode(b"\x83" + body).decode().rstrip("=")


def read(text: object) -> Any:  # noqa: ANN401 - what was recorded
    return json.loads(returned(text))


def test_a_value_is_written_as_oban_writes_it() -> None:
    assert recorded(json.dumps(VALUE).encode()) == GOLDEN
    assert read(GOLDEN) == VALUE


@given(values)
def test_what_was_written_is_read(value: Any) -> None:  # noqa: ANN401 - any JSON
    raw = json.dumps(value).encode()
    assert repr(read(recorded(raw))) == repr(json.loads(raw))


@pytest.mark.parametrize("value", [255, 256, -1, 2**31, -(2**31) - 1, 2**53 + 1, 10**700, -(10**4299)])
def test_integers_of_every_size_are_exact(value: int) -> None:
    assert read(recorded(str(value).encode())) == value


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"w\x02ok", "ok"),
        (b"d\x00\x05false", False),
        (b"v\x00\x03nil", None),
        (b"h\x02w\x02oka\x07", ["ok", 7]),
        (b"i\x00\x00\x00\x01a\x07", [7]),
        (b"k\x00\x03abc", [97, 98, 99]),
        (b"j", []),
        (b"t\x00\x00\x00\x02w\x02ida\x01a\x02w\x04true", {"id": 1, "2": True}),
        (b"c1.50000000000000000000e+00\0\0\0\0\0", 1.5),
    ],
)
def test_what_elixir_writes_besides_becomes_json(body: bytes, value: Any) -> None:  # noqa: ANN401 - any JSON
    assert read(term(body)) == value


def test_a_compressed_term_is_read() -> None:
    body = b64decode(recorded(b'"' + b"a" * 1000 + b'"') + "==")[1:]
    assert read(term(b"P" + struct.pack(">I", len(body)) + zlib.compress(body))) == "a" * 1000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "expected text"),
        ("", "begin with 131"),
        ("!!!!", "base64"),
        ("gg", "begin with 131"),
        (term(b""), "bytes more"),
        (term(b"m\xff\xff\xff\xffa"), "bytes more"),
        (term(b"m\x00\x00\x00\x01\xff"), "utf-8"),
        (term(b"l\xff\xff\xff\xffj"), "items, got the end"),
        (term(b"l\x00\x00\x00\x01a\x01a\x02"), "proper list"),
        (term(b"t\x00\x00\x00\x01ja\x01"), "keys to be text"),
        (term(b"h\x01" * 91 + b"j"), "nested at most 90 deep"),
        (term(b"o\x00\x00\x07\x00\x00" + b"\xff" * 1792), "4300 digits"),
        (term(b"F\x7f\xf0\x00\x00\x00\x00\x00\x00"), "finite"),
        (term(b"ja"), "one term"),
        (term(b"X"), "the tag 'X'"),
        (term(b"P\x00\x00\x00\x01" + zlib.compress(bytes(SIZE_LIMIT + 1))), f"at most {SIZE_LIMIT} bytes"),
        (term(b"P\x00\x00\x00\x01hello"), "header"),
    ],
)
def test_what_is_no_value_is_refused_in_one_line(text: object, complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint) as refusal:
        returned(text)
    assert "\n" not in str(refusal.value)


@given(st.binary())
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with suppress(ArgumentError):
        json.loads(returned(term(body)))
