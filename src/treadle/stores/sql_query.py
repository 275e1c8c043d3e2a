"""Queries as conditions of SQL: how they are joined, and what is asked of texts; the rest each store says itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, assert_never

from treadle.core.query import And, Condition, Glob, Not, Or, Present, Relation, Test, Text, Than, Where
from treadle.core.query_match import small

Leaf = Callable[[Condition], str]

BEFORE: Mapping[Relation, str] = {"=": "=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
"""What is older than a duration came before an instant."""


class Dialect(NamedTuple):
    """What a database has words of its own for.

    `bound` is how its driver writes a name that is bound, `like` compares a text with a pattern, `wild` are the pieces
    of a pattern that it writes in other ways than a query, `small` makes the letters A to Z of a text small, and
    `found` is the place of the second text in the first, from 1, or 0.
    """

    bound: str
    like: str
    wild: Mapping[str, str]
    small: str
    found: str

    def pattern(self, pieces: Sequence[str]) -> str:
        """A pattern as it has them."""
        return "".join(self.wild.get(piece, piece[-1]) for piece in pieces)


class Values:
    """What a statement of this dialect binds."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._bound: dict[str, Any] = {}

    def bind(self, value: object) -> str:
        """How the value is written in the statement."""
        name = f"q{len(self._bound)}"
        self._bound[name] = value
        return self.dialect.bound.format(name)

    @property
    def bound(self) -> Mapping[str, Any]:
        """Every value by its name."""
        return self._bound


def condition(where: Where, leaf: Leaf) -> str:
    """The condition that a query is in SQL. What is not known (NULL) is not so, also where it is denied."""
    match where:
        case Condition():
            return leaf(where)
        case And(parts):
            return _joined(" AND ", [condition(part, leaf) for part in parts]) if parts else "1 = 1"
        case Or(parts):
            return _joined(" OR ", [condition(part, leaf) for part in parts])
        case Not(part):
            return f"(({condition(part, leaf)}) IS NOT TRUE)"
        case _:
            assert_never(where)


def _joined(word: str, parts: Sequence[str]) -> str:
    """In a tree that is as low as can be: databases bound the depth of what they are asked."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_joined(word, parts[:middle])}{word}{_joined(word, parts[middle:])})"


def filled(text: str, **parts: str) -> str:
    """A statement with parts of it put in their places; a part is SQL of our own, never a value."""
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


def is_text(text: str, test: Test, values: Values) -> str:
    """Whether a text is there, is like a pattern, or is another."""
    match test:
        case Present():
            return f"{text} IS NOT NULL"
        case Glob(pieces):
            return f"{text} {values.dialect.like} {values.bind(values.dialect.pattern(pieces))}"
        case _:
            return f"{text} = {values.bind(text_in(test))}"


def has_text(text: str, test: Test, values: Values) -> str:
    """Whether a text is there, or another stands in it, whatever the case of letters."""
    dialect, smaller = values.dialect, values.dialect.small.format(text)
    match test:
        case Present():
            return f"{text} IS NOT NULL"
        case Glob(pieces):
            pattern = dialect.pattern(["*", *map(small, pieces), "*"])
            return f"{smaller} {dialect.like} {values.bind(pattern)}"
        case _:
            return f"{dialect.found.format(smaller, values.bind(small(text_in(test))))} > 0"


def text_in(test: Test) -> str:
    """The text that a field is compared with where nothing else can be."""
    if isinstance(test, Text):
        return test.value
    raise AssertionError(_UNREACHABLE)


def than(test: Test) -> Than:
    """The comparison of a field that knows no other test."""
    if isinstance(test, Than):
        return test
    raise AssertionError(_UNREACHABLE)


_UNREACHABLE = "unreachable: the parser gives this field no such test"
