"""Arguments bind to the signature where the mistake is made, and come back as they were given."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from treadle.core.arguments import Shape, Signature
from treadle.errors import ArgumentError, ConfigError

SHAPES = list(Shape)


def plain(a: int, b: int = 2, c: int = 3) -> None: ...
def keyword_only(a: int, b: int = 2, *, c: int, d: int = 4) -> None: ...
def positional_only(a: int, b: int = 2, /, c: int = 3) -> None: ...
def many(a: int, b: int = 2, *rest: int) -> None: ...
def nothing() -> None: ...
def untyped(a, b=2):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - what a job without annotations is
    ...


def dumped(function: Callable[..., Any], shape: Shape, *args: Any, **kwargs: Any) -> bytes:
    return Signature("work", function).dump(args, kwargs, shape)


def loaded(function: Callable[..., Any], raw: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return Signature("work", function).load(raw)


def refusal(function: Callable[..., Any], raw: bytes) -> str:
    with pytest.raises(ArgumentError) as caught:
        loaded(function, raw)
    return str(caught.value)


class Unshowable:
    def __repr__(self) -> NoReturn:
        raise RuntimeError("no")


# Enqueue


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "as_list", "as_mapping"),
    [
        (plain, (1,), {}, b"[1]", b'{"a":1}'),
        (plain, (1,), {"c": 9}, b"[1,2,9]", b'{"a":1,"c":9}'),
        (plain, (), {"c": 9, "a": 1}, b"[1,2,9]", b'{"a":1,"c":9}'),
        (plain, (1, 2), {}, b"[1,2]", b'{"a":1,"b":2}'),
        (keyword_only, (1,), {"c": 3}, b"[1,2,3]", b'{"a":1,"c":3}'),
        (keyword_only, (1,), {"d": 5, "c": 3}, b"[1,2,3,5]", b'{"a":1,"c":3,"d":5}'),
        (positional_only, (1,), {"c": 5}, b"[1,2,5]", b'{"a":1,"c":5}'),
        (many, (1,), {}, b"[1]", b'{"a":1}'),
        (many, (1, 2, 3, 4), {}, b"[1,2,3,4]", b'{"a":1,"b":2,"rest":[3,4]}'),
        (nothing, (), {}, b"[]", b"{}"),
    ],
)
def test_only_what_the_caller_gave_is_written_in_the_shape_of_the_store(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], as_list: bytes, as_mapping: bytes
) -> None:
    assert dumped(function, Shape.LIST, *args, **kwargs) == as_list
    assert dumped(function, Shape.MAPPING, *args, **kwargs) == as_mapping


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("function", "args", "kwargs", "reason"),
    [
        (plain, (), {}, "missing a required argument: 'a'"),
        (plain, (1, 2, 3, 4), {}, "too many positional arguments"),
        (plain, (1,), {"z": 1}, "got an unexpected keyword argument 'z'"),
        (keyword_only, (1,), {}, "missing a required keyword-only argument: 'c'"),
    ],
)
def test_a_call_that_does_not_bind_is_a_type_error_that_shows_the_signature(
    shape: Shape, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TypeError) as caught:
        dumped(function, shape, *args, **kwargs)
    assert isinstance(caught.value, ArgumentError)
    assert str(caught.value).startswith('job "work": ')
    assert reason.removeprefix("missing a required keyword-only") in str(caught.value)
    assert "its signature is work(a: int" in str(caught.value)


def test_a_default_that_json_cannot_carry_is_refused_where_a_list_needs_it() -> None:
    def job(a: int, when: object = Unshowable, c: int = 3) -> None: ...

    assert dumped(job, Shape.MAPPING, 1, c=5) == b'{"a":1,"c":5}'
    with pytest.raises(ArgumentError, match='default of argument "when"'):
        dumped(job, Shape.LIST, 1, c=5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ArgumentError) as caught:
        dumped(untyped, Shape.LIST, {"x": [value]})
    assert str(caught.value) == (
        f'job "work", argument "a"[\'x\'][0]: expected a finite number, got {value}: JSON has none such'
    )


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_the_arguments_own_list_counts_as_a_level() -> None:
    assert dumped(untyped, Shape.LIST, nested(89)) == b"[" * 90 + b"]" * 90
    with pytest.raises(ArgumentError, match='argument "b": expected at most 90 levels of nesting, got more'):
        dumped(untyped, Shape.LIST, 1, nested(90))


# Declaration


def test_named_rest_is_refused_where_the_job_is_declared() -> None:
    def job(a: int, **options: int) -> None: ...

    with pytest.raises(ConfigError) as caught:
        Signature("work", job)
    assert str(caught.value) == (
        'job "work": expected named parameters, got **options: stores that keep arguments as a list cannot carry it; '
        "take one dict parameter instead"
    )


def test_a_rest_before_keyword_only_parameters_is_refused_where_the_job_is_declared() -> None:
    def job(*rest: int, last: int) -> None: ...

    with pytest.raises(ConfigError) as caught:
        Signature("work", job)
    assert str(caught.value) == (
        'job "work": expected *rest to come last, got the keyword-only parameter "last" after it; '
        "make one of them an ordinary parameter"
    )


# The worker


@pytest.mark.parametrize(
    ("function", "raw", "args", "kwargs"),
    [
        (plain, b"[1]", (1,), {}),
        (plain, b'{"c":9,"a":1}', (1,), {"c": 9}),
        (plain, b'{"b":2,"a":1}', (1, 2), {}),
        (keyword_only, b"[1,2,3]", (1, 2), {"c": 3}),
        (keyword_only, b'{"a":1,"c":3}', (1,), {"c": 3}),
        (positional_only, b'{"a":1,"c":5}', (1,), {"c": 5}),
        (positional_only, b'{"a":1,"b":7}', (1, 7), {}),
        (many, b"[1,2,3]", (1, 2, 3), {}),
        (many, b'{"a":1,"rest":[8]}', (1, 2, 8), {}),
        (many, b'{"a":1,"rest":[]}', (1, 2), {}),
        (many, b'{"a":1}', (), {"a": 1}),
        (nothing, b"[]", (), {}),
        (nothing, b"{}", (), {}),
    ],
)
def test_either_shape_is_read(
    function: Callable[..., Any], raw: bytes, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert loaded(function, raw) == (args, kwargs)


def test_a_default_before_a_given_positional_only_argument_is_filled_in() -> None:
    def job(a: int = 1, b: int = 2, /) -> None: ...

    assert loaded(job, b'{"b":5}') == ((1, 5), {})


@pytest.mark.parametrize(
    ("function", "raw", "text"),
    [
        (plain, b"[]", 'job "work": argument "a" is missing: expected at least 1, got 0'),
        (plain, b"[1,2,3,4]", 'job "work": expected at most 3 arguments, got 4'),
        (plain, b'{"a":1,"z":2}', 'job "work": unknown argument "z": expected "a", "b", "c"'),
        (plain, b"{}", 'job "work": argument "a" is missing: expected "a", "b", "c", got []'),
        (plain, b"5", 'job "work": expected a list or an object of arguments, got int 5'),
        (plain, b"null", 'job "work": expected a list or an object of arguments, got NoneType None'),
        (
            keyword_only,
            b"[1,2]",
            'job "work": argument "c" is missing: expected "a", "b", "c", "d", got [\'a\', \'b\']',
        ),
        (many, b'{"a":1,"rest":7}', 'job "work": argument "rest": expected a list, got int 7'),
        (many, b'{"a":1,"rest":null}', 'job "work": argument "rest": expected a list, got NoneType None'),
        (many, b'{"rest":[1]}', 'job "work": argument "a" is missing: expected "a", "b", "rest", got [\'rest\']'),
        (nothing, b"[1]", 'job "work": expected at most 0 arguments, got 1'),
        (nothing, b'{"a":1}', 'job "work": unknown argument "a": expected no arguments'),
    ],
)
def test_what_does_not_bind_is_refused_by_name_and_nothing_surplus_is_ignored(
    function: Callable[..., Any], raw: bytes, text: str
) -> None:
    assert refusal(function, raw) == text
