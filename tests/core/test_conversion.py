"""Values come back as they were given, or are refused where they are given; the tables are those of the page."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NewType, Optional, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from pydantic import SecretStr

from tests.core import typed
from tests.core.typed import (
    Account,
    Cat,
    Colour,
    Dog,
    Item,
    Label,
    Labelled,
    Level,
    Options,
    Point,
    Session,
    Span,
    StrictItem,
    Tone,
    Tree,
    User,
)
from treadle.core.arguments import Shape, Signature
from treadle.errors import ArgumentError, ConfigError

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "arguments.md").read_text()
NAMES = {**vars(typed), **vars(dt), "UTC": UTC, "UUID": UUID, "Path": Path, "Literal": Literal, "Optional": Optional}
UserId = NewType("UserId", int)
Positive = Annotated[int, msgspec.Meta(gt=0)]


def table(heading: str, columns: int) -> list[list[str]]:
    """The rows of code of a section's table of so many columns, without the backticks."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in section.splitlines() if line.startswith("| `")]
    return [row for row in rows if len(row) == columns]


def python(code: str) -> Any:  # noqa: ANN401 - any value
    return eval(code, NAMES)  # noqa: S307 - the code of our own page


def job_of(annotation: Any, **default: Any) -> Signature:  # noqa: ANN401 - an annotation is any object
    def job(value): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202

    job.__annotations__["value"] = annotation
    job.__defaults__ = tuple(default.values())
    return Signature("work", job)


def written(annotation: Any, value: object) -> bytes:  # noqa: ANN401
    return job_of(annotation).dump((value,), {}, Shape.LIST)[1:-1]


def came_back(annotation: Any, value: object) -> object:  # noqa: ANN401
    job = job_of(annotation)
    for shape in Shape:
        (read,), _ = job.load(job.dump((value,), {}, shape))
    return read


def loaded(annotation: Any, raw: str) -> object:  # noqa: ANN401
    return job_of(annotation).load(f"[{raw}]".encode())[0][0]


def refusal(annotation: Any, value: object) -> str:  # noqa: ANN401
    with pytest.raises(ArgumentError) as caught:
        written(annotation, value)
    return str(caught.value).removeprefix('job "work", argument "value": ')


def unreadable(annotation: Any, raw: str) -> str:  # noqa: ANN401
    with pytest.raises(ArgumentError) as caught:
        loaded(annotation, raw)
    return str(caught.value).removeprefix('job "work", argument "value": ')


def impossible(annotation: Any) -> str:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        job_of(annotation)
    return str(caught.value).removeprefix('job "work", parameter "value": ')


# The page


@pytest.mark.parametrize(("annotation", "value", "raw"), table("What is written", 3))
def test_the_page_says_how_a_value_is_written(annotation: str, value: str, raw: str) -> None:
    assert written(python(annotation), python(value)).decode() == raw
    assert came_back(python(annotation), python(value)) == python(value)


@pytest.mark.parametrize(("annotation", "raw", "value"), table("What is read at the worker", 3))
def test_the_page_says_what_is_read_loosely(annotation: str, raw: str, value: str) -> None:
    read = loaded(python(annotation), raw)
    assert (type(read), read) == (type(python(value)), python(value))


@pytest.mark.parametrize(("annotation", "raw"), table("What is read at the worker", 2))
def test_the_page_says_what_is_not_guessed_at(annotation: str, raw: str) -> None:
    assert unreadable(python(annotation), raw).startswith(f"expected {annotation}, got ")


@pytest.mark.parametrize(("call", "text"), table("What is refused at enqueue", 2))
def test_the_page_says_how_a_wrong_value_is_refused(call: str, text: str) -> None:
    def welcome(user_id: int) -> None: ...

    value = eval(call.removeprefix("welcome.enqueue"), {"user": User()})  # noqa: S307
    with pytest.raises(ArgumentError) as caught:
        Signature("welcome", welcome).dump((value,), {}, Shape.LIST)
    assert str(caught.value) == text


