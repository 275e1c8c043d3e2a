"""Text that a terminal prints and does not obey.

Names, arguments and errors come from a store that others write to. Whatever is not printable is escaped as in a Python
string, so that no job can move the cursor, retitle a window or forge a line of a log.
"""

import re

_NOT_PLAIN = re.compile(r"[^ -~]")
_NOT_PLAIN_IN_LINES = re.compile(r"[^\n\t -~]")


def one_line(text: str) -> str:
    """The text with everything escaped that is no printable character."""
    return _NOT_PLAIN.sub(_escaped, text)


def block(text: str) -> str:
    """The same for text of several lines: line feeds and tabs stay."""
    return _NOT_PLAIN_IN_LINES.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
