"""The statements of the SQL stores: one a file, each read once."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`. Constant, so that a driver's cache of prepared statements meets it again."""
    return files("treadle.stores").joinpath("sql", f"{name}.sql").read_text("utf-8").strip()
