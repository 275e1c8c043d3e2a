"""What is printed cannot be obeyed by a terminal."""

import json

from hypothesis import given
from hypothesis import strategies as st

from treadle.cli.show import json_text, short

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT, st.integers(1, 20))
def test_a_short_line_is_no_longer_than_asked(text: str, width: int) -> None:
    assert len(short(text, width)) <= width


@given(
    st.recursive(ANY_TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner))
)
def test_json_is_ascii_and_means_what_it_held(value: object) -> None:
    text = json_text(value)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value
