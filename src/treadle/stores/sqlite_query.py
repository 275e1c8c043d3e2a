"""Queries on SQLite: conditions as SQL with bound values, and the table as a look through it reads it."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from sqlite3 import Connection
from typing import Any, assert_never

from treadle.core import query
from treadle.core.job import JobView
from treadle.core.query import Condition, Glob, Kind, Plain, Present, Test, Text, Than
from treadle.core.query_match import position
from treadle.core.states import State
from treadle.stores.oban import row_id, stamp, view_of
from treadle.stores.sql_query import BEFORE, Dialect, Values, condition, filled, has_text, is_text, text_in, than
from treadle.stores.sql_search import Rows, Where, Window
from treadle.stores.sqlite_claims import as_list, as_names
from treadle.stores.statements import statement

_COLUMNS = {"state": "j.state", "queue": "j.queue", "name": "j.worker", "": "j.worker"}
_EXPRESSIONS = {"error": "latest_error", "owner": "owner_of"}
_MOMENTS: Mapping[str, Sequence[str]] = {
    "age": ("j.inserted_at",),
    "due": ("j.scheduled_at",),
    "ran": ("j.attempted_at",),
    "finished": ("j.completed_at", "j.discarded_at", "j.cancelled_at"),
}
_SQLITE = Dialect(
    bound=":{}",
    like="GLOB",
    # A bracket begins a set of characters.
    wild={f"\\{char}": f"[{char}]" for char in "*?["},
    small="lower({})",
    found="instr({}, {})",
)


class SqliteTable:
    """The table of jobs on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def candidates(self, states: Collection[str], queues: Collection[str] | None, most: int) -> list[int]:
        """The ids of jobs in these states and queues, from the index."""
        values: dict[str, Any] = {"states": as_names(states), "most": most}
        if queues is None:
            return self._ids(statement("sqlite/of_states"), values)
        return self._ids(statement("sqlite/of_queues"), {**values, "queues": as_names(queues)})

    def window(self, below: int, size: int) -> tuple[int, int]:
        """The lowest id of so many rows below an id, and how many there are."""
        low, number = self._connection.execute(statement("sqlite/window"), {"below": below, "size": size}).fetchone()
        return low or 0, number

    def match(self, where: Where, rows: Rows, limit: int) -> list[int]:
        """The ids of those of these rows that match, newest first."""
        text, values = _statement("match", where, rows)
        return self._ids(text, {**values, "limit": limit})

    def tally(self, where: Where, rows: Rows) -> list[tuple[str, int]]:
        """How many of these rows match, by state."""
        return self._connection.execute(*_statement("tally", where, rows)).fetchall()

    def views(self, ids: Sequence[int]) -> list[JobView]:
        """These jobs, newest first."""
        return [view_of(row) for row in self._connection.execute(statement("sqlite/views"), {"ids": as_list(ids)})]

    def _ids(self, text: str, values: Mapping[str, Any]) -> list[int]:
        return [row[0] for row in self._connection.execute(text, values)]


def where_of(wanted: query.Where, now: float) -> Where:
    """A query as a condition on a row `j`."""
    values = Values(_SQLITE)
    return Where(condition(wanted, partial(_leaf, values, now)), values.bound)


def _statement(name: str, where: Where, rows: Rows) -> tuple[str, Mapping[str, Any]]:
    chosen = rows._asdict() if isinstance(rows, Window) else {"ids": as_list(rows)}
    text = statement(f"sqlite/{name}" if isinstance(rows, Window) else f"sqlite/{name}_ids")
    return filled(text, where=where.text), {**where.values, **chosen, "states": as_names(State)}


# One condition


def _leaf(values: Values, now: float, asked: Condition) -> str:
    test = asked.test
    match asked.about.kind:
        case Kind.ID:
            return f"j.id = {values.bind(row_id(text_in(test)))}"
        case Kind.NUMBER:
            column = f"j.{asked.field}"
            return f"(typeof({column}) = 'integer' AND {_compares(column, test, values)})"
        case Kind.AGO:
            return _ago(_MOMENTS[asked.field], test, values, now)
        case Kind.JSON:
            return _at_path(asked, values)
        case Kind.ANY_TEXT:
            return filled(_fragment("any_tag"), test=is_text("CAST(tag.value AS TEXT)", test, values))
        case Kind.STATE | Kind.TEXT | Kind.PART:
            return _of_text(asked, values)


def _of_text(asked: Condition, values: Values) -> str:
    column = _COLUMNS.get(asked.field) or _fragment(_EXPRESSIONS[asked.field])
    compare = has_text if asked.about.kind is Kind.PART else is_text
    return compare(column, asked.test, values)


def _compares(number: str, test: Test, values: Values) -> str:
    wanted = than(test)
    return f"{number} {wanted.relation} {values.bind(wanted.value)}"


def _ago(columns: Sequence[str], test: Test, values: Values, now: float) -> str:
    wanted = than(test)
    # Any form of an instant that stands in the table, to the millisecond.
    found = ", ".join(f"julianday({column})" for column in columns)
    moment = f"coalesce({found})" if len(columns) > 1 else found
    return f"{moment} {BEFORE[wanted.relation]} julianday({values.bind(stamp(now - wanted.value))})"


def _at_path(asked: Condition, values: Values) -> str:
    steps, keys = [], []
    for depth, part in enumerate(asked.path):
        if depth:
            steps.append(" " + filled(_fragment("step_of_path"), outer=f"p{depth - 1}", inner=f"p{depth}"))
        index = position(part)
        key = f"p{depth}.key = {values.bind(part)}"
        keys.append(key if index is None else f"({key} OR p{depth}.key = {values.bind(index)})")
    test = _json_is(f"p{len(asked.path) - 1}", asked.test, values)
    return filled(
        _fragment("at_path"), column=f"j.{asked.field}", steps="".join(steps), keys=" AND ".join(keys), test=test
    )


def _json_is(at: str, test: Test, values: Values) -> str:
    match test:
        case Present():
            return "1 = 1"
        case Text() | Glob():
            return f"{at}.type = 'text' AND {is_text(f'{at}.atom', test, values)}"
        case Than():
            return f"{at}.type IN ('integer', 'real') AND {_compares(f'{at}.atom', test, values)}"
        case Plain(text):
            as_text = f"{at}.type = 'text' AND {at}.atom = {values.bind(text)}"
            if text in {"true", "false", "null"}:
                return f"({at}.type = {values.bind(text)} OR {as_text})"
            if test.number is None:
                return as_text
            return f"({at}.type IN ('integer', 'real') AND {at}.atom = {values.bind(test.number)} OR {as_text})"
        case _:
            assert_never(test)


def _fragment(name: str) -> str:
    return statement(f"sqlite/{name}")