# What comes back

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Item, Item(itemNumber=1, at=datetime(2026, 1, 2, tzinfo=UTC))),
        (list[Item], [Item(itemNumber=1), Item(itemNumber=2, price=Decimal("1.10"))]),
        (dict[str, Item] | None, {"a": Item(itemNumber=1)}),
        (StrictItem, StrictItem(at=datetime(2026, 1, 2))),  # noqa: DTZ001 - one without a zone
        (Label, Label("a", datetime(2026, 1, 2, tzinfo=UTC))),
        (Options, {"size": 1}),
        (Options, {"size": 1, "since": date(2026, 1, 2)}),
        (Span, Span(date(2026, 1, 2), date(2026, 1, 3))),
        (Cat | Dog, Dog(date(2026, 1, 2))),
        (Tree, Tree(1, [Tree("a", []), Tree([None])])),
        (dict[UUID, list[Point]], {UUID(int=1): [Point(1, 2)]}),
        (dict[date, set[Level]], {date(2026, 1, 2): {Level.HIGH}}),
        (frozenset[Colour], frozenset({Colour.RED})),
        (tuple[Tone, ...], (Tone.LOW, Tone.LOW)),
        (UserId, 7),
        (Positive, 7),
        (Literal[1, 2], 2),
        (list[PurePosixPath], [PurePosixPath("a")]),
        (timedelta, timedelta.min),
        (datetime, datetime.max.replace(tzinfo=UTC)),
        (time, time(1, 2, 3, 4)),
        (Decimal, Decimal("1E+500")),
        pytest.param(int, 10**4299, id="long"),
        (int | str, "1"),
        (str | None, "null"),
        (bytes | None, b"\x9e\xe9e"),
        (bytes | bool, b"\xb6\xbb\x9e"),
        (Sequence[int], [1]),
        (Mapping[str, Any], {"a": [1, {"b": None}]}),
        (list[object], [1, "a"]),
    ],
)
def test_what_is_accepted_comes_back_equal_and_of_its_type(annotation: object, value: object) -> None:
    read = came_back(annotation, value)
    assert (type(read), read) == (type(value), value)


def test_a_time_that_the_clocks_show_twice_comes_back_with_its_offset() -> None:
    second = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=AMSTERDAM)
    assert str(came_back(datetime, second)) == "2026-10-25 02:30:00+01:00"


def test_an_offset_that_json_cannot_carry_is_refused() -> None:
    # Amsterdam was 19 minutes and 32 seconds ahead; ISO 8601 has whole minutes.
    assert "which would come back as datetime" in refusal(datetime, datetime(1900, 1, 1, tzinfo=AMSTERDAM))


def test_times_of_an_inherited_class_come_back_as_what_they_are() -> None:
    class Moment(datetime):
        pass

    read = came_back(datetime, Moment(2026, 1, 2, tzinfo=UTC))
    assert (type(read), read) == (datetime, datetime(2026, 1, 2, tzinfo=UTC))


def test_a_default_that_a_list_needs_is_converted_too() -> None:
    def job(a: int, when: date = date(2026, 1, 2), c: int = 3) -> None: ...

    signature = Signature("work", job)
    raw = signature.dump((1,), {"c": 5}, Shape.LIST)
    assert raw == b'[1,"2026-01-02",5]'
    assert signature.load(raw) == ((1, date(2026, 1, 2), 5), {})
    assert signature.load(signature.dump((1,), {"c": 5}, Shape.MAPPING)) == ((1,), {"c": 5})


def test_a_default_of_the_wrong_type_is_named_where_a_list_needs_it() -> None:
    def job(a: int, when: date = "today", c: int = 3) -> None: ...  # type: ignore[assignment]

    with pytest.raises(ArgumentError, match='default of argument "when": expected date, got str'):
        Signature("work", job).dump((1,), {"c": 5}, Shape.LIST)


def test_a_default_of_none_allows_none() -> None:
    def job(a: int = None, b: int = 2) -> None: ...  # type: ignore[assignment] # noqa: RUF013 - as it is often written

    signature = Signature("work", job)
    raw = signature.dump((), {"b": 3}, Shape.LIST)
    assert (raw, signature.load(raw)) == (b"[null,3]", ((None, 3), {}))
    with pytest.raises(ArgumentError, match=r"expected int \| None, got str 'x'"):
        signature.dump(("x",), {}, Shape.LIST)


def test_every_one_of_the_rest_is_converted() -> None:
    def job(*days: date) -> None: ...

    signature = Signature("work", job)
    for shape in Shape:
        raw = signature.dump((date(2026, 1, 2), date(2026, 1, 3)), {}, shape)
        assert signature.load(raw) == ((date(2026, 1, 2), date(2026, 1, 3)), {})
    with pytest.raises(ArgumentError, match=r'argument "days"\[1\]: expected date, got int 1'):
        signature.dump((date(2026, 1, 2), 1), {}, Shape.LIST)
    with pytest.raises(ArgumentError, match='argument "days": expected date, got str'):
        signature.load(b'["2026-01-02","x"]')


