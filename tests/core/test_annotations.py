"""Annotations are resolved when they are needed, with what is there then; what is not is named."""

from __future__ import annotations

import functools
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import msgspec
import pytest

from treadle.core.annotations import returned
from treadle.core.arguments import Shape, Signature
from treadle.core.inject import Inject
from treadle.errors import ArgumentError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.typed import Point, Session

T = TypeVar("T")


def early(later: Later, many: list[Later]) -> None: ...


class Later(msgspec.Struct):
    day: date


class Cyclic(msgspec.Struct):
    point: Point


def by_name(point: Point) -> None: ...
def within(points: dict[str, list[Point]]) -> None: ...
def in_a_class(cyclic: Cyclic) -> None: ...
def with_session(user_id: int, *, session: Session = Inject(), other: Annotated[Session, 1] = Inject()) -> None: ...
def any_type(value: T, other: Any, third: object, fourth) -> T:  # type: ignore[no-untyped-def, empty-body] # noqa: ANN001, ANN401
    ...


def prose(value): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - annotated below


prose.__annotations__["value"] = "a number of apples"


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return function(*args, **kwargs)

    return wrapper


def refusal(function: Callable[..., Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        Signature("work", function)
    return str(caught.value)


def test_a_class_may_be_defined_after_the_function() -> None:
    signature = Signature("work", early)
    one = Later(date(2026, 1, 2))
    assert signature.load(signature.dump((one, [one]), {}, Shape.LIST)) == ((one, [one]), {})


@pytest.mark.parametrize(("function", "parameter", "text"), [(by_name, "point", "Point"), (within, "points", "list")])
def test_a_name_that_only_a_type_checker_has_is_refused(
    function: Callable[..., Any], parameter: str, text: str
) -> None:
    refused = refusal(function)
    assert refused.startswith(f'job "work", parameter "{parameter}": expected an annotation whose names exist when')
    assert text in refused
    assert refused.endswith(
        'and "Point" is not defined there; import it outside of `if TYPE_CHECKING:`, or define it at the top of its '
        "module"
    )


def test_a_name_that_a_field_of_a_class_lacks_is_refused_too() -> None:
    assert 'parameter "cyclic": expected an annotation whose names exist when' in refusal(in_a_class)
    assert 'got Cyclic, and "Point" is not defined there' in refusal(in_a_class)


def test_annotations_of_injected_parameters_are_never_looked_at() -> None:
    assert Signature("work", with_session).dump((1,), {}, Shape.LIST) == b"[1]"


def test_what_may_be_anything_takes_plain_json() -> None:
    signature = Signature("work", any_type)
    assert signature.dump((1, "a", None, [1]), {}, Shape.LIST) == b'[1,"a",null,[1]]'
    with pytest.raises(ArgumentError, match='argument "third": expected a value that JSON has'):
        signature.dump((1, 1, date(2026, 1, 2), 1), {}, Shape.LIST)


def test_an_annotation_that_is_prose_is_refused() -> None:
    assert refusal(prose).startswith(
        'job "work", parameter "value": expected an annotation that is a type, got a number of apples: '
    )


def test_a_local_class_is_found_where_the_function_uses_it() -> None:
    class Local(msgspec.Struct):
        day: date

    def job(value: Local) -> bool:
        return isinstance(value, Local)

    signature = Signature("work", job)
    args, _ = signature.load(signature.dump((Local(date(2026, 1, 2)),), {}, Shape.LIST))
    assert job(*args)


def test_a_local_class_that_nothing_but_the_annotation_names_is_refused() -> None:
    class Local(msgspec.Struct):
        day: date

    def job(value: Local) -> None: ...

    assert 'got Local, and "Local" is not defined there' in refusal(job)


def test_a_decorated_function_is_converted_by_its_own_annotations() -> None:
    signature = Signature("work", passed_on(early))
    with pytest.raises(ArgumentError, match='argument "later": expected Later, got int 1'):
        signature.dump((1, []), {}, Shape.LIST)


def test_what_a_function_returns_is_looked_at_by_those_who_ask() -> None:
    def job() -> Callable[..., Any]: ...  # type: ignore[empty-body]
    def never() -> NoReturn: ...  # type: ignore[empty-body]

    assert returned(never, "work") is None
    with pytest.raises(ConfigError, match='job "work", returned value: expected an annotation whose names exist'):
        returned(job, "work")
