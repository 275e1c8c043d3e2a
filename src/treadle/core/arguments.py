"""A job's arguments: bound to its signature at enqueue, written as JSON in one of two shapes, read at the worker."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from inspect import Parameter
from math import isfinite
from typing import Any, NoReturn

import msgspec

from treadle.core.inject import injected
from treadle.errors import ArgumentError, ConfigError

DEPTH_LIMIT = 90
_SHOWN_DEPTH = 4
_SHOWN_LENGTH = 60
# Python refuses to read or write longer integers as text (sys.set_int_max_str_digits); 10**n has n + 1 digits.
_INTEGER_LIMIT = 10**4300

Bound = tuple[tuple[Any, ...], dict[str, Any]]


class Shape(Enum):
    """How a store keeps arguments."""

    LIST = "list"
    MAPPING = "mapping"


def _plain(value: object) -> object:
    """A number or text of a class that inherits from Python's own (numpy's floats, Django's safe strings)."""
    match value:
        case str():
            return str.__str__(value)
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
    raise TypeError(f"expected a value that was checked, got {_shown(value)}")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
_decode = msgspec.json.Decoder().decode


def dump(value: object, where: str) -> bytes:
    """The JSON of a value that JSON can carry exactly; `where` names it in the error.

    Raises ArgumentError for NaN, infinities, lone surrogates, keys that are not text, integers of more than 4,300
    digits, nesting over 90 and every type that JSON does not have.
    """
    _check(value, where, 0)
    return _encode(value)


def check_size(args: bytes, job: str, limit: int) -> bytes:
    """The arguments, which are at most `limit` bytes of JSON. Raises ArgumentError."""
    if len(args) <= limit:
        return args
    raise ArgumentError(
        f'job "{job}": expected arguments of at most {limit:,} bytes of JSON, got {len(args):,}; keep the data '
        f"elsewhere and pass where it is, or raise max_payload of the app"
    )


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
    """Whether a JSON text is nested deeper than 90; counts brackets only where there are more than 90 at all."""
    if raw.count(b"[") + raw.count(b"{") <= DEPTH_LIMIT:
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


