"""For any annotation and any of its values: what is accepted comes back equal, and only ArgumentError is raised."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import make_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from inspect import Parameter
from inspect import Signature as Declared
from types import GenericAlias
from typing import Any, Literal, NamedTuple, NoReturn, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.typed import Colour, Item, Label, Level, Options, Point, Tone, Tree
from treadle.core.arguments import Shape, Signature
from treadle.core.results import ReturnedValue
from treadle.errors import ArgumentError


class Typed(NamedTuple):
    """An annotation, and a strategy for its values."""

    hint: Any
    values: st.SearchStrategy[Any]


text = st.text(st.characters(codec="utf-8"), max_size=6)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
# What may also be a key, or in a set.
HASHABLE = [
    Typed(int, st.integers(-(2**63), 2**63 - 1)),
    Typed(str, text),
    Typed(UUID, st.uuids()),
    Typed(date, st.dates()),
    Typed(Colour, st.sampled_from(Colour)),
    Typed(Level, st.sampled_from(Level)),
    Typed(Tone, st.sampled_from(Tone)),
    Typed(Literal["a", "b"], st.sampled_from(["a", "b"])),
]
LEAVES = [
    *HASHABLE,
    Typed(int, st.integers()),
    Typed(float, numbers),
    Typed(bool, st.booleans()),
    Typed(bytes, st.binary(max_size=6)),
    Typed(datetime, st.datetimes() | st.datetimes(timezones=zones)),
    Typed(time, st.times()),
    Typed(timedelta, st.timedeltas()),
    Typed(Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    Typed(Any, plain),
    Typed(dict, st.dictionaries(text, plain, max_size=3)),
    Typed(Point, st.builds(Point, st.integers(), st.integers())),
    Typed(Item, st.builds(Item, itemNumber=st.integers(1, 2**40), at=st.none() | st.datetimes())),
]


@st.composite
def nested(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    one, key = draw(inner), draw(st.sampled_from(HASHABLE))
    fields = {"a": one.hint, "b": key.hint}
    made = [make_dataclass("Made", list(fields.items())), msgspec.defstruct("Made", list(fields.items()))]
    built: Any = draw(st.sampled_from([*made, TypedDict("Made", fields)]))  # type: ignore[operator] # made at run time
    containers = [
        Typed(GenericAlias(list, one.hint), st.lists(one.values, max_size=3)),
        Typed(GenericAlias(tuple, (one.hint, key.hint)), st.tuples(one.values, key.values)),
        Typed(GenericAlias(tuple, (one.hint, ...)), st.lists(one.values, max_size=3).map(tuple)),
        Typed(GenericAlias(set, key.hint), st.sets(key.values, max_size=3)),
        Typed(GenericAlias(frozenset, key.hint), st.frozensets(key.values, max_size=3)),
        Typed(GenericAlias(dict, (key.hint, one.hint)), st.dictionaries(key.values, one.values, max_size=3)),
        Typed(one.hint | None, st.none() | one.values),
        Typed(built, st.builds(built, a=one.values, b=key.values)),
    ]
    drawn: Typed = draw(st.sampled_from(containers))
    return drawn


KINDS = [Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY]
annotations = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=4)


def signature_of(hints: Mapping[str, Any], kind: Any = Parameter.POSITIONAL_OR_KEYWORD) -> Signature:  # noqa: ANN401
    def job(*args: Any, **kwargs: Any) -> None: ...

    parameters = [Parameter(name, kind, annotation=hint) for name, hint in hints.items()]
    job.__signature__ = Declared(parameters)  # type: ignore[attr-defined] # what inspect.signature reads first
    return Signature("work", job)


@pytest.mark.parametrize("shape", list(Shape))
@given(typed=st.lists(annotations, min_size=1, max_size=3), kind=st.sampled_from(KINDS), data=st.data())
def test_what_is_accepted_comes_back_equal(shape: Shape, typed: list[Typed], kind: object, data: st.DataObject) -> None:
    hints = {f"p{number}": one.hint for number, one in enumerate(typed)}
    values = {f"p{number}": data.draw(one.values) for number, one in enumerate(typed)}
    job = signature_of(hints, kind)
    args, kwargs = job.load(job.dump((), values, shape))
    read = {**dict(zip(values, args, strict=False)), **kwargs}
    assert read == values
    assert {name: type(value) for name, value in read.items()} == {name: type(value) for name, value in values.items()}


@given(one=annotations, data=st.data())
def test_a_result_comes_back_equal(one: Typed, data: st.DataObject) -> None:
    def job() -> None: ...

    job.__annotations__["return"] = one.hint
    kept, value = ReturnedValue("work", job), data.draw(one.values)
    assert kept.read(kept.write(value)) == value


@given(one=annotations, other=annotations, data=st.data())
def test_the_value_of_another_annotation_comes_back_equal_or_is_refused(
    one: Typed, other: Typed, data: st.DataObject
) -> None:
    job, value = signature_of({"value": one.hint}), data.draw(other.values)
    try:
        raw = job.dump((value,), {}, Shape.LIST)
    except ArgumentError as error:
        assert str(error).startswith('job "work", argument "value"')  # noqa: PT017 - either end is right
    else:
        assert _listed(job.load(raw)[0][0]) == _listed(value)


def _listed(value: Any) -> Any:  # noqa: ANN401 - any value; lists and tuples are given for one another
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return {key: _listed(item) for key, item in value.items()} if isinstance(value, dict) else value


# Whatever comes

HINTS: list[Any] = [
    None,
    int,
    str,
    float,
    bool,
    bytes,
    datetime,
    Decimal,
    Any,
    dict,
    list[int],
    set[str],
    dict[int, Any],
]
HINTS += [Point, Tree, Item, Label, Options, list[Item], Colour | None, int | str, tuple[int, date]]


class Unequal:
    """Answers nothing that it is asked."""

    def _no(self, *_: object) -> NoReturn:
        raise ZeroDivisionError

    __eq__ = __hash__ = __repr__ = __iter__ = __len__ = __bool__ = __getattr__ = _no


class Text(str):
    """Text that refuses to be looked at."""

    __slots__ = ()

    def _no(self, *_: object) -> NoReturn:
        raise ZeroDivisionError

    __eq__ = __str__ = __repr__ = encode = isascii = _no  # type: ignore[assignment]
    __hash__ = str.__hash__


class Box(dict[str, Any]):
    """A dict that refuses to be looked at."""

    def _no(self, *_: object) -> NoReturn:
        raise ZeroDivisionError

    __eq__ = __repr__ = __iter__ = __len__ = items = keys = __getitem__ = _no


class Row(list[Any]):
    """A list that refuses to be looked at."""

    def __iter__(self) -> Iterator[Any]:
        raise ZeroDivisionError


class Fussy(pydantic.BaseModel):
    """A model that cannot be written."""

    value: Any = None

    @pydantic.model_serializer
    def refuse(self) -> str:
        raise ZeroDivisionError


HOSTILE: list[Any] = [
    Unequal(),
    Unequal,
    Text("a"),
    Text("é"),
    Box(a=1),
    Row([1]),
    Fussy(),
    Point(x=Unequal(), y=Text("a")),  # type: ignore[arg-type]
    Tree(Unequal()),
    Tree(Box(a=1)),
    Item.model_construct(price="a", number=Unequal()),
    Options(size=Text("a")),  # type: ignore[typeddict-item]
    float("nan"),
    10**5000,
    Decimal("sNaN"),
    "\ud800",
    {1: 2, "1": 3},
    {None: 1},
    {(1, 2): 3},
    {True: 1},
    {"\ud800": 1},
    1j,
    memoryview(b"a"),
    iter([1]),
]
# By their numbers: Hypothesis looks at what it samples from.
hostile = st.integers(0, len(HOSTILE) - 1).map(lambda number: HOSTILE[number])
anything = st.recursive(
    hostile | plain, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2), max_leaves=4
)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("hint", HINTS, ids=str)
@given(value=anything)
def test_a_hostile_value_is_written_or_refused_with_an_argument_error(hint: object, value: object) -> None:
    attempt(lambda: signature_of({"value": hint}).dump((value,), {}, Shape.MAPPING))


@given(value=anything)
def test_a_hostile_result_is_written_or_refused_with_an_argument_error(value: object) -> None:
    for function in (untyped_result, typed_result):
        attempt(lambda function=function: ReturnedValue("work", function).write(value))  # type: ignore[misc]


def untyped_result(): ...  # type: ignore[no-untyped-def] # noqa: ANN201
def typed_result() -> Tree: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("hint", HINTS, ids=str)
@given(raw=st.binary(max_size=40) | plain.map(lambda value: msgspec.json.encode([value])))
def test_any_bytes_are_read_or_refused_with_an_argument_error(hint: object, raw: bytes) -> None:
    attempt(lambda: signature_of({"value": hint}).load(raw))


def attempt(call: Callable[[], object]) -> None:
    try:
        call()
    except ArgumentError as error:
        assert str(error)  # noqa: PT017 - either end is right
