"""Statements with `%(name)s` in the form that asyncpg takes, with `$1`."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

_MARK = re.compile(r"%\((\w+)\)s|%%")


def positional(sql: str, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The statement, and the values in their order."""
    text, names = _numbered(sql)
    return text, tuple(values[name] for name in names)


@cache
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    names: dict[str, int] = {}

    def number(mark: re.Match[str]) -> str:
        name = mark.group(1)
        return "%" if name is None else f"${names.setdefault(name, len(names) + 1)}"

    return _MARK.sub(number, sql), tuple(names)