def test_keyword_only_and_positional_only_arguments_are_converted() -> None:
    def job(a: date, b: int = 2, /, c: int = 3, *, d: UUID) -> None: ...

    signature = Signature("work", job)
    for shape in Shape:
        args, kwargs = signature.load(signature.dump((date(2026, 1, 2),), {"d": UUID(int=1)}, shape))
        assert (args[0], kwargs["d"]) == (date(2026, 1, 2), UUID(int=1))


# What is refused at enqueue


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (int, 42.0, "expected int, got float 42.0"),
        (int, None, "expected int, got NoneType None"),
        (float, True, "expected float, got bool True"),
        (float, float("nan"), "expected a finite number, got nan: JSON has none such"),
        (list[float], [1.0, float("inf")], "expected a finite number, got inf: JSON has none such"),
        (
            float,
            2**53 + 1,
            "expected float, got int 9007199254740993, which would come back as float 9007199254740992.0",
        ),
        (str, "\ud800", "expected text, got a lone surrogate at position 0, which UTF-8 cannot carry"),
        (str, b"a", "expected str, got bytes b'a', which would come back as str 'YQ=='"),
        pytest.param(int, 10**4300, "expected an integer of at most 4,300 digits, got a longer one", id="long"),
        (UUID, "0" * 32, f"expected UUID, got str '{'0' * 32}', which would come back as UUID {UUID(int=0)!r}"),
        (date, datetime(2026, 1, 2, tzinfo=UTC), "(invalid RFC3339 encoded date)"),
        (Decimal, 1.5, "expected Decimal, got float 1.5, which would come back as Decimal Decimal('1.5')"),
        (Decimal, Decimal("NaN"), "expected Decimal, got Decimal Decimal('NaN'), which would"),
        (Decimal, Decimal("sNaN"), "expected Decimal, got Decimal Decimal('sNaN') ("),
        (Colour, "red", "expected Colour, got str 'red', which would come back as Colour <Colour.RED: 'red'>"),
        (Tone, "low", "expected Tone, got str 'low', which would come back as Tone <Tone.LOW: 'low'>"),
        (Literal["a"], "b", "expected Literal['a'], got str 'b' (invalid enum value 'b')"),
        (Positive, -1, "got int -1 (expected int >= 1)"),
        (set[int], [1], "expected set[int], got list [1], which would come back as set {1}"),
        (list[int], {1}, "expected list[int], got set {1}, which would come back as list [1]"),
        (set[int], {"a"}, "expected set[int], got set {'a'} (expected int, got str at [0])"),
        (dict[int, str], {"1": "a"}, "got dict {'1': 'a'}, which would come back as dict {1: 'a'}"),
        (
            Point,
            Point(x=cast("int", "1"), y=2),
            "got Point Point(x='1', y=2) (expected int, got str at .x)",
        ),
        (Point, {"x": 1, "y": 2}, "got dict {'x': 1, 'y': 2}, which would come back as Point Point(x=1, y=2)"),
        (Point, Labelled(1, 2, "a"), "which would come back as Point Point(x=1, y=2)"),
        (list[Point], [Point(1, 2), Point(x=1, y=cast("int", None))], "(expected int, got null at [1].y)"),
        (Tree, Tree(date(2026, 1, 2)), "which would come back as Tree Tree(value='2026-01-02', children=None)"),
        (Tree, Tree({1: 2}), "which would come back as Tree Tree(value={'1': 2}, children=None)"),
        (Tree, Tree(float("nan")), "which would come back as Tree Tree(value=None, children=None)"),
        (Options, {"size": 1, "more": 2}, "which would come back as dict {'size': 1}"),
        (Span, (date(2026, 1, 2), date(2026, 1, 3)), "which would come back as Span Span("),
        (Item, {"itemNumber": 1}, "expected Item, got dict {'itemNumber': 1}, which would come back as Item Item("),
        (Item, Item.model_construct(number=-1), "(itemNumber: Input should be greater than 0)"),
        (Account, Account(password=SecretStr("a")), "expected Account, got a value that is not shown"),
        (Path, "a", "expected Path, got str 'a', which would come back as"),
        (dict, {1: 2}, "expected keys that are text, got int 1"),
        (dict[str, Any], {"a": date(2026, 1, 2)}, "annotate the parameter with its type, and it is converted"),
        (Any, {1, 2}, "got set {1, 2}; annotate the parameter with its type, and it is converted"),
        (Any, Item(itemNumber=1), "annotate the parameter with its type, and it is converted"),
        (Any, range(3), "got range range(0, 3); pass a list or a dict instead"),
        (int, Session(), "let the worker make it: a keyword-only parameter = Inject(provider))"),
    ],
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_value_that_would_not_come_back_is_refused(annotation: object, value: object, text: str) -> None:
    assert text in refusal(annotation, value)


