"""The statements of the SQL stores: one a file, each read once."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`. Constant, so that a driver's cache of prepared statements meets it again."""
    return files("treadle.stores").joinpath("sql", f"{name}.sql").read_text("utf-8").strip()


@cache
def statement_in(schema: str, name: str) -> bytes:
    """The text of `sql/postgres/<name>.sql` for tables of this schema, whose name must have been checked."""
    text = statement(f"postgres/{name}")
    return text.replace("{schema}", f'"{schema}"').replace("{channel}", f"{schema}.oban_insert").encode()
