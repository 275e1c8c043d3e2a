"""Queries as conditions of SQL: how they are joined; each store says what a single one is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from treadle.core.query import And, Condition, Not, Or, Test, Text, Than, Where

Leaf = Callable[[Condition], str]


class Values:
    """What a statement binds; `mark` is how its driver writes a name that is bound."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._bound: dict[str, Any] = {}

    def bind(self, value: object) -> str:
        """How the value is written in the statement."""
        name = f"q{len(self._bound)}"
        self._bound[name] = value
        return self._mark.format(name)

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
