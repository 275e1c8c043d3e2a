"""A query finds the same jobs on every store, from its text to what comes back, whatever values users wrote."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.core.queries import queries
from treadle import Treadle
from treadle.core.query import And, Condition, Not, Or, Where, leaves, text_of

VALUES: tuple[object, ...] = (
    *(None, True, 0, 42, -7, 0.5, 42.0, 2**53 + 1, "a", "42", "true", "null"),
    *("é", "a b", "a%_", "[b]", "a*", '"', "\\"),
    *({"a": 1, "b": {"0": "x"}}, {"a.b": "q", 'q"': [1, "a"]}, [1, "a", {"a": 42}], [], {}),
)
QUEUES = {"a": "a", "A": "A", "ab": "b", "b.a": "a b"}
# Those that every store tells alike; ids and owners are each store's own.
FIELDS = {"state", "queue", "name", "args", "meta", "tag", "error", "attempt", "max_attempts", "age", "due", ""}


class Shop:
    """The same jobs on a store of its own, known by their number."""

    def __init__(self, url: str) -> None:
        self.app = Treadle(url)
        self._numbers: dict[str, int] = {}
        jobs = [
            self.app.job(name=name, queue=queue, max_attempts=5, tags=("a", "é") if name == "A" else ())(_two)
            for name, queue in QUEUES.items()
        ]
        for number, (value, (job, delay)) in enumerate(zip(VALUES * 2, cycle(product(jobs, (0, 3_600))))):
            other = VALUES[-number % len(VALUES)]
            handle = job.options(delay=delay, meta={"a": other, "b": {"a": value}}).enqueue(value, other)
            self._numbers[handle.id] = number

    def found(self, text: str) -> list[int]:
        return sorted(self._numbers[view.id] for view in self.app.jobs.find(text, limit=1_000))


def _two(a: object, b: object = None) -> None:
    """Takes two arguments, which Redis keeps by position and SQL by name."""


@pytest.fixture
def shops(tmp_path: Path, redis_url: str, postgres_url: str) -> Iterator[list[Shop]]:
    with ExitStack() as stack:
        made = [Shop(url) for url in (f"sqlite:///{tmp_path / 'jobs.db'}", redis_url, postgres_url)]
        for shop in made:
            stack.callback(shop.app.close)
        yield made


def _by_name(where: Where) -> Where:
    """The same with arguments that the jobs have."""
    match where:
        case And(parts):
            return And(tuple(map(_by_name, parts)))
        case Or(parts):
            return Or(tuple(map(_by_name, parts)))
        case Not(part):
            return Not(_by_name(part))
        case Condition(field="args", path=(first, *rest)) if first not in {"a", "b"}:
            return Condition("args", where.test, ("a", *rest))
        case _:
            return where


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(queries)
def test_every_store_finds_the_same_jobs(shops: list[Shop], where: Where) -> None:
    assume(all(leaf.field in FIELDS for leaf in leaves(where)))
    text = text_of(_by_name(where))
    first, *others = [shop.found(text) for shop in shops]
    assert others == [first, first], text
