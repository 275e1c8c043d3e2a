"""The statements of the SQL stores: one a file, each read once."""

from functools import cache
from importlib.resources import files
from typing import Final

ASIDE: Final = "suspended"
"""The state of jobs that were set aside. Elixir's migrations before version 14 have none of that name."""

_NOT_ASIDE = " AND NOT EXISTS (SELECT 1 FROM {schema}.treadle_suspects s WHERE s.job_id = j.id)"


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`. Constant, so that a driver's cache of prepared statements meets it again."""
    return files("treadle.stores").joinpath("sql", f"{name}.sql").read_text("utf-8").strip()


def read_all(folder: str) -> None:
    """Read all of a folder now: what reads files within a transaction keeps a lock meanwhile."""
    for path in files("treadle.stores").joinpath("sql", folder).iterdir():
        statement(f"{folder}/{path.name.removesuffix('.sql')}")


@cache
def statement_in(schema: str, name: str, aside: str = ASIDE) -> bytes:
    """The text of `sql/postgres/<name>.sql` for tables of this schema, whose name must have been checked.

    `aside` is the state of jobs that were set aside; where it is no state of their own, the others are told apart.
    """
    text = statement(f"postgres/{name}")
    text = text.replace("{aside}", aside).replace("{not_aside}", "" if aside == ASIDE else _NOT_ASIDE)
    return text.replace("{schema}", f'"{schema}"').replace("{channel}", f"{schema}.oban_insert").encode()
