"""The text of a query: what it means, what is printed of it, and where it is wrong."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.queries import queries
from treadle.core.query import (
    EVERY_JOB,
    FIELDS,
    And,
    Condition,
    Glob,
    Not,
    Or,
    Plain,
    Present,
    Text,
    Than,
    Where,
    text_of,
)
from treadle.core.query_parser import MOST_CHARACTERS, asks, parse
from treadle.errors import QueryError

A, B, C = (Condition("queue", Text(name)) for name in "abc")

MEANT: dict[str, Where] = {
    "": EVERY_JOB,
    "  \t ": EVERY_JOB,
    "queue:a": A,
    "queue:a queue:b": And((A, B)),
    "queue:a AND queue:b": And((A, B)),
    "queue:a OR queue:b queue:c": Or((A, And((B, C)))),
    "(queue:a OR queue:b) queue:c": And((Or((A, B)), C)),
    "(queue:a)queue:b": And((A, B)),
    "-queue:a": Not(A),
    "NOT queue:a": Not(A),
    "NOT(queue:a OR queue:b)": Not(Or((A, B))),
    "-(queue:a queue:b)": Not(And((A, B))),
    "--queue:a": Not(Not(A)),
    "queue:a -queue:b OR NOT queue:c": Or((And((A, Not(B))), Not(C))),
    'queue:"a b"': Condition("queue", Text("a b")),
    r'queue:"a\"b\\c\d"': Condition("queue", Text(r'a"b\c\d')),
    r"queue:a\ b\:\*": Condition("queue", Text("a b:*")),
    'queue:"*"': Condition("queue", Text("*")),
    "queue:*": Condition("queue", Present()),
    "queue:**": Condition("queue", Present()),
    "name:*Invoice": Condition("name", Glob("*Invoice")),
    "name:a**b?": Condition("name", Glob("a*b?")),
    r"name:a\*b*": Condition("name", Glob(r"a\*b*")),
    "name:MyApp::Mail": Condition("name", Text("MyApp::Mail")),
    "owner:web-1:*": Condition("owner", Glob("web-1:*")),
    "args.user.id:42": Condition("args", Plain("42"), ("user", "id")),
    'args.user.id:"42"': Condition("args", Text("42"), ("user", "id")),
    "args.0:>=1.5": Condition("args", Than(">=", 1.5), ("0",)),
    r"args.a\.b.c\:d:x": Condition("args", Plain("x"), ("a.b", "c:d")),
    "meta.x:null": Condition("meta", Plain("null"), ("x",)),
    "attempt:3": Condition("attempt", Than("=", 3)),
    "attempt:>3": Condition("attempt", Than(">", 3)),
    "age:>5m": Condition("age", Than(">", 300)),
    "age:<=1d12h": Condition("age", Than("<=", 129_600)),
    "age:>90s": Condition("age", Than(">", 90)),
    "due:>-1h": Condition("due", Than(">", -3_600)),
    "finished:>2w": Condition("finished", Than(">", 1_209_600)),
    "Invoice": Condition("", Text("Invoice")),
    '"two words"': Condition("", Text("two words")),
    '"AND"': Condition("", Text("AND")),
    "ORDER": Condition("", Text("ORDER")),
    "andy": Condition("", Text("andy")),
}

FIELD_NAMES = ", ".join(FIELDS)

WRONG = {
    "stat:retryable": (
        f'expected one of the fields {FIELD_NAMES}, got "stat:retryable" at character 1 of the query; '
        f'did you mean "state"?'
    ),
    "queue:a A::B": (
        f'expected one of the fields {FIELD_NAMES}, got "A::B" at character 9 of the query; '
        f"a word that holds a colon stands in quotes"
    ),
    "state:retriable": (
        "expected one of the states available, scheduled, executing, retryable, completed, discarded, cancelled, "
        'suspended, got "retriable" at character 7 of the query; did you mean "retryable"?'
    ),
    "queue:a OR": "expected a condition such as state:retryable, got its end at character 11 of the query",
    "OR queue:a": 'expected a condition such as state:retryable, got "OR" at character 1 of the query',
    "queue:a AND OR queue:b": 'expected a condition such as state:retryable, got "OR" at character 13 of the query',
    "()": 'expected a condition such as state:retryable, got ")" at character 2 of the query',
    "queue:a -": "expected a condition such as state:retryable, got its end at character 10 of the query",
    "(queue:a": 'expected ")" for the parenthesis at character 1, got its end at character 9 of the query',
    "queue:a)": 'expected an opening parenthesis before it, got ")" at character 8 of the query',
    "queue:": "expected after queue: a text, in which * stands for any characters and ? for one, "
    'got "queue:" at character 1 of the query',
    'queue:"a': 'expected a closing quote, got ""a" at character 7 of the query',
    'queue:"a"b': 'expected a blank after what begins at character 7, got "b" at character 10 of the query',
    'a"b"': 'expected a blank after what begins at character 1, got ""b"" at character 2 of the query',
    "queue:a(": 'expected a blank after what begins at character 7, got "(" at character 8 of the query',
    "queue:a\\": 'expected a character after the backslash, got "\\" at character 8 of the query',
    "queue.x:a": 'expected the field queue without a path, got "queue.x:a" at character 1 of the query',
    "args:1": 'expected a path such as args.user.id, at most 20 long, got "args:1" at character 1 of the query',
    "args..x:1": 'expected a path such as args.user.id, at most 20 long, got "args..x:1" at character 1 of the query',
    "args.x:>y": 'expected a number after >, got ">y" at character 8 of the query',
    "attempt:many": "expected after attempt: a whole number, by itself or after >, >=, < or <=, "
    'got "many" at character 9 of the query',
    "age:5m": "expected after age: >, >=, < or <= and a duration such as 5m, 2h or 1d12h, "
    'got "5m" at character 5 of the query',
    "age:>5x": "expected after age: >, >=, < or <= and a duration such as 5m, 2h or 1d12h, "
    'got ">5x" at character 5 of the query',
    "age:>200000d": 'expected a duration of at most 100 years, got ">200000d" at character 5 of the query',
    "id:4*": 'expected an id as it is, without * and ?, got "4*" at character 4 of the query',
    "queue:>a": "expected after queue: a text, in which * stands for any characters and ? for one, "
    'got ">a" at character 7 of the query; quotes make it a text',
    "queue:a and queue:b": 'expected AND in capital letters, or "and" in quotes, got "and" at character 9 of the query',
    "queue:a\0": "expected text that every store can keep, got '\\x00' at character 8 of the query",
    "name:\ud800": "expected text that every store can keep, got '\\ud800' at character 6 of the query",
}


@pytest.mark.parametrize("text", MEANT)
def test_a_text_means_its_query(text: str) -> None:
    assert parse(text) == MEANT[text]


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_told_with_its_place(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert str(caught.value) == WRONG[text]


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_the_example_of_a_field_is_a_query_for_it(field: object) -> None:
    found = parse(field.example)  # type: ignore[attr-defined] # parametrized
    assert isinstance(found, Condition)
    assert found.about == field


@given(queries)
def test_a_printed_query_is_read_as_the_same(where: Where) -> None:
    assert parse(text_of(where)) == where


@given(st.text(alphabet='ab:*?"\\()-<> .0AORNT\n', max_size=40))
def test_whatever_is_read_is_printed_so_that_it_is_read_again(text: str) -> None:
    where = outcome(text)
    if isinstance(where, str):
        assert where.isprintable()
    else:
        assert parse(text_of(where)) == where


def outcome(text: str) -> Where | str:
    """The query, or what is wrong with it."""
    try:
        return parse(text)
    except QueryError as error:
        return str(error)


HOSTILE = (
    "(",
    "-",
    "NOT ",
    '"',
    "\\",
    "a:",
    "*a",
    "a ",
    "a OR ",
    "args." + "a." * 50,
    "queue:" + "*a" * 50 + " ",
    "a\\",
    "-(",
    "9",
    "é ",
)


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("size", [MOST_CHARACTERS, 100_000])
def test_hostile_text_is_answered_at_once(piece: str, size: int) -> None:
    text = (piece * (size // len(piece) + 1))[:size]
    began = time.process_time()
    found = outcome(text)
    assert time.process_time() - began < 0.05
    assert not isinstance(found, str) or len(found) < 400


def test_a_query_has_bounds() -> None:
    for text, bound in (
        ("a " * 201, "at most 200 conditions"),
        ("(" * 51 + "a" + ")" * 51, "at most 50 levels of nesting"),
        ("-" * 51 + "a", "at most 50 levels of nesting"),
        ("x" * 10_001, "a query of at most 10,000 characters, got 10,001"),
    ):
        with pytest.raises(QueryError, match=bound):
            parse(text)


@pytest.mark.parametrize(
    ("word", "is_query"),
    [
        ("state:retryable", True),
        ("-tag:vip", True),
        ("(queue:a", True),
        ("NOT queue:a", True),
        ("args.user.id:42", True),
        ("*Invoice", True),
        ("two words", True),
        ("42", False),
        ("5f1c9a", False),
        ("shop:app", False),
        ("shop.jobs:create", False),
        ("A::B", False),
    ],
)
def test_a_query_is_told_from_an_id_and_an_app(word: str, *, is_query: bool) -> None:
    assert asks(word) is is_query
