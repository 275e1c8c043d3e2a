"""A job's arguments: bound to its signature at enqueue, written as JSON in one of two shapes, read at the worker."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from functools import cached_property, partial
from inspect import Parameter
from typing import Any, NoReturn

from msgspec import UNSET, Struct, defstruct
from msgspec.json import Decoder
from msgspec.structs import astuple

from treadle.core.annotations import argument
from treadle.core.foreign import from_plain
from treadle.core.inject import injected
from treadle.core.jsontext import DEPTH_LIMIT, encode, load_json, shown, too_deep, write
from treadle.core.options import CallSettings
from treadle.core.query_arguments import REST
from treadle.core.redact import without_secret
from treadle.core.uniqueness import Arguments
from treadle.errors import ArgumentError, ConfigError

_BRACKET = ord("[")

Bound = tuple[tuple[Any, ...], dict[str, Any]]


class Shape(Enum):
    """How a store keeps arguments."""

    LIST = "list"
    MAPPING = "mapping"


def check_size(args: bytes, job: str, limit: int) -> bytes:
    """The arguments, which are at most `limit` bytes of JSON. Raises ArgumentError."""
    if len(args) <= limit:
        return args
    raise ArgumentError(
        f'job "{job}": expected arguments of at most {limit:,} bytes of JSON, got {len(args):,}; keep the data '
        f"elsewhere and pass where it is, or raise max_payload of the app"
    )


class Signature:
    """How calls of one job bind to its function. Built once, at the job's first use.

    Injected parameters are no part of it. Values are converted by the annotations of their parameters, strictly when
    they are written and leniently when they are read.

    Raises ConfigError for `**kwargs` (two shapes cannot carry it), for `*args` beside keyword-only parameters, and for
    an annotation that cannot be resolved or never be converted. Errors do not show values under the names in `redact`.
    """

    def __init__(self, job: str, function: Callable[..., Any], redact: Collection[str] = ()) -> None:
        self._job = job
        self._redact = redact
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
        # What is read at once, and what is bound without further ado.
        self._in_order = self._rest is None and not self._positional_only
        self._by_position = self._in_order and len(self._required) == self._leading
        self._all_by_position = self._in_order and len(self._names) == self._leading
        found = {p.name: argument(function, p, job) for p in parameters}
        self._conversions = {name: conversion for name, conversion in found.items() if conversion is not None}
        self._writers = {name: conversion.write if conversion else write for name, conversion in found.items()}
        if self._rest:
            self._writers[self._rest] = partial(_write_each, self._writers[self._rest])
        self._where = {name: f'job "{job}", argument "{name}"' for name in self._names}
        self._keys = {name: encode(name) + b":" for name in self._names}

    def dump(self, args: Sequence[Any], kwargs: Mapping[str, Any], shape: Shape) -> bytes:
        """The JSON of a call, holding only what the caller gave. Raises ArgumentError."""
        given = self._bind(args, kwargs)
        try:
            texts = {name: self._writers[name](value, self._where[name]) for name, value in given.items()}
        except ArgumentError as error:
            for name, value in given.items():
                if str(error).startswith(self._where[name]):
                    self._keep_secret(name, value, error)
            raise
        written = self._as_mapping(texts) if shape is Shape.MAPPING else self._as_list(texts)
        if too_deep(written):
            self._refuse_depth(texts)
        return written

    def load(self, raw: bytes) -> Bound:
        """Positional and keyword arguments for the function, of JSON in either shape.

        Raises ArgumentError for what does not bind or convert; nothing surplus is ignored (it may come of a newer
        producer).
        """
        if self._in_order:
            try:
                read = astuple(self._read_list(raw) if raw[0] == _BRACKET else self._read_mapping(raw))
                return (read, {}) if self._all_by_position else self._given(read)
            except Exception:  # noqa: BLE001, S110 - user code; they are read one by one, leniently, and named
                pass
        value = load_json(raw)
        if isinstance(value, list):
            return self._from_list(value)
        if isinstance(value, dict):
            return self._from_mapping(value)
        return self._fail(f"expected a list or an object of arguments, got {shown(value)}")

    @cached_property
    def _read_list(self) -> Callable[[bytes], Struct]:
        return self._decoder(array_like=True)

    @cached_property
    def _read_mapping(self) -> Callable[[bytes], Struct]:
        return self._decoder(array_like=False)

    def _decoder(self, *, array_like: bool) -> Callable[[bytes], Struct]:
        """Reads all arguments at once and strictly, in signature order; those that were not given are UNSET."""
        fields: list[Any] = []
        for number, name in enumerate(self._names):
            hint = self._conversions[name].hint if name in self._conversions else Any
            fields.append((f"_{number}", hint) if name in self._required else (f"_{number}", hint, UNSET))
        names = {f"_{number}": name for number, name in enumerate(self._names)}
        # Keyword-only to msgspec too: a required one may come after one with a default.
        kind = defstruct(
            "Arguments", fields, rename=names, array_like=array_like, forbid_unknown_fields=True, kw_only=True
        )
        return Decoder(kind, dec_hook=from_plain).decode

    def _given(self, read: tuple[Any, ...]) -> Bound:
        """What was given of what was read: as many as can be by position, the others by name."""
        first = read.index(UNSET) if UNSET in read else len(read)
        end = min(first, len(self._positional))
        if read.count(UNSET) == len(read) - end:
            return read[:end], {}
        named = zip(self._names[end:], read[end:], strict=True)
        return read[:end], {name: value for name, value in named if value is not UNSET}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters in the order of a list; one that takes all that are left begins with a star."""
        return tuple(f"{REST}{name}" if name == self._rest else name for name in self._names)

    def names(self, count: int) -> list[str]:
        """The names of that many arguments in a list; "" for those beyond the signature."""
        order = [name for name in self._names if name != self._rest]
        return [*order, *[self._rest or ""] * (count - len(order))][:count]

    @cached_property
    def outline(self) -> Arguments:
        """What two calls are compared by: the order of the arguments, and the defaults that JSON has."""
        order = tuple(name for name in self._names if name != self._rest)
        defaults = {}
        for name in self._names:
            if name not in self._required and name != self._rest:
                try:
                    defaults[name] = self._default(name)
                except ArgumentError:
                    continue
        return Arguments(order, defaults, self._rest or "")

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

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        if not kwargs and self._by_position and self._leading <= len(args) <= len(self._positional):
            return dict(zip(self._names, args, strict=False))
        try:
            return self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            text = f'job "{self._job}": {error}; its signature is {self._job}{self._signature}'
            raise ArgumentError(f"{text}{self._advice(kwargs)}") from None

    def _advice(self, kwargs: Iterable[str]) -> str:
        """What is mistaken for an argument most often."""
        for name in kwargs:
            if name in self.injected:
                return f', and "{name}" is injected by the worker'
            if name not in self._names and name in CallSettings.__annotations__:
                return f"; options of a call are given as in {self._job}.options({name}=...).enqueue(...)"
        return ""

    def _as_mapping(self, texts: Mapping[str, bytes]) -> bytes:
        return b"{" + b",".join([self._keys[name] + text for name, text in texts.items()]) + b"}"

    def _as_list(self, texts: Mapping[str, bytes]) -> bytes:
        order = [name for name in self._names if name != self._rest]
        rest = texts.get(self._rest or "", b"[]")[1:-1]
        last = len(order) - 1 if rest else max((i for i, name in enumerate(order) if name in texts), default=-1)
        values = [texts[name] if name in texts else self._default(name) for name in order[: last + 1]]
        return b"[" + b",".join([*values, rest] if rest else values) + b"]"

    def _default(self, name: str) -> bytes:
        value = self._signature.parameters[name].default
        return self._writers[name](value, f'job "{self._job}", default of argument "{name}"')

    def _refuse_depth(self, texts: Mapping[str, bytes]) -> NoReturn:
        name = next((name for name, text in texts.items() if too_deep(b"[" + text + b"]")), None)
        where = self._where[name] if name else f'job "{self._job}", defaults of arguments'
        raise ArgumentError(f"{where}: expected at most {DEPTH_LIMIT} levels of nesting, got more")

    def _from_list(self, values: list[Any]) -> Bound:
        count = len(self._positional)
        if len(values) < self._leading:
            missing = self._positional[len(values)]
            self._fail(f'argument "{missing}" is missing: expected at least {self._leading}, got {len(values)}')
        order = self._positional + self._keyword_only
        if self._rest:
            return (*map(self._read, order, values), *self._read_rest(values[count:])), {}
        if len(values) > len(order):
            self._fail(f"expected at most {len(order)} arguments, got {len(values)}")
        self._demand(set(order[: len(values)]))
        read = list(map(self._read, order, values))
        return tuple(read[:count]), dict(zip(order[count:], read[count:], strict=False))

    def _from_mapping(self, values: dict[str, Any]) -> Bound:
        unknown = [name for name in values if name not in self._names]
        if unknown:
            self._fail(f'unknown argument "{unknown[0]}": expected {self._expected()}')
        self._demand(values.keys())
        read = {name: self._read(name, value) for name, value in values.items() if name != self._rest}
        if self._rest in values:
            return self._with_rest(read, values[self._rest])
        last = max((i for i, name in enumerate(self._positional_only) if name in read), default=-1)
        leading = self._given_or_default(self._positional_only[: last + 1], read)
        return leading, {name: value for name, value in read.items() if name not in self._positional_only}

    def _with_rest(self, read: dict[str, Any], rest: object) -> Bound:
        if not isinstance(rest, list):
            self._fail(f'argument "{self._rest}": expected a list, got {shown(rest)}')
        return (*self._given_or_default(self._positional, read), *self._read_rest(rest)), {}

    def _read_rest(self, values: Iterable[Any]) -> list[Any]:
        return [self._read(self._rest or "", value) for value in values]

    def _read(self, name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON, any value
        conversion = self._conversions.get(name)
        if conversion is None or type(value) in conversion.as_is:
            return value
        try:
            return conversion.read(value, self._where[name])
        except ArgumentError as error:
            self._keep_secret(name, value, error)
            raise

    def _keep_secret(self, name: str, value: object, error: ArgumentError) -> None:
        text = without_secret(str(error), name, value, self._redact)
        if text != str(error):
            raise ArgumentError(text) from None

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


def _write_each(write_one: Callable[[Any, str], bytes], values: Sequence[Any], where: str) -> bytes:
    return b"[" + b",".join([write_one(value, f"{where}[{index}]") for index, value in enumerate(values)]) + b"]"
