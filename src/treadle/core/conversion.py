"""Values of one annotation: written as JSON only where they come back the same, and read as what the annotation says.

Writing is strict: what was written is read back at once, so what is refused is refused where the mistake is made.
Reading is lenient where other languages are loose, by msgspec's rules: `docs/reference/arguments.md` has them.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import inspect as types

from treadle.core.foreign import advice, from_plain, is_carried, is_row
from treadle.core.jsontext import DEPTH_LIMIT, check, encode, shown
from treadle.errors import ArgumentError, ConfigError

# Values of these are equal only where JSON carries them exactly, so that one comparison in C says it.
_PLAIN = (
    types.AnyType,
    types.NoneType,
    types.BoolType,
    types.IntType,
    types.FloatType,
    types.StrType,
    types.LiteralType,
    types.ListType,
    types.DictType,
    types.UnionType,
)
# What JSON gives already is what such an annotation says.
_AS_IS: Sequence[tuple[types.Type, type]] = (
    (types.NoneType(), type(None)),
    (types.BoolType(), bool),
    (types.IntType(), int),
    (types.FloatType(), float),
    (types.StrType(), str),
    (types.ListType(types.AnyType()), list),
    (types.DictType(types.AnyType(), types.AnyType()), dict),
    (types.DictType(types.StrType(), types.AnyType()), dict),
)
_PLAINLY = re.compile(r"Expected `[^`]*`, got `[^`]*`")


class Conversion:
    """How values of one annotation are written and read; values of the classes in `as_is` need no reading.

    `text` is the annotation as it was written; `what` names it in the error. Raises ConfigError for one that can
    never be converted.
    """

    __slots__ = ("_open", "_plain", "_strict", "_text", "as_is", "hint")

    def __init__(self, hint: Any, text: str, what: str) -> None:  # noqa: ANN401 - an annotation is any object
        try:
            kinds = list(_within(types.type_info(hint)))
            self._strict = msgspec.json.Decoder(hint, dec_hook=from_plain).decode
        except NameError as error:
            raise ConfigError(undefined(what, text, error)) from error
        except Exception as error:
            raise ConfigError(f"{what}: expected a type that JSON can carry, got {text}: {_tidy(error)}") from error
        for kind in kinds:
            _refuse(kind, text, what)
        self.hint = hint
        self._text = text
        self._plain = all(isinstance(kind, _PLAIN) for kind in kinds)
        self._open = self._plain and any(isinstance(kind, types.AnyType) for kind in kinds)
        self.as_is = _as_is(kinds[0])

    def write(self, value: object, where: str) -> bytes:
        """The JSON of a value of exactly this type. Raises ArgumentError, with `where` in its text."""
        try:
            raw = encode(value)
            read = self._strict(raw)
            if (self._plain and read == value) or _same(value, read):
                return raw
        except Exception as error:
            raise self._refusal(value, where, error) from error
        raise self._refusal(value, where, f", which would come back as {shown(read)}")

    def read(self, value: object, where: str) -> Any:  # noqa: ANN401 - of the annotation
        """The value of what JSON gave. Raises ArgumentError.

        What is strictly right is never read otherwise: the text "null" may be the Base64 of three bytes.
        """
        try:
            return self._strict(encode(value))
        except Exception:  # noqa: BLE001 - user code
            return self._read_loosely(value, where)

    def read_back(self, raw: bytes) -> Any:  # noqa: ANN401 - of the annotation
        """The value of what `write` wrote. Raises msgspec's errors, and those of the annotated class."""
        return self._strict(raw)

    def _read_loosely(self, value: object, where: str) -> Any:  # noqa: ANN401
        # Not by way of JSON: lone surrogates, which the JSON of other languages has, cannot be written as JSON again.
        try:
            return msgspec.convert(value, self.hint, strict=False, str_keys=True, dec_hook=from_plain)
        except Exception as error:
            raise ArgumentError(self._mismatch(value, where, _detail(error))) from error

    def _refusal(self, value: object, where: str, why: "Exception | str") -> ArgumentError:
        try:
            # Where anything may stand, only the walk can name what JSON has not.
            check(value, where, 1, typed=isinstance(why, Exception) or not self._open)
        except ArgumentError as error:
            return error
        except Exception as error:  # noqa: BLE001 - user code
            why = error
        if isinstance(why, RecursionError):
            return ArgumentError(f"{where}: expected at most {DEPTH_LIMIT} levels of nesting, got more")
        return ArgumentError(self._mismatch(value, where, _detail(why) if isinstance(why, Exception) else why))

    def _mismatch(self, value: object, where: str, detail: str) -> str:
        return f"{where}: expected {self._text}, got {shown(value)}{detail}"


