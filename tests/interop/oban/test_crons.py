"""Treadle's crontab beside oban-py's, which goes on with its own: each inserts its own jobs, once a tick."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.interop.oban.programs import Database, ObanPeer, Row, TreadleNode
from tests.servers import wait_until
from treadle import Treadle

pytestmark = [pytest.mark.interop, pytest.mark.chaos]

EVERY_MINUTE, EVERY_SECOND = "* * * * *", "* * * * * *"
# Until the next minute begins, and what it brings has run.
MINUTE = 75.0


@pytest.fixture
def nodes(database: Database) -> Iterator[list[TreadleNode]]:
    """Two nodes, each of which ticks."""
    with TreadleNode(database) as one, TreadleNode(database) as other:
        yield [one, other]


def ticks(database: Database, expr: str, worker: str) -> list[Row]:
    """The jobs that a crontab inserted for this expression, by their ticks."""
    return database.rows(
        "SELECT id, meta, state::text AS state FROM oban_jobs WHERE meta->>'cron_expr' = %s AND worker = %s "
        "ORDER BY meta->>'cron_at', id",
        expr,
        worker,
    )


@pytest.mark.usefixtures("nodes")
def test_each_inserts_one_job_a_tick_and_reads_the_others(database: Database, oban: ObanPeer, app: Treadle) -> None:
    @app.job(name="Echo", queue="treadle")
    def echo(text: str = "") -> None:
        raise NotImplementedError(text)

    assert wait_until(lambda: oban.ask("leading"), what="oban-py leads, and so schedules")
    oban.ask("schedule", expr=EVERY_MINUTE)
    app.crons.add(EVERY_MINUTE, echo.new(), name="minutes")
    app.crons.add(EVERY_SECOND, echo.new(), name="seconds")
    names = {"minutes": (EVERY_MINUTE, "Echo"), "seconds": (EVERY_SECOND, "Echo"), "oban": (EVERY_MINUTE, "peer.Echo")}
    wait_until(
        lambda: all(any(row["state"] == "completed" for row in ticks(database, *name)) for name in names.values()),
        MINUTE,
        "the minute begins, and every crontab ticks at it",
    )
    app.crons.pause("minutes")
    app.crons.pause("seconds")
    found = {name: ticks(database, *which) for name, which in names.items()}
    instants = {name: [datetime.fromisoformat(row["meta"]["cron_at"]) for row in rows] for name, rows in found.items()}
    assert all(len(set(times)) == len(times) for times in instants.values()), "one job for each tick"
    seconds = [int(instant.timestamp()) for instant in instants["seconds"]]
    assert seconds == list(range(seconds[0], seconds[-1] + 1)), "and no tick without"
    assert instants["minutes"][0] in instants["oban"], "both at the same minute"
    # What oban-py says of a job of its own crontab treadle says in the same words.
    ours, theirs = (oban.ask("job", job_id=found[name][0]["id"])["meta"] for name in ("minutes", "oban"))
    assert {key: type(value) for key, value in theirs.items()}.items() <= {k: type(v) for k, v in ours.items()}.items()
    assert (ours["cron"], ours["cron_expr"], ours["cron_name"]) == (True, EVERY_MINUTE, "minutes")
    assert database.rows("SELECT to_regclass('oban_crons') AS of")[0]["of"] is None, "Oban's own table is left to Oban"
