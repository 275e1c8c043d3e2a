"""The file of the SQLite store: what is refused, and what its statements read."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.stores.places import ManualClock, SqliteFile, beside, on
from treadle.errors import ConfigError, StoreError
from treadle.stores.sqlite import SqliteStore
from treadle.stores.statements import statement


@pytest.fixture
def place(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path)


def open_at(path: Path) -> None:
    store = SqliteStore(str(path), clock=ManualClock(), sync="normal")
    try:
        asyncio.run(store.open())
    finally:
        store.close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path / "none")):
        open_at(tmp_path / "none" / "jobs.db")
    with pytest.raises(ConfigError, match="folder"):
        open_at(tmp_path)


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 1_000)
    with pytest.raises(StoreError, match=r"notes\.txt.*SQLite database"):
        open_at(path)
    assert path.read_text() == "not a database, " * 1_000


def test_a_table_of_another_kind_is_left_alone(place: SqliteFile) -> None:
    beside(place, "CREATE TABLE oban_jobs (id INTEGER PRIMARY KEY, state TEXT)")
    with pytest.raises(StoreError, match="without args, attempt, attempted_at and 13 more"):
        open_at(Path(place.path))
    assert beside(place, "SELECT count(*) FROM sqlite_master") == [(1,)]


BY_ID = "INTEGER PRIMARY KEY (rowid=?)"
BY_STATE = "INDEX oban_jobs_state_queue_priority_scheduled_at_id_index"
PLANS: dict[str, tuple[Sequence[object] | Mapping[str, object], str]] = {
    "waiting": (
        ("default", 10),
        f"SEARCH oban_jobs USING {BY_STATE} (state=? AND queue=?)",
    ),
    "take": (("x", "y", "[]"), f"SEARCH oban_jobs USING {BY_ID}"),
    "complete": (("x", 1, "y"), f"SEARCH oban_jobs USING {BY_ID}"),
    "due": ({"now": "x", "limit": 1}, "SEARCH oban_jobs USING INDEX treadle_jobs_due (scheduled_at<?)"),
    "stage": (("[]",), f"SEARCH oban_jobs USING {BY_ID}"),
    "give_back": ({"now": "x", "ids": "[]"}, f"SEARCH oban_jobs USING {BY_ID}"),
    "lose": ({"now": "x", "ids": "[]", "error": ""}, f"SEARCH oban_jobs USING {BY_ID}"),
    "waiting_group": (
        {"queue": "default", "priority": 0, "limit": 10},
        f"SEARCH oban_jobs USING COVERING {BY_STATE} (state=? AND queue=? AND priority=?)",
    ),
    "next_group": (("completed", "q", 0), f"SEARCH oban_jobs USING COVERING {BY_STATE} (state=? AND (queue,priority)>"),
    "match_ids": ({"ids": "[]", "states": "[]", "limit": 1}, f"SEARCH j USING {BY_ID}"),
}


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("name", PLANS)
def test_no_cost_grows_with_the_backlog(place: SqliteFile, name: str, *, analyzed: bool) -> None:
    on(place, lambda bench: bench.put(2_000))
    if analyzed:
        beside(place, "ANALYZE")
    values, wanted = PLANS[name]
    text = statement(f"sqlite/{name}").replace("{where}", "j.queue = 'mail'")
    plan = [row[3] for row in beside(place, f"EXPLAIN QUERY PLAN {text}", values)]
    assert [line for line in plan if line.startswith(wanted)], plan
    # Those of a given list are put in order, and no others.
    costly = r"SCAN (oban_jobs|j)\b" if name == "match_ids" else r"SCAN (oban_jobs|j)\b|.*TEMP B-TREE FOR ORDER BY"
    assert not [line for line in plan if re.match(costly, line)], plan
