"""Whatever lies in a store, a terminal prints it and does nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from treadle.core.printable import block, one_line

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT)
def test_a_line_holds_printable_characters_alone(text: str) -> None:
    assert one_line(text).isprintable()


@given(ANY_TEXT)
def test_a_printable_text_is_left_as_it_is(text: str) -> None:
    if text.isprintable():
        assert one_line(text) == block(text) == text


@given(ANY_TEXT)
def test_a_block_keeps_its_lines(text: str) -> None:
    assert block(text).count("\n") == text.count("\n")
    assert [char for char in block(text) if not (char.isprintable() or char in "\n\t")] == []
