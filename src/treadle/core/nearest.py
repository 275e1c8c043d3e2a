"""What somebody meant who mistyped a name, for the end of an error's text."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The question for the known name that is nearest; empty where none is near."""
    near = difflib.get_close_matches(word, [*known], 1)
    return f'; did you mean "{near[0]}"?' if near else ""
