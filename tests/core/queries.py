"""Queries and jobs for property tests: every form that the grammar has, on values small enough to meet each other."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from treadle.core.job import JobError, JobView
from treadle.core.query import (
    FIELDS,
    And,
    Condition,
    Field,
    Glob,
    Kind,
    Not,
    Or,
    Plain,
    Present,
    Test,
    Text,
    Than,
    Where,
)
from treadle.core.states import State

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RELATIONS = st.sampled_from((">", ">=", "<", "<="))

words = st.sampled_from(
    ("a", "A", "ab", "ba", "b.a", "é", "a b", "a*", "[b]", "a%_", '"', "\\", "-a", ">a", "42", "and")
)
numbers = st.sampled_from((0, 1, 42, -7, 2**53 + 1, 2**63 - 1, 0.5, -1.25))
plain = st.sampled_from(("a", "42", "42.0", "0.5", "true", "false", "null", "-7", str(2**53 + 1), "1e3", "007", "a b"))
keys = st.sampled_from(("a", "b", "0", "1", "a.b", 'q"', "é", "x y"))
pieces = st.lists(st.sampled_from(("*", "?", "a", "b", "A", "\\*", "\\?", "\\\\", "é", "[", "%", "_")), max_size=5)


def glob(given: Sequence[str]) -> Glob:
    """A pattern as the parser gives it: with something wild that is more than one star, and no two stars together."""
    kept = [piece for index, piece in enumerate(given) if not (piece == "*" and given[index - 1 : index] == ["*"])]
    return Glob("".join(kept if {"*", "?"} & {*kept} and kept != ["*"] else ["?", *kept]))


patterns = pieces.map(glob)


def tests(field: Field) -> st.SearchStrategy[Test]:
    """What the parser may give for a field."""
    texts: st.SearchStrategy[Test] = words.map(Text)
    match field.kind:
        case Kind.ID:
            return st.sampled_from(("1", "2", "x")).map(Text)
        case Kind.STATE:
            return st.sampled_from(State).map(lambda state: Text(state.value))
        case Kind.NUMBER:
            return st.builds(Than, st.sampled_from(("=", ">", ">=", "<", "<=")), st.integers(0, 6))
        case Kind.AGO:
            return st.builds(Than, RELATIONS, st.integers(-3, 5).map(lambda number: number * 3_601))
        case Kind.JSON:
            return st.one_of(texts, plain.map(Plain), patterns, st.just(Present()), st.builds(Than, RELATIONS, numbers))
        case _:
            return st.one_of(texts, patterns, st.just(Present()))


def conditions(field: Field) -> st.SearchStrategy[Condition]:
    """Conditions on a field."""
    path = st.lists(keys, min_size=1, max_size=3).map(tuple) if field.kind is Kind.JSON else st.just(())
    return st.builds(Condition, st.just(field.name), tests(field), path)


leaves: st.SearchStrategy[Where] = st.one_of(
    *map(conditions, FIELDS.values()), st.builds(Condition, st.just(""), st.one_of(words.map(Text), patterns))
)


def _joined(parts: st.SearchStrategy[Where]) -> st.SearchStrategy[Where]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(several.map(And), several.map(Or), parts.map(Not))


queries: st.SearchStrategy[Where] = st.recursive(leaves, _joined, max_leaves=6)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=4,
)
mappings = st.dictionaries(keys, json_values, max_size=3)
known_moments = st.integers(-4, 6).map(lambda hours: NOON - timedelta(hours=hours))
moments = st.one_of(st.none(), known_moments)

views = st.builds(
    JobView,
    id=st.sampled_from(("1", "2")),
    state=st.sampled_from(State),
    name=words,
    queue=words,
    args=st.one_of(mappings, st.lists(json_values, max_size=3)),
    attempt=st.integers(0, 4),
    max_attempts=st.integers(4, 6),
    inserted_at=known_moments,
    scheduled_at=known_moments,
    attempted_at=moments,
    finished_at=moments,
    errors=st.lists(st.builds(JobError, words), max_size=2).map(tuple),
    owner=st.one_of(st.none(), words),
    tags=st.lists(words, max_size=2).map(tuple),
    meta=mappings,
    priority=st.integers(0, 4),
)
