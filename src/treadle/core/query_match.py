"""Whether a job is what a query asks for: the meaning that every store keeps to."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import Any, Final, assert_never

from treadle.core.job import JobView
from treadle.core.query import (
    And,
    Condition,
    Glob,
    Kind,
    Not,
    Or,
    Plain,
    Present,
    Relation,
    Test,
    Text,
    Than,
    Where,
    comparable,
)

_MISSING: Final = object()
_RELATIONS: Mapping[Relation, Callable[[Any, Any], bool]] = {"=": eq, ">": gt, ">=": ge, "<": lt, "<=": le}
_WORDS = {"true": True, "false": False, "null": None}
_SMALL = {ord(capital): ord(capital) + 32 for capital in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def matches(view: JobView, where: Where, now: float) -> bool:
    """Whether this job is meant; durations count from `now`, seconds since the epoch by the store's clock."""
    match where:
        case Condition():
            return _holds(view, where, now)
        case And(parts):
            return all(matches(view, part, now) for part in parts)
        case Or(parts):
            return any(matches(view, part, now) for part in parts)
        case Not(part):
            return not matches(view, part, now)
        case _:
            assert_never(where)


def small(text: str) -> str:
    """The text with the capital letters A to Z made small, as every store does it, and no others."""
    return text.lower() if text.isascii() else text.translate(_SMALL)


def position(part: str) -> int | None:
    """The place in a list that a part of a path may mean."""
    number = part.isascii() and part.isdigit() and len(part) < 10  # noqa: PLR2004 - more than a list holds
    return int(part) if number and (part == "0" or part[0] != "0") else None


def _holds(view: JobView, condition: Condition, now: float) -> bool:
    about, test = condition.about, condition.test
    value = getattr(view, about.attribute)
    match about.kind:
        case Kind.ID | Kind.STATE | Kind.TEXT:
            return value is not None and _is(value, test)
        case Kind.ANY_TEXT:
            return any(_is(each, test) for each in value)
        case Kind.PART:
            text = value if isinstance(value, str) else value[-1].error if value else None
            return text is not None and _has(text, test)
        case Kind.NUMBER:
            return type(value) is int and _compares(value, test)
        case Kind.AGO:
            return value is not None and _compares(now - value.timestamp(), test)
        case Kind.JSON:
            return _json_is(_at(value, condition.path), test)
        case _:
            assert_never(about.kind)


def _is(text: str, test: Test) -> bool:
    if isinstance(test, Glob):
        return _whole(test).match(text) is not None
    return isinstance(test, Present) or (isinstance(test, Text) and text == test.value)


def _has(text: str, test: Test) -> bool:
    if isinstance(test, Glob):
        return _part(test).match(small(text)) is not None
    return isinstance(test, Present) or (isinstance(test, Text) and small(test.value) in small(text))


def _compares(number: "int | float", test: Test) -> bool:
    return isinstance(test, Than) and _RELATIONS[test.relation](number, test.value)


def _at(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
    for part in path:
        index = position(part)
        if isinstance(value, Mapping):
            value = value.get(part, _MISSING)
        elif isinstance(value, list) and index is not None and index < len(value):
            value = value[index]
        else:
            return _MISSING
    return value


def _json_is(value: object, test: Test) -> bool:
    match test:
        case Present():
            return value is not _MISSING
        case Plain(text):
            return value == text or _is_written(value, test)
        case Text() | Glob():
            return isinstance(value, str) and _is(value, test)
        case Than():
            number = _number(value)
            return number is not None and _compares(number, test)
        case _:
            assert_never(test)


def _is_written(value: object, test: Plain) -> bool:
    """Whether JSON writes a value like this that is no text."""
    if test.value in _WORDS:
        return value is _WORDS[test.value]
    number = _number(value)
    return number is not None and number == test.number


def _number(value: object) -> "int | float | None":
    if type(value) is not int and type(value) is not float:
        return None
    try:
        return comparable(value)
    except OverflowError:
        return None


@lru_cache(256)
def _whole(glob: Glob) -> "re.Pattern[str]":
    return re.compile(_regex(glob.pieces), re.DOTALL)


@lru_cache(256)
def _part(glob: Glob) -> "re.Pattern[str]":
    return re.compile(_regex(["*", *map(small, glob.pieces), "*"]), re.DOTALL)


def _regex(pieces: list[str]) -> str:
    """A pattern that never looks back.

    The first place where the text between two stars fits is as good as any later one, so each is an atomic group.
    """
    segments: list[str] = [""]
    for piece in pieces:
        if piece == "*":
            segments.append("")
        else:
            segments[-1] += "." if piece == "?" else re.escape(piece[-1])
    if len(segments) == 1:
        return rf"{segments[0]}\Z"
    first, *middle, last = segments
    return first + "".join(f"(?>.*?{segment})" for segment in middle if segment) + rf".*{last}\Z"
