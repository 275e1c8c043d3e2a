"""What stands in a schema of PostgreSQL: which tables, and how its `oban_jobs` was made."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
import psycopg
from psycopg.rows import dict_row

from treadle.errors import StoreError
from treadle.stores.statements import statement

Connection = psycopg.Connection[Any]

UNBOUNDED: Final = 1_000_000
"""The version of a table that Elixir's migrations leave to others; its marker is "∞"."""

_TEXT = ("text", "character varying")
_TEXTS = ("text[]", "character varying[]")
_INTEGERS = ("bigint", "integer", "smallint")
_INSTANT = ("timestamp without time zone",)
_COLUMNS: Mapping[str, Sequence[str]] = {
    "id": ("bigint", "integer"),
    "queue": _TEXT,
    "worker": _TEXT,
    "args": ("jsonb",),
    "errors": ("jsonb[]", "jsonb"),
    "attempt": _INTEGERS,
    "max_attempts": _INTEGERS,
    "priority": _INTEGERS,
    "attempted_by": _TEXTS,
    "tags": _TEXTS,
    "meta": ("jsonb",),
    "inserted_at": _INSTANT,
    "scheduled_at": _INSTANT,
    "attempted_at": _INSTANT,
    "completed_at": _INSTANT,
    "cancelled_at": _INSTANT,
    "discarded_at": _INSTANT,
}
_STATES = ("available", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled")
_PRODUCER_COLUMNS = frozenset({"uuid", "name", "node", "queue", "meta", "started_at", "updated_at"})


class TableShape(msgspec.Struct, frozen=True, kw_only=True):
    """How an `oban_jobs` was made, as far as it matters to who reads and writes it.

    `version` is that of Elixir's migrations, 0 where the table bears none, as oban-py's does. `suspended` says whether
    there is a state of that name. `notifies` says that a trigger tells of inserts, as one did before version 12: who
    inserts must not tell of them again. `producers` says whether there is a table in which to register queues.
    """

    version: int
    errors: Literal["jsonb[]", "jsonb"]
    suspended: bool
    notifies: bool
    producers: bool


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What `sql/migrations/look.sql` saw; `columns` to `notifies` are of `oban_jobs`. Invalid indexes are not told."""

    schema_exists: bool
    jobs_exist: bool
    marker: str | None
    own_version: str | None
    tables: frozenset[str]
    producer_columns: frozenset[str]
    columns: Sequence[tuple[str, str]]
    states: Sequence[str]
    indexes: frozenset[str]
    options: frozenset[str]
    notifies: bool

    @property
    def version(self) -> int:
        """The version of treadle's own tables; 0 where there are none."""
        return _number(self.own_version)

    @property
    def oban_version(self) -> int:
        """The version of Elixir's migrations that the job table bears; 0 where it bears none."""
        return UNBOUNDED if self.marker == "∞" else _number(self.marker)

    @property
    def shape(self) -> TableShape:
        """How the job table was made. Raises StoreError where it lacks what no statement can do without."""
        columns = dict(self.columns)
        wrong = [
            f"{name} {' or '.join(kinds)} (is {columns.get(name, 'missing')})"
            for name, kinds in _COLUMNS.items()
            if columns.get(name) not in kinds
        ]
        wrong += [f"a state {name} (is missing)" for name in _STATES if name not in self.states]
        if wrong:
            raise StoreError(
                f"expected oban_jobs as Oban 2 or later makes it, with {', '.join(wrong)}: "
                f"migrate it with Oban, or see what treadle migrate status says"
            )
        return TableShape(
            version=self.oban_version,
            errors="jsonb[]" if columns["errors"] == "jsonb[]" else "jsonb",
            suspended="suspended" in self.states,
            notifies=self.notifies,
            producers=self.producer_columns >= _PRODUCER_COLUMNS,
        )


def look(connection: Connection, schema: str) -> Look:
    """See what stands in a schema; any role may."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement("migrations/look").encode(), {"schema": schema})
        return msgspec.convert(cursor.fetchone(), Look)


def _number(marker: str | None) -> int:
    """The version in a comment; 0 where it holds something else."""
    return int(marker) if marker and marker.isdecimal() else 0
