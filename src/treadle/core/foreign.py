"""Classes that JSON and msgspec do not know: which of them are carried all the same, and what to pass for the others.

Nothing is imported to find out: a library's classes are known by what they offer, and only where they are used.
"""

import io
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

import msgspec

# What `typing`, tempfile and web frameworks have for files, beside the classes of `io`.
_FILES = {"IO", "TextIO", "BinaryIO", "_TemporaryFileWrapper", "SpooledTemporaryFile", "UploadFile"}
_TABLES = {"dask", "geopandas", "numpy", "pandas", "polars", "pyarrow", "xarray"}
# What sessions, connections, cursors, clients, pools, locks and web applications can do, and plain values cannot.
_LIVING = ("cursor", "execute", "commit", "connect", "request", "acquire", "add_route", "wsgi_app")
_ROWS = ("refresh_from_db", "__table__", "__mapper__", "dirty_fields")
_BYTES = (bytes, bytearray, memoryview)
_CARRIED = (datetime, date, time, timedelta, UUID, Decimal, Enum, *_BYTES, set, frozenset, PurePath)
_FIELDS = ("__dataclass_fields__", "__struct_fields__", "__attrs_attrs__")


def is_carried(kind: type) -> bool:
    """Whether values of a class that msgspec does not know are written by `to_plain` and read by `from_plain`."""
    return kind is object or issubclass(kind, PurePath) or (_is_model(kind) and not is_row(kind))


def is_row(kind: type) -> bool:
    """Whether instances are rows of a database: of Django and Tortoise, SQLAlchemy and SQLModel, Peewee."""
    return any(hasattr(kind, mark) for mark in _ROWS)


def to_plain(value: object) -> object:
    """A value of which the encoder knows nothing, as one of which it does. Raises TypeError.

    Paths are text; numbers, texts and times of a class that inherits from Python's own (numpy's floats, Django's safe
    strings) are what they inherit from; pydantic's models are their fields, by alias, without what is computed.
    """
    match value:
        case str():
            return str.__str__(value)
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
        case datetime() | date() | time():
            return value.isoformat()
        case PurePath():
            return str(value)
    if is_carried(type(value)) and type(value) is not object:
        dump = cast("Callable[..., object]", type(value).model_dump)  # type: ignore[attr-defined] # by is_carried
        return dump(value, mode="json", by_alias=True, round_trip=True)
    raise TypeError(f"{type(value).__name__} is no type that JSON has; {advice(type(value))}")


def from_plain(kind: type, value: object) -> object:
    """A value of a class that `to_plain` writes. Raises TypeError and what the class raises."""
    if kind is object:
        return value
    if issubclass(kind, PurePath):
        if not isinstance(value, str):
            raise TypeError(f"expected the text of a path, got {type(value).__name__}")
        return kind(value)
    try:
        # As JSON, and not as Python's values: a strict model takes the text of a date from JSON alone.
        return cast("Any", kind).model_validate_json(msgspec.json.encode(value))
    except ValueError as error:
        raise ValueError(_in_one_line(error)) from error


def advice(kind: type) -> str:
    """What to do instead of passing an instance of this class."""
    return next(text for fits, text in _ADVICE if fits(kind))


def _in_one_line(error: Any) -> str:  # noqa: ANN401 - pydantic's ValidationError, or another
    if not hasattr(error, "errors"):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, flaw['loc'])) or 'it'}: {flaw['msg']}" for flaw in error.errors())


def _is_model(kind: type) -> bool:
    return hasattr(kind, "model_validate_json") and hasattr(kind, "model_dump")


def _is_typed(kind: type) -> bool:
    return issubclass(kind, _CARRIED) or _is_model(kind) or any(hasattr(kind, mark) for mark in _FIELDS)


_ADVICE: Sequence[tuple[Callable[[type], bool], str]] = (
    (is_row, "pass its primary key, and load it in the job"),
    (lambda kind: kind.__module__.partition(".")[0] in _TABLES, "pass the path of its file, or its plain values"),
    (lambda kind: issubclass(kind, io.IOBase) or kind.__name__ in _FILES, "pass its path, and open it in the job"),
    (
        lambda kind: any(hasattr(kind, verb) for verb in _LIVING),
        "let the worker make it: a keyword-only parameter = Inject(provider)",
    ),
    (_is_typed, "annotate the parameter with its type, and it is converted"),
    (lambda kind: hasattr(kind, "__iter__"), "pass a list or a dict instead"),
    (lambda _: True, "pass its id or its plain fields instead"),
)
