"""Statements with `%(name)s` in the form that asyncpg takes, with `$1`."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

# A parameter of type json would be encoded once more by a codec of the user's.
_MARK = re.compile(r"%\((\w+)\)s(::jsonb?\b)?|%%")


def positional(sql: str, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The statement, and the values in their order."""
    text, names = _numbered(sql)
    return text, tuple(values[name] for name in names)


@cache
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    names: dict[str, int] = {}

    def numbered(mark: re.Match[str]) -> str:
        name = mark.group(1)
        if name is None:
            return "%"
        number, cast = names.setdefault(name, len(names) + 1), mark.group(2)
        return f"${number}::text{cast}" if cast else f"${number}"

    return _MARK.sub(numbered, sql), tuple(names)
