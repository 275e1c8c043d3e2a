"""Two jobs are the same by what their arguments mean, and by nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.arguments import Shape, Signature
from treadle.core.states import FINAL, State
from treadle.core.uniqueness import GROUPS, Arguments, Unique, Uniqueness, policy
from treadle.errors import ConfigError

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)

PLAIN = Uniqueness(Unique())


def digest(args: str | bytes, unique: Uniqueness = PLAIN, meta: bytes = b"{}", **given: str) -> str:
    text = args.encode("utf-8", "surrogatepass") if isinstance(args, str) else args
    named = {"name": "welcome", "queue": "default", **given}
    return unique.digest(args=text, meta=meta, **named)


def shuffled(value: Any, chance: Any) -> Any:  # noqa: ANN401 - any JSON, and a source of chance
    """The same value with its members in another order, and whole numbers written as fractions at times."""
    if isinstance(value, dict):
        names = list(value)
        chance.shuffle(names)
        return {name: shuffled(value[name], chance) for name in names}
    if isinstance(value, list):
        return [shuffled(item, chance) for item in value]
    if type(value) is int and abs(value) < 2**53 and chance.random() < 0.5:
        return float(value)
    return value


@given(value=objects, chance=st.randoms(use_true_random=False), indent=st.sampled_from([None, 1]))
def test_the_digest_does_not_see_how_json_was_written(
    value: object,
    chance: Any,  # noqa: ANN401 - Hypothesis' own type is none that may be named here
    indent: int | None,
) -> None:
    other = json.dumps(shuffled(value, chance), indent=indent, ensure_ascii=indent is None)
    assert digest(json.dumps(value)) == digest(other)


def meaning(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """What Python tells apart where JSON does: True is not 1."""
    if isinstance(value, bool):
        return ("truth", value)
    if isinstance(value, dict):
        return {name: meaning(item) for name, item in value.items()}
    if isinstance(value, list):
        return [meaning(item) for item in value]
    return value


@given(one=objects, other=objects)
def test_other_values_have_other_digests(one: object, other: object) -> None:
    assert (digest(json.dumps(one)) == digest(json.dumps(other))) == (meaning(one) == meaning(other))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "1.0", True),
        ("100", "1e2", True),
        ("0", "-0.0", True),
        ("0.1", "0.10", True),
        ("9007199254740993", "9007199254740992.0", False),
        ("1e400", "1e401", False),
        ("1" + "0" * 5000, "1e5000", True),
        ("true", "1", False),
        ("null", "false", False),
        ('"1"', "1", False),
        ("[]", "{}", False),
        ('"\\u00e9"', '"é"', True),
        ('"\\ud800"', '"\\ud801"', False),
        ('{"a": 1, "a": 2}', '{"a": 2}', True),
    ],
)
def test_values_that_look_alike(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a column of a table
    assert (digest(f'{{"x": {one}}}') == digest(f'{{"x": {other}}}')) is same


def welcome(user_id: int, lang: str = "en", *more: int) -> None: ...


def other(user_id: object, *, lang: object = None, deep: object = None) -> None: ...


calls: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just(welcome), st.tuples(st.integers(), texts), st.just({})),
    st.tuples(st.just(welcome), st.tuples(st.integers(), texts, st.integers(), st.integers()), st.just({})),
    st.tuples(st.just(welcome), st.tuples(st.integers()), st.fixed_dictionaries({}, optional={"lang": texts})),
    st.tuples(st.just(other), st.tuples(values), st.fixed_dictionaries({}, optional={"lang": values, "deep": values})),
)


@given(call=calls)
def test_a_call_has_one_digest_in_both_shapes(call: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> None:
    function, args, kwargs = call
    signature = Signature("welcome", function)
    unique = Uniqueness(Unique(), signature.outline)
    shapes = [signature.dump(args, kwargs, shape) for shape in Shape]
    assert digest(shapes[0], unique) == digest(shapes[1], unique)


def test_a_default_is_the_same_given_or_left_out() -> None:
    signature = Signature("welcome", welcome)
    unique = Uniqueness(Unique(), signature.outline)
    ways: list[tuple[tuple[int | str, ...], dict[str, Any]]] = [
        ((1,), {}),
        ((1, "en"), {}),
        ((), {"user_id": 1}),
        ((), {"lang": "en", "user_id": 1}),
    ]
    assert len({digest(signature.dump(*way, shape), unique) for way in ways for shape in Shape}) == 1


def test_a_default_that_json_has_not_is_left_out_of_the_comparison() -> None:
    def job(user_id: int, marker: Any = object) -> None: ...  # noqa: ANN401 - a default of the user's

    assert Signature("job", job).outline == Arguments(("user_id", "marker"), {}, "")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("args", {"args": '{"a": 2}'}),
        ("queue", {"queue": "x"}),
        ("worker", {"name": "x"}),
        ("meta", {"meta": b'{"m": 1}'}),
    ],
)
def test_only_the_fields_of_a_rule_are_compared(field: Any, change: dict[str, Any]) -> None:  # noqa: ANN401 - a literal
    same: dict[str, Any] = {"args": '{"a": 1}'}
    alone, others = (
        Unique(fields=[field]),
        Unique(fields=[name for name in ("args", "queue", "worker", "meta") if name != field]),
    )
    assert digest(**same, unique=Uniqueness(alone)) != digest(**{**same, **change}, unique=Uniqueness(alone))
    assert digest(**same, unique=Uniqueness(others)) == digest(**{**same, **change}, unique=Uniqueness(others))


def test_of_keys_those_that_a_job_has_are_compared() -> None:
    unique = Uniqueness(Unique(keys=["a", "b"]))
    assert digest('{"a": 1, "c": 2}', unique) == digest('{"a": 1, "c": 3}', unique)
    assert digest('{"a": 1}', unique) != digest('{"a": 1, "b": null}', unique)
    assert digest('{"a": 1}', unique) != digest('{"b": 1}', unique)


def test_the_groups_are_those_of_oban() -> None:
    assert GROUPS["all"] == frozenset(State)
    assert GROUPS["incomplete"] == frozenset(State) - FINAL
    assert GROUPS["successful"] == GROUPS["incomplete"] | {State.COMPLETED}
    assert Unique().held == GROUPS["successful"]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (Unique(), "successful"),
        (Unique(states="incomplete"), "success"),
        (Unique(states="all"), "expiry"),
        (Unique(states=["suspended", "available", "scheduled", "executing", "retryable"]), "success"),
        (Unique(until="start"), "start"),
        (Unique(states="scheduled"), None),
        (Unique(states=["available"]), None),
    ],
)
def test_a_lock_keeps_the_rules_that_end_once(rule: Unique, kept: str | None) -> None:
    assert policy(rule) == kept


def test_an_infinite_period_is_none() -> None:
    assert Unique(period=float("inf")).period is None


@given(value=st.none() | st.booleans() | st.integers() | texts | st.lists(texts) | st.dictionaries(texts, texts))
def test_whatever_is_given_is_taken_or_refused_in_one_line(value: Any) -> None:  # noqa: ANN401 - anything
    for name in ("period", "fields", "keys", "states", "until", "timestamp", "replace"):
        assert "\n" not in refusal(name, value)


def refusal(name: str, value: Any) -> str:  # noqa: ANN401 - anything
    try:
        Unique(**{name: value})
    except ConfigError as error:
        return str(error)
    return ""
