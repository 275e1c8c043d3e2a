"""Named arguments of a query as positions."""

import pytest

from treadle.core.query import text_of
from treadle.core.query_arguments import MOST_CONDITIONS, by_position
from treadle.core.query_parser import parse
from treadle.errors import QueryError

JOBS = {
    "welcome": ("user_id", "lang"),
    "goodbye": ("user_id",),
    "mail": ("to", "user_id"),
    "sum": ("first", "*numbers"),
}


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        ("args.0:1", "args.0:1"),
        ("args.lang:en", "name:welcome args.1:en"),
        ("args.user_id:7", "(name:welcome OR name:goodbye) args.0:7 OR name:mail args.1:7"),
        ("-args.lang.x:en", "-(name:welcome args.1.x:en)"),
        ("queue:a (args.to:x OR args.0:y)", "queue:a (name:mail args.0:x OR args.0:y)"),
        ("args.numbers.2:>5", "name:sum args.3:>5"),
        ("args.numbers:*", "name:sum args.1:*"),
        ("args.numbers.x:1", "-()"),
        ("meta.lang:en", "meta.lang:en"),
    ],
)
def test_a_name_becomes_a_position_of_each_job_that_has_it(text: str, placed: str) -> None:
    assert text_of(by_position(parse(text), JOBS)) == placed


def test_a_name_that_no_job_gives_is_refused() -> None:
    with pytest.raises(QueryError) as caught:
        by_position(parse("args.user:7"), JOBS)
    assert str(caught.value) == (
        "expected args. to be followed by a position, as in args.0, or by an argument of a registered job on this "
        'store, which keeps arguments as lists, got "user"; did you mean "user_id"?'
    )


def test_a_query_does_not_grow_without_bound() -> None:
    jobs = {f"job{number}": ("user_id",) for number in range(MOST_CONDITIONS)}
    with pytest.raises(QueryError, match=r"expected at most 5,000 conditions .*, got 5,001: give positions"):
        by_position(parse("args.user_id:7"), jobs)
