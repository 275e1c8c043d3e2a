"""What JSON cannot carry exactly is refused, and what other languages write is read as it is."""

from enum import IntEnum, StrEnum
from typing import Any, NoReturn

import pytest

from treadle.core.jsontext import dump, load_json
from treadle.errors import ArgumentError


class Unshowable:
    def __repr__(self) -> NoReturn:
        raise RuntimeError("no")


# Writing


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", {"\ud800": 1}])
def test_text_that_utf_8_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError, match="expected text, got a lone surrogate at position"):
        dump(value, "it")


@pytest.mark.parametrize("key", [1, None, (1, 2), b"k", pytest.param(10**5000, id="long")])
def test_a_key_that_is_not_text_is_refused(key: object) -> None:
    with pytest.raises(ArgumentError, match="it: expected keys that are text, got "):
        dump({key: 1}, "it")


@pytest.mark.parametrize("value", [object(), dump, 1j, Unshowable()])
def test_a_value_that_json_does_not_have_is_refused_with_what_to_pass_instead(value: object) -> None:
    with pytest.raises(ArgumentError, match="pass its id or its plain fields instead"):
        dump([value], "it")


def test_an_integer_may_have_4300_digits_and_no_more() -> None:
    longest = 10**4300 - 1
    assert load_json(dump(longest, "it")) == longest
    assert load_json(dump(-longest, "it")) == -longest
    for longer in (longest + 1, -longest - 1):
        with pytest.raises(ArgumentError, match="an integer of at most 4,300 digits, got a longer one"):
            dump(longer, "it")


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_values_may_be_nested_90_deep_and_no_deeper() -> None:
    assert load_json(dump(nested(90), "it")) == nested(90)
    with pytest.raises(ArgumentError, match=r"it.*: expected at most 90 levels of nesting, got more"):
        dump(nested(91), "it")


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ArgumentError, match="expected at most 90 levels"):
        dump(loop, "it")


def test_numbers_and_texts_of_inherited_classes_are_written_as_what_they_are() -> None:
    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "not this"

    class Number(float):
        pass

    class Whole(int):
        pass

    class Colour(StrEnum):
        RED = "red"

    class Level(IntEnum):
        HIGH = 3

    value = [Text("a"), Number(1.5), Whole(10**30), Colour.RED, Level.HIGH, {Text("k"): Number(0.5)}]
    assert load_json(dump(value, "it")) == ["a", 1.5, 10**30, "red", 3, {"k": 0.5}]


# Reading


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'"\\ud800"', "\ud800"),
        (b'{"a":"x\\udc00"}', {"a": "x\udc00"}),
        (b'"\xed\xa0\x80"', "\ud800"),
        (b"12345678901234567890123", 12345678901234567890123),
        (b" [1 ,\n2] ", [1, 2]),
        (b"-0.0", -0.0),
    ],
)
def test_json_of_other_languages_is_read_as_it_is(raw: bytes, value: object) -> None:
    assert load_json(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b"-1e400",
        b'"\xff"',
        b'"\x01"',
        b"[1] x",
        b"{'a':1}",
        b"[" * 100_000,
        b"[" * 20_000 + b"]" * 20_000,
        b'"\\ud800"' + b"[" * 100_000,
        b"1" * 4_301,
        '"wide"'.encode("utf-16"),
    ],
)
def test_what_is_no_json_is_an_argument_error_whatever_is_wrong_with_it(raw: bytes) -> None:
    with pytest.raises(ArgumentError, match=r"^expected JSON"):
        load_json(raw)