def undefined(what: str, text: str, error: NameError) -> str:
    """The text of the error for an annotation with a name that is not defined."""
    return (
        f'{what}: expected an annotation whose names exist when the program runs, got {text}, and "{error.name}" is '
        f"not defined there; import it outside of `if TYPE_CHECKING:`, or define it at the top of its module"
    )


def _within(root: types.Type) -> Iterator[types.Type]:
    """A type and every type that it is made of, each once."""
    waiting: list[object] = [root]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if isinstance(found, tuple):
            waiting += found
        elif isinstance(found, types.Type | types.Field) and id(found) not in seen:
            seen.add(id(found))
            if isinstance(found, types.Type):
                yield found
            waiting += [getattr(found, name) for name in found.__struct_fields__]


def _refuse(found: types.Type, text: str, what: str) -> None:
    kind = getattr(found, "cls", None)
    if not isinstance(kind, type):
        return
    custom = isinstance(found, types.CustomType)
    if (custom and not is_carried(kind)) or (not custom and is_row(kind)):
        got = text if kind.__name__ in text else f"{text} with {kind.__name__}"
        raise ConfigError(f"{what}: expected a type that JSON can carry, got {got}; {advice(kind)}")


def _as_is(found: types.Type) -> frozenset[type]:
    if isinstance(found, types.UnionType):
        return frozenset().union(*map(_as_is, found.types))
    return frozenset(kind for plain, kind in _AS_IS if plain == found)


def _same(given: Any, read: Any) -> bool:  # noqa: ANN401 - any values
    """Whether a value came back as it was given: equal, and of the same types all through.

    A list may be given for a tuple and a tuple for a list, an integer for a float, a class for the one it inherits from
    where that is one of Python's own.
    """
    kind = type(read)
    if kind is list or kind is tuple:
        return isinstance(given, list | tuple) and len(given) == len(read) and all(map(_same, given, read))
    if kind is dict:
        return (
            isinstance(given, dict)
            and len(given) == len(read)
            and all(key in given and _same(given[key], item) for key, item in read.items())
        )
    if kind is set or kind is frozenset:
        return isinstance(given, set | frozenset) and bool(given == read)
    if kind is datetime:
        # Two zones never agree on a time that the clocks show twice, so the time and its offset are compared.
        return (
            isinstance(given, datetime)
            and given.utcoffset() == read.utcoffset()
            and given.replace(tzinfo=None) == read.replace(tzinfo=None)
        )
    fields = _fields(kind)
    if fields is not None:
        return type(given) is kind and all(_same(getattr(given, name), getattr(read, name)) for name in fields)
    return isinstance(given, int | float if kind is float else kind) and bool(given == read)


def _fields(kind: Any) -> Sequence[str] | None:  # noqa: ANN401 - a class, by what it offers
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if hasattr(kind, "__attrs_attrs__"):
        return [field.name for field in kind.__attrs_attrs__]
    names: Sequence[str] | None = getattr(kind, "__struct_fields__", None) or getattr(kind, "_fields", None)
    return names


def _detail(error: Exception) -> str:
    """What an error adds to "expected int, got str 'x'": nothing, where it says the same."""
    return "" if _PLAINLY.fullmatch(str(error)) else f" ({_tidy(error)})"


def _tidy(error: Exception) -> str:
    text = " ".join(str(error).replace("`", "").replace(" - at $", " at ").split()) or type(error).__name__
    return text[:1].lower() + text[1:] if text.startswith(("Expected", "Invalid", "Object", "Type")) else text
