"""What somebody else's `oban_jobs` lacks of what treadle makes on an empty schema: told always, made only on request.

Nothing here rewrites a table or keeps jobs from being written for long, and each statement may be repeated.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import psycopg
from psycopg import sql

from treadle.errors import StoreError
from treadle.stores.oban import check_schema
from treadle.stores.shapes import Connection, Look, look
from treadle.stores.statements import statement

Kind = Literal["column", "state", "index", "table", "marker", "options"]

# Elixir's Oban and oban-py name theirs alike: oban_jobs_<what is indexed>_index.
_INDEX = "oban_jobs_{}_index"


class Lack(msgspec.Struct, frozen=True):
    """Something that lacks: what it would be good for and what making it costs.

    `needed` says that treadle does not run without it. `asked` things are made only where they are asked for by name.
    """

    kind: Kind
    name: str
    good_for: str
    cost: str
    needed: bool = False
    asked: bool = False

    @property
    def what(self) -> str:
        """In a few words."""
        return f"{self.kind} {_INDEX.format(self.name) if self.kind == 'index' else self.name}"

    def statement(self, schema: str) -> str:
        """What makes it; it has to stand alone, outside a transaction."""
        return _named(f"migrations/alter/{self.kind}_{self.name}", schema)


_CHEAP = "none: the catalogue alone is changed"
_READ = "one read of the table while jobs go on, then a little for each job"
_EMPTY = "none: an empty table"

_PARTS = (
    Lack("column", "meta", "what programs note of a job", _CHEAP, needed=True),
    Lack("column", "cancelled_at", "when a job was cancelled", _CHEAP, needed=True),
    Lack("state", "cancelled", "cancelled jobs", _CHEAP, needed=True),
    Lack("state", "suspended", "jobs that killed their worker, to be kept apart", _CHEAP),
    Lack("index", "state_queue_priority_scheduled_at_id", "claims that cost the same however many jobs wait", _READ),
    Lack("index", "staging", "staging that does not read every scheduled job each second", _READ),
    Lack("index", "completed_at", "pruning that does not read every completed job", _READ),
    Lack("index", "cancelled_at", "pruning that does not read every cancelled job", _READ),
    Lack("index", "discarded_at", "pruning that does not read every discarded job", _READ),
    Lack("options", "storage", "a table that is vacuumed before it bloats", _CHEAP),
    Lack(
        "table", "oban_producers", "queues that oban-py and Oban's dashboards see, and oban-py to start at all", _EMPTY
    ),
    Lack("table", "oban_leaders", "oban-py to start at all", _EMPTY),
    Lack("table", "oban_peers", "Elixir's Oban to start at all", _EMPTY),
    Lack("marker", "14", "Elixir's migrations, which fail on a table without one", _CHEAP),
    Lack(
        "index",
        "args",
        "searches by args in Oban Web, and Elixir's unique jobs",
        f"{_READ}: a third of the inserts",
        asked=True,
    ),
    Lack("index", "meta", "searches by meta in Oban Web", f"{_READ}: a third of the inserts", asked=True),
)


def lacks(found: Look) -> Sequence[Lack]:
    """What an existing job table lacks, most needed first. What is made only by name is among it."""
    return [part for part in _PARTS if part.name not in _present(found, part.kind)] if found.jobs_exist else []


def alter(connection: Connection, schema: str, *, gin: bool = False) -> Sequence[Lack]:
    """Make what lacks, with `gin` the indexes too that are made only by name; what was made.

    Raises StoreError where the role may not.
    """
    made = [lack for lack in lacks(look(connection, schema)) if gin or not lack.asked]
    for lack in made:
        try:
            if lack.kind == "index":
                # What a build that broke off left behind is no index, and would pass for one.
                _run(
                    connection, _named("migrations/alter/drop_index", schema).replace(":name", _INDEX.format(lack.name))
                )
            _run(connection, lack.statement(schema))
        except psycopg.errors.InsufficientPrivilege as error:
            raise StoreError(
                f"expected a role that may alter {schema}.oban_jobs, got {str(error).splitlines()[0]}: "
                f"treadle migrate --sql --alter prints what its owner has to run"
            ) from error
    return made


def alter_script(found: Look, schema: str, *, gin: bool = False) -> str:
    """The same as text; each statement has to run outside a transaction, as psql does it."""
    return "".join(f"{lack.statement(schema)};\n\n" for lack in lacks(found) if gin or not lack.asked)


def _present(found: Look, kind: Kind) -> frozenset[str]:
    """The names of what is there; a table that bears any marker has one, and no other is put in its place."""
    match kind:
        case "column":
            return frozenset(name for name, _ in found.columns)
        case "state":
            return frozenset(found.states)
        case "index":
            return frozenset(name.removeprefix("oban_jobs_").removesuffix("_index") for name in found.indexes)
        case "table":
            return found.tables
        case "marker":
            return frozenset() if found.marker is None else frozenset({"14"})
        case "options":
            return frozenset({"storage"} if "autovacuum_vacuum_scale_factor" in found.options else ())


def _named(name: str, schema: str) -> str:
    return statement(name).replace(':"schema"', sql.Identifier(check_schema(schema)).as_string())


def _run(connection: Connection, text: str) -> None:
    connection.execute(text.encode())
