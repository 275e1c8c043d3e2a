"""Members of JSON text: changed one by one, with every other byte left as it was."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from treadle.stores.members import Change, Mark, members, splice

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
objects = st.dictionaries(st.text(), values, max_size=6)
layouts = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"separators": (" , ", "\t:\r\n")}])
plans = st.dictionaries(st.text(), values.map(lambda value: json.dumps(value).encode()) | st.sampled_from(Mark))


def dumped(value: dict[str, Any], layout: dict[str, Any], *, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only, **layout).encode("utf-8", "surrogatepass")


@given(value=objects, layout=layouts, ascii_only=st.booleans())
def test_members_are_those_that_json_finds(value: dict[str, Any], layout: dict[str, Any], *, ascii_only: bool) -> None:
    text = dumped(value, layout, ascii_only=ascii_only)
    assert {m.name: json.loads(text[m.value : m.end]) for m in members(text)} == value


@given(objects, layouts, plans)
def test_a_change_is_what_json_would_make_of_it(
    value: dict[str, Any], layout: dict[str, Any], plan: dict[str, Change]
) -> None:
    # Half of the plan is about members that are there.
    changes = dict(zip([*list(value)[::2], *plan], [*plan.values(), *plan.values()], strict=False))
    spliced = b"12.5".join(splice(dumped(value, layout, ascii_only=True), changes).pieces)
    wanted = dict(value)
    for name, change in changes.items():
        if change is Mark.GONE:
            wanted.pop(name, None)
        else:
            wanted[name] = 12.5 if change is Mark.NOW else json.loads(change)
    assert json.loads(spliced) == wanted


@given(objects, layouts, plans)
def test_what_is_not_changed_keeps_its_bytes(
    value: dict[str, Any], layout: dict[str, Any], changes: dict[str, Change]
) -> None:
    text = dumped(value, layout, ascii_only=False)
    spliced = b"0".join(splice(text, changes).pieces)
    before = [text[m.start : m.end] for m in members(text) if m.name not in changes]
    after = [spliced[m.start : m.end] for m in members(spliced) if m.name not in changes]
    assert after == before


def test_of_a_repeated_name_the_one_that_readers_see_is_set() -> None:
    assert splice(b'{"a":1,"b":2,"a":3}', {"a": b"4"}).pieces == [b'{"a":1,"b":2,"a":4}']


def test_a_repeated_name_is_taken_away_wholly() -> None:
    assert splice(b'{"a":1,"b":2,"a":3}', {"a": Mark.GONE}).pieces == [b'{"b":2}']


def test_an_escaped_name_is_the_name_that_it_means() -> None:
    assert splice(b'{"\\u0061t":1,"q":"}"}', {"at": Mark.GONE}).pieces == [b'{"q":"}"}']


def test_the_time_stands_between_the_pieces() -> None:
    assert splice(b"{}", {"a": Mark.NOW, "b": Mark.NOW}).pieces == [b'{"a":', b',"b":', b"}"]


def test_without_a_change_the_text_is_itself() -> None:
    assert splice(b' { "a" : 1 } ', {}).pieces == [b' { "a" : 1 } ']
