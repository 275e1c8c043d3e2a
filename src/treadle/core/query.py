"""What a query is: conditions on fields of a job, joined by AND, OR and NOT; values that print as the text they mean.

The table of fields is the only one: the parser, the stores, the command line and the documentation are held to it.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from math import isfinite
from typing import Literal, assert_never

import msgspec

from treadle.core.states import State


class Kind(Enum):
    """How the values of a field are written and compared."""

    ID = "exactly this text"
    STATE = "one of the states"
    TEXT = "a text, in which `*` stands for any characters and `?` for one"
    ANY_TEXT = "the same, of any one of several"
    PART = "a part of a text; capital letters are as small ones"
    NUMBER = "a whole number, by itself or after `>`, `>=`, `<` or `<=`"
    AGO = "`>`, `>=`, `<` or `<=` and a duration such as `5m`, `2h` or `1d12h`"
    JSON = "a value of JSON, a text with `*` and `?`, or a number after `>`, `>=`, `<` or `<=`"


class Field(msgspec.Struct, frozen=True):
    """What can be asked of a job; `attribute` is that of JobView which is compared."""

    name: str
    attribute: str
    kind: Kind
    doc: str
    example: str


_ALL = (
    Field("id", "id", Kind.ID, "its id", "id:42"),
    Field("state", "state", Kind.STATE, f"its state: {', '.join(State)}", "state:retryable"),
    Field("queue", "queue", Kind.TEXT, "its queue", "queue:mail"),
    Field("name", "name", Kind.TEXT, "its name", "name:*Invoice"),
    Field("args", "args", Kind.JSON, "an argument, by name or position, or what is in it", "args.user.id:42"),
    Field("meta", "meta", Kind.JSON, "a value of its `meta`", "meta.tenant:acme"),
    Field("tag", "tags", Kind.ANY_TEXT, "one of its tags, in small letters", "tag:vip"),
    Field("error", "errors", Kind.PART, "a part of its latest error", "error:Timeout"),
    Field("attempt", "attempt", Kind.NUMBER, "how many attempts have begun", "attempt:>3"),
    Field("max_attempts", "max_attempts", Kind.NUMBER, "how many attempts it has at the most", "max_attempts:1"),
    Field("priority", "priority", Kind.NUMBER, "its priority, 0 first", "priority:<3"),
    Field("age", "inserted_at", Kind.AGO, "how long ago it was enqueued", "age:>5m"),
    Field("due", "scheduled_at", Kind.AGO, "how long ago it was due; `-1h` is in an hour", "due:>10m"),
    Field("ran", "attempted_at", Kind.AGO, "how long ago its latest attempt began", "ran:<1h"),
    Field("finished", "finished_at", Kind.AGO, "how long ago it ended", "finished:>1d12h"),
    Field("owner", "owner", Kind.TEXT, "the process that runs it, or ran it last, `host:pid:nonce`", "owner:web-1:*"),
)

FIELDS: Mapping[str, Field] = {field.name: field for field in _ALL}
"""Every field by its name."""

WORD = Field("", "name", Kind.PART, "a word without a field: a part of its name", "Invoice")

Relation = Literal["=", ">", ">=", "<", "<="]


class Text(msgspec.Struct, frozen=True):
    """Exactly this text; of a field that is compared by parts, this text within it."""

    value: str


class Plain(msgspec.Struct, frozen=True):
    """What JSON writes like this, a number, `true`, `false` or `null`, or the text of the same letters."""

    value: str

    @property
    def number(self) -> int | float | None:
        """The number that is written so, if one is."""
        return number_of(self.value)


class Glob(msgspec.Struct, frozen=True):
    """A text of this pattern; `*`, `?` and the backslash stand for themselves after a backslash."""

    pattern: str

    @property
    def pieces(self) -> list[str]:
        """The pattern in its pieces: `*`, `?`, and characters that mean themselves, each after a backslash."""
        return [found[0] if found[0] in "*?" else f"\\{found[0][-1]}" for found in _GLOB_PIECE.finditer(self.pattern)]


class Present(msgspec.Struct, frozen=True):
    """Anything, if only there is something."""


class Than(msgspec.Struct, frozen=True):
    """A number, or a duration in seconds, that compares like this."""

    relation: Relation
    value: int | float


Test = Text | Plain | Glob | Present | Than


class Condition(msgspec.Struct, frozen=True):
    """What one field must be. `field` is "" for a word without one; `path` leads into JSON."""

    field: str
    test: Test
    path: tuple[str, ...] = ()

    @property
    def about(self) -> Field:
        """The field's entry in the table."""
        return FIELDS[self.field] if self.field else WORD