class Signature:
    """How calls of one job bind to its function. Built once, at the job's first use.

    Injected parameters are no part of it.

    Raises ConfigError for `**kwargs` (two shapes cannot carry it) and for `*args` beside keyword-only parameters.
    """

    def __init__(self, job: str, function: Callable[..., Any]) -> None:
        self._job = job
        self.injected = injected(function, f'job "{job}"')
        whole = inspect.signature(function)
        parameters = [p for p in whole.parameters.values() if p.name not in self.injected]
        self._signature = whole.replace(parameters=parameters)
        self._names = [p.name for p in parameters]
        self._positional = [p.name for p in parameters if p.kind <= Parameter.POSITIONAL_OR_KEYWORD]
        self._keyword_only = [p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY]
        self._positional_only = [p.name for p in parameters if p.kind is Parameter.POSITIONAL_ONLY]
        self._rest = next((p.name for p in parameters if p.kind is Parameter.VAR_POSITIONAL), None)
        self._required = frozenset(
            p.name for p in parameters if p.default is Parameter.empty and p.kind is not Parameter.VAR_POSITIONAL
        )
        self._leading = sum(1 for name in self._positional if name in self._required)
        self._refuse(parameters)
        self._by_position = not self._keyword_only and self._rest is None
        # What most calls give, and all of it by name: such a mapping binds as it is.
        self._by_name = frozenset(self._names) if self._rest is None and not self._positional_only else None

    def dump(self, args: Sequence[Any], kwargs: Mapping[str, Any], shape: Shape) -> bytes:
        """The JSON of a call, holding only what the caller gave. Raises ArgumentError."""
        try:
            given = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise ArgumentError(f'job "{self._job}": {error}; its signature is {self._job}{self._signature}') from None
        for name, value in given.items():
            _check(value, f'job "{self._job}", argument "{name}"', 1)
        return _encode(given if shape is Shape.MAPPING else self._as_list(given))

    def load(self, raw: bytes) -> Bound:
        """Positional and keyword arguments for the function, of JSON in either shape.

        Raises ArgumentError for what does not bind; nothing surplus is ignored (it may come of a newer producer).
        """
        value = load_json(raw)
        if isinstance(value, list):
            if self._by_position and self._leading <= len(value) <= len(self._positional):
                return tuple(value), {}
            return self._from_list(value)
        if isinstance(value, dict):
            return ((), value) if value.keys() == self._by_name else self._from_mapping(value)
        return self._fail(f"expected a list or an object of arguments, got {_shown(value)}")

    def _refuse(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.kind is Parameter.VAR_KEYWORD:
                raise ConfigError(
                    f'job "{self._job}": expected named parameters, got **{parameter.name}: stores that keep '
                    f"arguments as a list cannot carry it; take one dict parameter instead"
                )
        if self._rest and self._keyword_only:
            raise ConfigError(
                f'job "{self._job}": expected *{self._rest} to come last, got the keyword-only parameter '
                f'"{self._keyword_only[0]}" after it; make one of them an ordinary parameter'
            )

    def _as_list(self, given: Mapping[str, Any]) -> list[Any]:
        order = [name for name in self._names if name != self._rest]
        last = max((i for i, name in enumerate(order) if name in given), default=-1)
        if self._rest and given.get(self._rest):
            last = len(order) - 1
        values = self._given_or_default(order[: last + 1], given)
        for name, value in zip(order, values, strict=False):
            if name not in given:
                _check(value, f'job "{self._job}", default of argument "{name}"', 1)
        return [*values, *given.get(self._rest or "", ())]

    def _from_list(self, values: list[Any]) -> Bound:
        count = len(self._positional)
        if len(values) < self._leading:
            missing = self._positional[len(values)]
            self._fail(f'argument "{missing}" is missing: expected at least {self._leading}, got {len(values)}')
        if self._rest:
            return tuple(values), {}
        order = self._positional + self._keyword_only
        if len(values) > len(order):
            self._fail(f"expected at most {len(order)} arguments, got {len(values)}")
        named = dict(zip(order[count:], values[count:], strict=False))
        self._demand(set(order[: len(values)]))
        return tuple(values[:count]), named

    def _from_mapping(self, values: dict[str, Any]) -> Bound:
        unknown = [name for name in values if name not in self._names]
        if unknown:
            self._fail(f'unknown argument "{unknown[0]}": expected {self._expected()}')
        self._demand(values.keys())
        if self._rest in values:
            return self._with_rest(values)
        last = max((i for i, name in enumerate(self._positional_only) if name in values), default=-1)
        leading = self._given_or_default(self._positional_only[: last + 1], values)
        return leading, {name: value for name, value in values.items() if name not in self._positional_only}

    def _with_rest(self, values: dict[str, Any]) -> Bound:
        rest = values[self._rest or ""]
        if not isinstance(rest, list):
            self._fail(f'argument "{self._rest}": expected a list, got {_shown(rest)}')
        return (*self._given_or_default(self._positional, values), *rest), {}

    def _given_or_default(self, names: Sequence[str], values: Mapping[str, Any]) -> tuple[Any, ...]:
        parameters = self._signature.parameters
        return tuple(values[name] if name in values else parameters[name].default for name in names)

    def _demand(self, present: "set[str] | Any") -> None:  # noqa: ANN401 - a set or a view of keys
        missing = next((name for name in self._names if name in self._required and name not in present), None)
        if missing is not None:
            self._fail(f'argument "{missing}" is missing: expected {self._expected()}, got {sorted(present)}')

    def _expected(self) -> str:
        return ", ".join(f'"{name}"' for name in self._names) or "no arguments"

    def _fail(self, text: str) -> NoReturn:
        raise ArgumentError(f'job "{self._job}": {text}')


def _load_loosely(raw: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(raw.decode("utf-8", "surrogatepass"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"expected JSON, got {_shown(raw)}: {error}") from error


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON, or none that Python has")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _refuse(text)


def _check(value: object, where: str, depth: int) -> None:
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
                _check(item, f"{where}[{index}]" if depth < _SHOWN_DEPTH else where, depth + 1)
        case dict():
            _check_depth(where, depth)
            for key, item in value.items():
                _check_key(key, where)
                _check(item, f"{where}[{key!r}]" if depth < _SHOWN_DEPTH else where, depth + 1)
        case _:
            raise ArgumentError(
                f"{where}: expected a value that JSON has (text, number, bool, None, list, dict), got {_shown(value)}; "
                f"pass its id or its plain fields instead"
            )


def _check_number(value: "int | float", where: str) -> None:
    if isinstance(value, float):
        if not isfinite(value):
            raise ArgumentError(f"{where}: expected a finite number, got {value}: JSON has none such")
    elif not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        raise ArgumentError(f"{where}: expected an integer of at most 4,300 digits, got a longer one")


def _check_depth(where: str, depth: int) -> None:
    if depth >= DEPTH_LIMIT:
        raise ArgumentError(f"{where}: expected at most {DEPTH_LIMIT} levels of nesting, got more")


def _check_key(key: object, where: str) -> None:
    if not isinstance(key, str):
        raise ArgumentError(f"{where}: expected keys that are text, got {_shown(key)}")
    _check_text(key, where)


def _check_text(value: str, where: str) -> None:
    if value.isascii():
        return
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"{where}: expected text, got a lone surrogate at position {error.start}, which UTF-8 cannot carry"
        ) from error


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - user code, and integers that are too long to be shown
        text = f"that cannot be shown: {type(error).__name__}"
    return f"{type(value).__name__} {text[:_SHOWN_LENGTH]}{'…' if len(text) > _SHOWN_LENGTH else ''}"