def test_a_value_that_holds_itself_is_refused() -> None:
    tree = Tree()
    tree.children = [tree]
    assert refusal(Tree, tree) == "expected at most 90 levels of nesting, got more"


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    tree = Tree()
    for _ in range(60):
        tree = Tree(children=[tree])
    assert refusal(Tree, tree) == "expected at most 90 levels of nesting, got more"


def test_a_secret_is_not_shown_and_a_tuple_is_none() -> None:
    def job(password: int, pair: tuple[int, int]) -> None: ...

    signature = Signature("work", job)
    with pytest.raises(ArgumentError, match=r'argument "password": expected int, got a value that is not shown$'):
        signature.dump(("hunter2", (1, 2)), {}, Shape.LIST)
    with pytest.raises(ArgumentError, match=r'argument "pair": expected tuple\[int, int\], got tuple \(1,\)'):
        signature.dump((1, (1,)), {}, Shape.LIST)


# What can never be converted


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (User, "expected a type that JSON can carry, got User; pass its primary key, and load it in the job"),
        (list[User], "got list[tests.core.typed.User]; pass its primary key, and load it in the job"),
        (Session, "got Session; let the worker make it: a keyword-only parameter = Inject(provider)"),
        (str | datetime, "got str | datetime.datetime: type unions may not contain more than one str-like type"),
        (Point | Labelled, "type unions may not contain more than one dataclass"),
        (complex, "got complex; pass its id or its plain fields instead"),
        (Callable[[], int], "got collections.abc.Callable[[], int]; pass its id"),
        (5, "expected a type that JSON can carry, got 5: type '5' is not supported"),
    ],
)
def test_an_annotation_that_can_never_be_converted_is_refused(annotation: object, text: str) -> None:
    assert text in impossible(annotation)


# The worker


@pytest.mark.parametrize(
    ("annotation", "raw", "text"),
    [
        (int, '"x"', "expected int, got str 'x'"),
        (list[Point], '[{"x":1,"y":2},{"x":"a","y":2}]', "(expected int, got str at [1].x)"),
        (Point, "{}", "expected Point, got dict {} (object missing required field x)"),
        (Item, '{"itemNumber":"a"}', "(itemNumber: Input should be a valid integer, unable to parse"),
        (list[Item], '[{"itemNumber":0}]', "(itemNumber: Input should be greater than 0 at [0])"),
        (Path, "5", "expected Path, got int 5 (expected the text of a path, got int)"),
        (datetime, '"tomorrow"', "expected datetime, got str 'tomorrow' (invalid RFC3339 encoded datetime)"),
        (str, '["\\ud800"]', "expected str, got list ['\\ud800']"),
    ],
)
def test_an_argument_that_cannot_be_read_is_named(annotation: object, raw: str, text: str) -> None:
    assert text in unreadable(annotation, raw)


def test_lone_surrogates_of_other_languages_are_read_in_typed_arguments_too() -> None:
    assert loaded(list[str], '["\\ud800"]') == ["\ud800"]
    assert loaded(Label, '{"text":"\\ud800","at":"2026-01-02T00:00:00Z"}') == Label(
        "\ud800", datetime(2026, 1, 2, tzinfo=UTC)
    )


def test_one_loose_argument_leaves_the_others_as_they_are() -> None:
    def job(a: int, b: bytes | None, c: object) -> None: ...

    assert Signature("work", job).load(b'["1","null","1"]') == ((1, b"\x9e\xe9e", "1"), {})


def test_an_error_of_a_users_class_is_an_argument_error() -> None:
    class Fussy(Item):
        def model_post_init(self, _: object) -> None:
            raise RuntimeError("not today")

    with pytest.raises(ArgumentError, match="not today"):
        loaded(Fussy, '{"itemNumber":1}')