class And(msgspec.Struct, frozen=True):
    """All of these; without parts it is every job."""

    parts: tuple["Where", ...]


class Or(msgspec.Struct, frozen=True):
    """At least one of these."""

    parts: tuple["Where", ...]


class Not(msgspec.Struct, frozen=True):
    """Not this one; what cannot be told of a job is not so."""

    part: "Where"


Where = And | Or | Not | Condition

EVERY_JOB = And(())

_GLOB_PIECE = re.compile(r"\\.|.", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SAFE = re.compile(r"[A-Za-z0-9_.,@/:+=%#-]+")
_SPECIAL = re.compile(r'([\s()"\\*?])')
_SPECIAL_IN_PATH = re.compile(r'([\s()":.\\])')
_MISREAD = re.compile(r"^-|:")
_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DIGITS_OF_64_BITS = 19
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def number_of(text: str) -> int | float | None:
    """The number that JSON writes so: an integer of 64 bits as it is, any other as the nearest float; else None."""
    if not _NUMBER.fullmatch(text):
        return None
    digits = text.removeprefix("-")
    if digits.isdigit() and len(digits) <= _DIGITS_OF_64_BITS:
        return comparable(int(text))
    value = float(text)
    return value if isfinite(value) else None


def comparable(number: "int | float") -> "int | float":
    """A number of JSON as every store compares it. Raises OverflowError for one that no float is near."""
    return number if isinstance(number, float) or _LEAST <= number <= _MOST else float(number)


def leaves(where: Where) -> Iterable[Condition]:
    """Every condition of a query, from left to right."""
    match where:
        case Condition():
            yield where
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            assert_never(where)


# Printing


def text_of(where: Where) -> str:
    """The text of a query, which is parsed to an equal one."""
    match where:
        case And(parts):
            return " ".join(_grouped(part) for part in parts)
        case Or(parts):
            return " OR ".join(_grouped(part) if isinstance(part, Or) else text_of(part) for part in parts)
        case Not(part):
            return f"-{_grouped(part)}"
        case Condition():
            return _condition(where)
        case _:
            assert_never(where)


def _grouped(where: Where) -> str:
    text = text_of(where)
    return f"({text})" if isinstance(where, And | Or) else text


def _condition(condition: Condition) -> str:
    test = condition.test
    value = _value(test, condition.about.kind)
    if condition.field:
        path = "".join("." + _SPECIAL_IN_PATH.sub(r"\\\1", part) for part in condition.path)
        return f"{condition.field}{path}:{value}"
    # What holds a colon, begins with a minus or is a word of the grammar would be read as such.
    if isinstance(test, Glob):
        return _MISREAD.sub(r"\\\g<0>", value)
    return _quoted(test.value) if isinstance(test, Text) and _is_misread(value) else value


def _is_misread(word: str) -> bool:
    return not word.startswith('"') and (_MISREAD.search(word) is not None or word.upper() in {"AND", "OR", "NOT"})


def _value(test: Test, kind: Kind) -> str:
    match test:
        case Present():
            return "*"
        case Text(value):
            return value if kind is not Kind.JSON and _SAFE.fullmatch(value) else _quoted(value)
        case Plain(value):
            return _bare(_SPECIAL.sub(r"\\\1", value))
        case Glob():
            return _bare("".join(_SPECIAL.sub(r"\\\1", p[1:]) if p[0] == "\\" else p for p in test.pieces))
        case Than(relation, value):
            written = duration(int(value)) if kind is Kind.AGO else repr(value)
            return written if relation == "=" else f"{relation}{written}"
        case _:
            assert_never(test)


def _bare(text: str) -> str:
    return f"\\{text}" if text[:1] in {"<", ">"} else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def duration(seconds: int) -> str:
    """Seconds as they are written in a query, such as 1d12h."""
    left, parts = abs(seconds), []
    for unit, size in _UNITS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")
