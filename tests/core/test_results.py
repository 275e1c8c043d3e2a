"""What a function returned comes back as it was, converted where its annotation says so."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

import pytest

from tests.core.typed import Item, Point, User
from treadle.core.results import ReturnedValue
from treadle.errors import ArgumentError, ConfigError


def point() -> Point: ...  # type: ignore[empty-body]
def day() -> date: ...  # type: ignore[empty-body]
def items() -> list[Item]: ...  # type: ignore[empty-body]
def prices() -> dict[str, Decimal]: ...  # type: ignore[empty-body]
def number() -> int: ...  # type: ignore[empty-body]
def nothing() -> None: ...
def never() -> NoReturn: ...  # type: ignore[empty-body]
def anything() -> Any: ...  # noqa: ANN401
def user() -> User: ...  # type: ignore[empty-body]
async def later() -> Point: ...  # type: ignore[empty-body]
def untyped(): ...  # type: ignore[no-untyped-def] # noqa: ANN201


def came_back(function: Callable[..., Any], value: object) -> object:
    kept = ReturnedValue("work", function)
    return kept.read(kept.write(value))


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (point, Point(1, 2)),
        (later, Point(1, 2)),
        (day, date(2026, 1, 2)),
        (items, [Item(itemNumber=1, at=datetime(2026, 1, 2, tzinfo=UTC))]),
        (prices, {"tea": Decimal("3.20")}),
        (number, 42),
        (nothing, None),
        (anything, {"a": [1]}),
        (untyped, {"a": [1]}),
    ],
)
def test_a_value_comes_back_as_the_annotation_says(function: Callable[..., Any], value: object) -> None:
    read = came_back(function, value)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("function", "value"),
    [(number, "42"), (number, None), (point, {"x": 1}), (nothing, 1), (never, 1), (prices, {"tea": "dear"})],
)
def test_a_promise_that_is_not_kept_loses_no_value_that_is_plain(function: Callable[..., Any], value: object) -> None:
    read = came_back(function, value)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (number, date(2026, 1, 2), 'job "work", returned value: expected int, got date'),
        (prices, {"tea": Decimal("NaN")}, 'job "work", returned value: expected dict[str, decimal.Decimal], got dict'),
        (untyped, date(2026, 1, 2), 'job "work", returned value: expected a value that JSON has'),
        (untyped, float("nan"), 'job "work", returned value: expected a finite number, got nan'),
        (number, float("nan"), 'job "work", returned value: expected a finite number, got nan'),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused(function: Callable[..., Any], value: object, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        ReturnedValue("work", function).write(value)
    assert str(caught.value).startswith(text)


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    value: list[Any] = []
    for _ in range(90):
        value = [value]
    for function in (anything, lists):
        with pytest.raises(ArgumentError, match="expected at most 90 levels of nesting"):
            ReturnedValue("work", function).write(value)


def lists() -> list[Any]: ...  # type: ignore[empty-body]


def test_an_annotation_that_can_never_be_kept_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        ReturnedValue("work", user)
    assert str(caught.value) == (
        'job "work", returned value: expected a type that JSON can carry, got User; pass its primary key, and load it '
        "in the job"
    )
