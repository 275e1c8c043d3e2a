"""JSON as it stands in a store: written where JSON carries the value exactly, read as other languages write it."""

import json
from math import isfinite
from typing import Any, NoReturn

import msgspec

from treadle.core.foreign import advice, to_plain
from treadle.errors import ArgumentError

DEPTH_LIMIT = 90
_SHOWN_DEPTH = 4
_SHOWN_LENGTH = 60
# Python refuses to read or write longer integers as text (sys.set_int_max_str_digits); 10**n has n + 1 digits.
_INTEGER_LIMIT = 10**4300

encode = msgspec.json.Encoder(enc_hook=to_plain).encode
_decode = msgspec.json.Decoder().decode


def dump(value: object, where: str) -> bytes:
    """The JSON of a value that JSON can carry exactly; `where` names it in the error.

    Raises ArgumentError for NaN, infinities, lone surrogates, keys that are not text, integers of more than 4,300
    digits, nesting over 90 and every type that JSON does not have.
    """
    raw = write(value, where, 0)
    if too_deep(raw):
        check(value, where)
    return raw


def write(value: object, where: str, depth: int = 1) -> bytes:
    """The JSON of a value that stands `depth` deep in what is written. Raises ArgumentError; see `dump`.

    Most values are seen to be carried exactly by reading back what was written; what is wrong with the others, if
    anything is, only a walk can tell. Tuples come back as lists, and are nevertheless what JSON has.
    """
    try:
        raw = encode(value)
        if _decode(raw) == value:
            return raw
    except Exception:  # noqa: BLE001, S110 - user code; the walk says what is wrong
        pass
    try:
        check(value, where, depth)
        return encode(value)
    except ArgumentError:
        raise
    except Exception as error:
        raise ArgumentError(f"{where}: expected a value that JSON has, got {shown(value)}: {error!r:.80}") from error


def load_json(raw: bytes) -> Any:  # noqa: ANN401 - the value of any JSON document
    """The value of a JSON document. Lone surrogates, which Ruby and JavaScript write, are read as they are.

    Raises ArgumentError for what is no JSON.
    """
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _load_loosely(raw)
    except RecursionError as error:
        raise ArgumentError(f"expected JSON nested at most {DEPTH_LIMIT} deep, got more") from error


def too_deep(raw: bytes) -> bool:
    """Whether a JSON text is nested deeper than 90; looks at brackets only where there may be more than 90 at all."""
    if len(raw) <= DEPTH_LIMIT or raw.count(b"[") + raw.count(b"{") <= DEPTH_LIMIT:
        return False
    depth, in_text, escaped = 0, False, False
    for byte in raw:
        if in_text:
            in_text = escaped or byte != ord('"')
            escaped = not escaped and byte == ord("\\")
        elif byte in b"[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                return True
        elif byte in b"]}":
            depth -= 1
        else:
            in_text = byte == ord('"')
    return False


def check(value: object, where: str, depth: int = 0, *, typed: bool = False) -> None:
    """Raise ArgumentError for what JSON cannot carry, naming where it stands within `where`, which is `depth` deep.

    A `typed` value may hold other types than JSON's; they are the concern of its annotation.
    """
    match value:
        case None | bool():
            return
        case str():
            _check_text(value, where)
        case int() | float():
            _check_number(value, where)
        case list() | tuple():
            _check_depth(where, depth)
            for index, item in enumerate(value):
                check(item, f"{where}[{index}]" if depth < _SHOWN_DEPTH else where, depth + 1, typed=typed)
        case dict():
            _check_depth(where, depth)
            for key, item in value.items():
                _check_key(key, where, typed=typed)
                check(item, f"{where}[{key!r}]" if depth < _SHOWN_DEPTH else where, depth + 1, typed=typed)
        case _ if not typed:
            raise ArgumentError(
                f"{where}: expected a value that JSON has (text, number, bool, None, list, dict), got {shown(value)}; "
                f"{advice(type(value))}"
            )


def shown(value: object) -> str:
    """A value in a few words, for the text of an error: its type and the beginning of its representation."""
    try:
        # A data frame is shown in lines.
        text = " ".join(repr(value).splitlines())
    except Exception as error:  # noqa: BLE001 - user code, and integers that are too long to be shown
        text = f"that cannot be shown: {type(error).__name__}"
    return f"{type(value).__name__} {text[:_SHOWN_LENGTH]}{'…' if len(text) > _SHOWN_LENGTH else ''}"


def _load_loosely(raw: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(raw.decode("utf-8", "surrogatepass"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"expected JSON, got {len(raw):,} bytes that are none: {error}") from error


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON, or none that Python has")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _refuse(text)


def _check_number(value: "int | float", where: str) -> None:
    if isinstance(value, float):
        if not isfinite(value):
            raise ArgumentError(f"{where}: expected a finite number, got {value}: JSON has none such")
    elif not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        raise ArgumentError(f"{where}: expected an integer of at most 4,300 digits, got a longer one")


def _check_depth(where: str, depth: int) -> None:
    if depth >= DEPTH_LIMIT:
        raise ArgumentError(f"{where}: expected at most {DEPTH_LIMIT} levels of nesting, got more")


def _check_key(key: object, where: str, *, typed: bool) -> None:
    if isinstance(key, str):
        _check_text(key, where)
    elif not typed:
        raise ArgumentError(f"{where}: expected keys that are text, got {shown(key)}")


def _check_text(value: str, where: str) -> None:
    if value.isascii():
        return
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"{where}: expected text, got a lone surrogate at position {error.start}, which UTF-8 cannot carry"
        ) from error
