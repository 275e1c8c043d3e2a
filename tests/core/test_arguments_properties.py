"""For any signature and any values: what is enqueued in either shape is what the function gets."""

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.arguments import Shape, Signature
from treadle.core.jsontext import DEPTH_LIMIT, load_json, too_deep
from treadle.errors import ArgumentError

NAMES = ("a", "b", "c", "d", "e", "f")

text = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**60), 10**60), st.floats(allow_nan=False), text
).filter(lambda value: not isinstance(value, float) or abs(value) != float("inf"))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)


@st.composite
def signatures(draw: st.DrawFn) -> inspect.Signature:
    """Any signature that a job may have: every kind of parameter, in the order that Python demands."""
    count = draw(st.integers(0, len(NAMES)))
    first = draw(st.integers(0, count))
    second = draw(st.integers(first, count))
    defaults_from = draw(st.integers(0, second))
    parameters = []
    for index, name in enumerate(NAMES[:count]):
        kind = (
            Parameter.POSITIONAL_ONLY
            if index < first
            else Parameter.POSITIONAL_OR_KEYWORD
            if index < second
            else Parameter.KEYWORD_ONLY
        )
        optional = index >= defaults_from if index < second else draw(st.booleans())
        default = draw(values) if optional else Parameter.empty
        parameters.append(Parameter(name, kind, default=default))
    if second == count and draw(st.booleans()):
        parameters.append(Parameter("rest", Parameter.VAR_POSITIONAL))
    return inspect.Signature(parameters)


@st.composite
def calls(draw: st.DrawFn) -> tuple[inspect.Signature, tuple[Any, ...], dict[str, Any]]:
    """A signature, and a call that it takes."""
    signature = draw(signatures())
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind <= Parameter.POSITIONAL_OR_KEYWORD]
    by_position = draw(st.integers(0, len(positional)))
    least = sum(p.kind is Parameter.POSITIONAL_ONLY and p.default is Parameter.empty for p in positional)
    by_position = max(by_position, least)
    args = [draw(values) for _ in range(by_position)]
    kwargs = {
        p.name: draw(values)
        for p in (*positional[by_position:], *(p for p in parameters if p.kind is Parameter.KEYWORD_ONLY))
        if p.kind is not Parameter.POSITIONAL_ONLY and (p.default is Parameter.empty or draw(st.booleans()))
    }
    if "rest" in signature.parameters and by_position == len(positional):
        args += draw(st.lists(values, max_size=3))
    return signature, tuple(args), kwargs


def function_of(signature: inspect.Signature) -> Callable[..., Any]:
    def job(*args: Any, **kwargs: Any) -> Mapping[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    job.__signature__ = signature  # type: ignore[attr-defined] # what inspect.signature reads first
    return job


@pytest.mark.parametrize("shape", list(Shape))
@given(call=calls())
def test_the_function_gets_what_the_caller_gave(
    shape: Shape, call: tuple[inspect.Signature, tuple[Any, ...], dict[str, Any]]
) -> None:
    signature, args, kwargs = call
    function = function_of(signature)
    job = Signature("work", function)
    raw = job.dump(args, kwargs, shape)
    loaded_args, loaded_kwargs = job.load(raw)
    assert _bare(function(*loaded_args, **loaded_kwargs)) == _bare(function(*args, **kwargs))
    # What is read is written the same again: a job may be enqueued from another one's arguments.
    if shape is Shape.LIST:
        assert job.dump(loaded_args, loaded_kwargs, shape) == raw


def _bare(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_an_argument_error(raw: bytes) -> None:
    try:
        load_json(raw)
    except ArgumentError as error:
        assert str(error).startswith("expected JSON")  # noqa: PT017 - either end is right


def deepest(value: object) -> int:
    """How deep it is, counted the plain way."""
    match value:
        case dict():
            return 1 + max(map(deepest, value.values()), default=0)
        case list():
            return 1 + max(map(deepest, value), default=0)
    return 0


@given(
    levels=st.integers(DEPTH_LIMIT - 3, DEPTH_LIMIT + 3),
    kinds=st.lists(st.booleans(), min_size=1, max_size=5),
    aside=st.lists(st.sampled_from(["[", "]{", '"', '\\"]', "\\\\", "é["]) | values, max_size=3),
)
def test_depth_is_judged_as_by_a_parser_whatever_stands_in_texts(
    levels: int, kinds: list[bool], aside: list[Any]
) -> None:
    value: Any = aside
    for level in range(levels):
        value = {"[[": value, "]": aside} if kinds[level % len(kinds)] else [aside, value]
    raw = msgspec.json.encode(value)
    assert too_deep(raw) is (deepest(value) > DEPTH_LIMIT)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert not too_deep(b"[" + b",".join([b"[]"] * 500) + b"]")
