"""Queries on PostgreSQL: conditions as SQL with bound values, and the table as a look through it reads it."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, assert_never

from treadle.core import query
from treadle.core.job import JobView
from treadle.core.query import Condition, Glob, Kind, Plain, Present, Test, Text, Than
from treadle.core.query_match import position
from treadle.core.states import State
from treadle.stores.oban import row_id, view_of
from treadle.stores.postgres_connection import Session
from treadle.stores.sql_query import BEFORE, Dialect, Values, condition, filled, has_text, is_text, text_in, than
from treadle.stores.sql_search import Rows, Where, Window
from treadle.stores.statements import statement

_COLUMNS = {"state": "j.state::text", "queue": "j.queue", "name": "j.worker", "": "j.worker"}
_COLUMNS["owner"] = "j.attempted_by[1]"
_MOMENTS = {
    "age": "j.inserted_at",
    "due": "j.scheduled_at",
    "ran": "j.attempted_at",
    "finished": "coalesce(j.completed_at, j.discarded_at, j.cancelled_at)",
}
_POSTGRES = Dialect(
    bound="%({})s",
    like="LIKE",
    wild={"*": "%", "?": "_", "\\%": "\\%", "\\_": "\\_", "\\\\": "\\\\"},
    # By the collation C the letters A to Z alone become small.
    small='lower({} COLLATE "C")',
    found="strpos({}, {})",
)


class PostgresTable:
    """The table of jobs on one connection."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def candidates(self, states: Collection[str], queues: Collection[str] | None, most: int) -> list[int]:
        """The ids of jobs in these states and queues, from the index."""
        # A table made by an older version may lack a state, and would not take its name for one.
        known = self._session.row("states")[0]
        values: dict[str, Any] = {"states": [state for state in known if state in states], "most": most}
        if queues is None:
            return self._ids("of_states", values)
        return self._ids("of_queues", {**values, "queues": list(queues)})

    def window(self, below: int, size: int) -> tuple[int, int]:
        """The lowest id of so many rows below an id, and how many there are."""
        low, number = self._session.row("window", {"below": below, "size": size})
        return low, number

    def match(self, where: Where, rows: Rows, limit: int) -> list[int]:
        """The ids of those of these rows that match, newest first."""
        values = {**_values(where, rows), "limit": limit}
        return self._ids("match" if isinstance(rows, Window) else "match_ids", values, where.text)

    def still(self, where: Where, ids: Sequence[int]) -> list[int]:
        """The ids of those of these rows that match now, locked to the end of the transaction."""
        return self._ids("match_still", _values(where, ids), where.text)

    def tally(self, where: Where, rows: Rows) -> list[tuple[str, int]]:
        """How many of these rows match, by state."""
        name = "tally" if isinstance(rows, Window) else "tally_ids"
        return self._session.rows(name, _values(where, rows), where=where.text)

    def views(self, ids: Sequence[int]) -> list[JobView]:
        """These jobs, newest first."""
        return [view_of(row) for row in self._session.rows("views", {"ids": list(ids)})]

    def _ids(self, name: str, values: Mapping[str, Any], where: str = "") -> list[int]:
        return [row[0] for row in self._session.rows(name, values, prepare=False, where=where)]


def where_of(wanted: query.Where) -> Where:
    """A query as a condition on a row `j`; durations count from the server's clock."""
    values = Values(_POSTGRES)
    return Where(condition(wanted, partial(_leaf, values)), values.bound)


def _values(where: Where, rows: Rows) -> Mapping[str, Any]:
    chosen = rows._asdict() if isinstance(rows, Window) else {"ids": list(rows)}
    return {**where.values, **chosen, "states": [*State]}


# One condition


def _leaf(values: Values, asked: Condition) -> str:
    test = asked.test
    match asked.about.kind:
        case Kind.ID:
            return f"j.id = {values.bind(row_id(text_in(test)))}"
        case Kind.NUMBER:
            return f"j.{asked.field} {than(test).relation} {values.bind(than(test).value)}"
        case Kind.AGO:
            ago = f"make_interval(secs => {values.bind(float(than(test).value))})"
            return f"{_MOMENTS[asked.field]} {BEFORE[than(test).relation]} timezone('UTC', now()) - {ago}"
        case Kind.JSON:
            return _json_is(_at(asked, values), test, values)
        case Kind.ANY_TEXT:
            return filled(_fragment("any_tag"), test=is_text("tag", test, values))
        case Kind.STATE | Kind.TEXT | Kind.PART:
            compare = has_text if asked.about.kind is Kind.PART else is_text
            return compare(_COLUMNS.get(asked.field) or _fragment("latest_error"), test, values)


def _at(asked: Condition, values: Values) -> str:
    """The value at the end of the path. A position is one in a list, and a key where there is an object instead."""
    at = f"j.{asked.field}"
    for part in asked.path:
        bound = f"{values.bind(part)}::text"
        at = f"({at} -> {bound})" if position(part) is None else f"({at} #> ARRAY[{bound}])"
    return at


def _json_is(at: str, test: Test, values: Values) -> str:
    match test:
        case Present():
            return f"{at} IS NOT NULL"
        case Text(text):
            return f"{at} = to_jsonb({values.bind(text)}::text)"
        case Glob():
            return f"(jsonb_typeof({at}) = 'string' AND {is_text(f'({at} #>> ARRAY[]::text[])', test, values)})"
        case Than(relation, number):
            wanted = f"{values.bind(repr(number))}::text::numeric"
            return f"CASE jsonb_typeof({at}) WHEN 'number' THEN {at}::numeric {relation} {wanted} END"
        case Plain(text):
            as_text = f"{at} = to_jsonb({values.bind(text)}::text)"
            if test.number is None and text not in {"true", "false", "null"}:
                return as_text
            return f"({as_text} OR {at} = {values.bind(text)}::text::jsonb)"
        case _:
            assert_never(test)


def _fragment(name: str) -> str:
    return statement(f"postgres/{name}")
