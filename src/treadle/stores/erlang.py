"""The values of recorded jobs as Oban keeps them in `meta.return`: Erlang's external term format, in base64. Pure.

Written is what JSON has. Read is what Elixir may write besides, made into JSON: atoms become text, tuples lists.
Format: erlang.org/doc/apps/erts/erl_ext_dist.html; oban-py's `_recorded.py` writes the same bytes for the same value.
"""

import struct
import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from treadle.core.jsontext import DEPTH_LIMIT, load_json
from treadle.errors import ArgumentError

SIZE_LIMIT = 64 * 2**20
"""How many bytes of a compressed value are unpacked."""

_VERSION = b"\x83"
_COMPRESSED = b"P"
_NIL = b"j"
_SMALL, _INT32 = range(256), range(-(2**31), 2**31)
# Python writes no integer of more than 4,300 digits, which 1,786 bytes hold.
_LONGEST_INTEGER = 1786
_ATOMS = {"true": True, "false": False, "nil": None, "null": None, "undefined": None}


def recorded(value: bytes) -> str:
    """What stands in `meta.return` for a value that is given as JSON. Raises ArgumentError for what is no JSON."""
    return b64encode(_VERSION + b"".join(_written(load_json(value)))).rstrip(b"=").decode()


def returned(text: object) -> bytes:
    """The JSON of what stands in `meta.return`. Raises ArgumentError for what is no term, or nothing like JSON."""
    try:
        if not isinstance(text, str):
            raise TypeError(f"expected text, got {type(text).__name__}")
        data = b64decode(text + "=" * (-len(text) % 4), validate=True)
        return msgspec.json.encode(_Reader(_unpacked(data)).document())
    except (Base64Error, TypeError, ValueError, struct.error, zlib.error) as error:
        raise ArgumentError(f"expected a recorded value in Erlang's term format, got {text!r:.60}: {error}") from error


def _written(value: object) -> list[bytes]:
    match value:
        case None | bool():
            name = "nil" if value is None else str(value).lower()
            return [struct.pack(">BB", ord("s"), len(name)), name.encode()]
        case int():
            return [_integer(value)]
        case float():
            return [struct.pack(">Bd", ord("F"), value)]
        case str():
            return _binary(value)
        case list():
            items = [part for item in value for part in _written(item)]
            return [struct.pack(">BI", ord("l"), len(value)), *items, _NIL] if value else [_NIL]
        case dict():
            pairs = [part for key, item in value.items() for part in (*_binary(key), *_written(item))]
            return [struct.pack(">BI", ord("t"), len(value)), *pairs]
        case _:
            raise ArgumentError(f"expected a value of JSON, got {type(value).__name__}")


def _binary(text: str) -> list[bytes]:
    data = text.encode("utf-8", "replace")
    return [struct.pack(">BI", ord("m"), len(data)), data]


def _integer(value: int) -> bytes:
    if value in _SMALL:
        return struct.pack(">BB", ord("a"), value)
    if value in _INT32:
        return struct.pack(">Bi", ord("b"), value)
    digits = abs(value).to_bytes((value.bit_length() + 7) // 8, "little")
    head = (
        struct.pack(">BB", ord("n"), len(digits))
        if len(digits) in _SMALL
        else struct.pack(">BI", ord("o"), len(digits))
    )
    return head + bytes([value < 0]) + digits


def _unpacked(data: bytes) -> bytes:
    """The term behind the version, inflated where it is compressed."""
    if data[:1] != _VERSION:
        raise ValueError("expected it to begin with 131")
    if data[1:2] != _COMPRESSED:
        return data[1:]
    inflate = zlib.decompressobj()
    term = inflate.decompress(data[6:], SIZE_LIMIT)
    if inflate.unconsumed_tail:
        raise ValueError(f"expected at most {SIZE_LIMIT} bytes")
    return term


class _Reader:
    """One pass over a term. What it holds never grows beyond the bytes that were read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def document(self) -> Any:  # noqa: ANN401 - any value that JSON has
        value = self._term(0)
        if self._at != len(self._data):
            raise ValueError("expected one term")
        return value

    def _term(self, depth: int) -> Any:  # noqa: ANN401 - as above
        tag = chr(self._number("B"))
        if tag not in "lhit":
            return self._plain(tag)
        if depth == DEPTH_LIMIT:
            raise ValueError(f"expected it to be nested at most {DEPTH_LIMIT} deep")
        return self._nested(tag, depth + 1)

    def _plain(self, tag: str) -> Any:  # noqa: ANN401 - as above
        match tag:
            case "m":
                value: Any = self._text(self._number("I"))
            case "a" | "b":
                value = self._number("B" if tag == "a" else "i")
            case "n" | "o":
                value = self._large(self._number("B" if tag == "n" else "I"))
            case "F" | "c":
                value = self._float(tag)
            case "s" | "w" | "d" | "v":
                name = self._text(self._number("B" if tag in "sw" else "H"), "utf-8" if tag in "wv" else "latin-1")
                value = _ATOMS.get(name, name)
            case "j" | "k":
                value = list(self._take(self._number("H"))) if tag == "k" else []
            case _:
                raise ValueError(f"expected a value that JSON has, got the tag {tag!r}")
        return value

    def _nested(self, tag: str, depth: int) -> Any:  # noqa: ANN401 - as above
        count = self._number("B" if tag == "h" else "I")
        if count > len(self._data) - self._at:
            raise ValueError(f"expected {count} items, got the end")
        if tag == "t":
            return {_key(self._term(depth)): self._term(depth) for _ in range(count)}
        items = [self._term(depth) for _ in range(count)]
        if tag == "l" and self._take(1) != _NIL:
            raise ValueError("expected a proper list")
        return items

    def _large(self, length: int) -> int:
        if length > _LONGEST_INTEGER:
            raise ValueError("expected an integer of at most 4300 digits")
        negative = self._number("B")
        value = int.from_bytes(self._take(length), "little")
        return -value if negative else value

    def _float(self, tag: str) -> float:
        value = self._number("d") if tag == "F" else float(self._take(31).rstrip(b"\0"))
        if not isfinite(value):
            raise ValueError("expected a finite number")
        return value

    def _number(self, form: str) -> Any:  # noqa: ANN401 - an integer, or a float for "d"
        [value] = struct.unpack(f">{form}", self._take(struct.calcsize(f">{form}")))
        return value

    def _text(self, length: int, encoding: str = "utf-8") -> str:
        return self._take(length).decode(encoding)

    def _take(self, length: int) -> bytes:
        if length > len(self._data) - self._at:
            raise ValueError(f"expected {length} bytes more, got the end")
        self._at += length
        return self._data[self._at - length : self._at]


def _key(value: Mapping[str, Any] | Sequence[Any] | str | float | None) -> str:
    """A key of a map; JSON has no others than text."""
    match value:
        case str():
            return value
        case None | bool():
            return "nil" if value is None else str(value).lower()
        case int() | float():
            return str(value)
        case _:
            raise ValueError(f"expected keys to be text, got {type(value).__name__}")
