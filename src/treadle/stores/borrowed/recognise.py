"""Tell what was given as `tx=` by the classes of the libraries that are loaded; none is loaded for it."""

import sys
from typing import Any

from treadle.errors import ConfigError
from treadle.stores.borrowed import asyncpg, django, psycopg, sqlalchemy, sqlite
from treadle.stores.borrowed.link import Borrowed, described

AUTO = "auto"


def borrow(given: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
    """What a user lends by `tx=`; None for "auto" outside of Django's atomic blocks. Raises ConfigError.

    Nothing is sent yet.
    """
    if isinstance(given, str) and given == AUTO:
        given = django.in_atomic_block()
        if given is None:
            return None
    found = _borrowed(given)
    if found is None:
        raise ConfigError(
            f'expected tx= to be "auto", or a connection, cursor or session of sqlite3, psycopg, asyncpg, SQLAlchemy '
            f"or Django, got {described(given)}"
        )
    return found


def _borrowed(given: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
    for name, lenders in (("psycopg", psycopg), ("asyncpg", asyncpg)):
        library = sys.modules.get(name)
        found: Borrowed | None = lenders.borrow(library, given) if library is not None else None
        if found is not None:
            return found
    return sqlite.borrow(given) or sqlalchemy.borrow(given) or django.borrow(given)
