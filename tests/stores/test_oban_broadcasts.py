"""What Oban's dashboards are told: as oban-py was recorded to tell it, and whatever there is to tell, readable."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores.oban_web import Dashboard
from treadle.core.cron_entry import CronEntry
from treadle.core.job import NewJob
from treadle.core.sketch import Sketch
from treadle.stores.broadcasts import Attempts, Pulse
from treadle.stores.oban import producer
from treadle.stores.oban_broadcasts import Notice, crontab_notices, notices
from treadle.stores.oban_notices import PLAIN_LIMIT

OWNER = "host:7:abc"
STARTED = 1795334315.029154
GOLDEN = Path(__file__).parent.parent / "golden" / "oban-notifications.jsonl"


def recorded(channel: str) -> dict[str, Any]:
    """What oban-py 0.7.0 told on a channel."""
    lines = map(json.loads, GOLDEN.read_text().splitlines())
    [found] = [one for one in lines if one["channel"] == f"public.oban_{channel}" and "oban-py" in one["program"]]
    message = json.loads(found["decoded"])
    assert isinstance(message, dict)
    return message


def pulse(**more: Any) -> Pulse:
    return Pulse(owner=OWNER, started=STARTED, **{"slots": {"default": 5}, **more})


def timed(sketch: Sketch) -> str:
    """The payload as it leaves the server, which adds its time."""
    [notice] = notices([pulse(attempts=[attempts(ran=sketch)])], ())[1:]
    return stamped(notice)


def stamped(notice: Notice) -> str:
    return notice.payload[:-1] + ',"time":1795334319}' if notice.channel == "metrics" else notice.payload


def attempts(**more: Any) -> Attempts:
    given = {"queue": "default", "name": "Mail", "after": "completed", "ran": Sketch({1: 1}), "waited": Sketch({2: 1})}
    return Attempts(**{**given, **more})


def entry(expr: str = "* * * * *", **more: Any) -> CronEntry:
    job = NewJob(name="app.workers.EveryMinute", args=b"{}", queue="default", max_attempts=20)
    return CronEntry(**{"name": "d6de7d72", "expr": expr, "job": job, **more})


def heard(told: list[Notice]) -> Dashboard:
    dashboard = Dashboard()
    for notice in told:
        dashboard.hear(notice.channel, stamped(notice))
    return dashboard


def test_queues_are_told_as_oban_tells_them() -> None:
    [told] = notices([pulse(slots={"default": 5, "other": 3}, running={"other": ["12", "9"]}, paused=["other"])], ["x"])
    [theirs, second] = recorded("gossip")["checks"]
    [first, other] = json.loads(told.payload)["checks"]
    assert list(first) == list(theirs)
    ours = {"uuid": producer(OWNER, "default"), "node": OWNER, "started_at": "2026-11-22T07:58:35.029154+00:00"}
    assert first == {**theirs, **ours}
    ours["uuid"] = producer(OWNER, "other")
    assert other == {**second, **ours, "paused": True, "running": [12, 9]}


def test_queues_that_are_paused_for_all_are_told_as_paused() -> None:
    dashboard = heard(notices([pulse(slots={"default": 5, "mail": 1})], {"mail"}))
    assert {queue: check["paused"] for (_, queue), check in dashboard.checks.items()} == {
        "default": False,
        "mail": True,
    }


def test_attempts_are_told_as_oban_tells_them() -> None:
    told = json.loads(timed(Sketch({519: 2, 621: 1})))
    theirs = recorded("metrics")
    assert list(told) == list(theirs)
    assert told["time"] == theirs["time"]
    labels = {"state": "completed", "queue": "default", "worker": "Mail"}
    assert told["metrics"] == [
        {"series": "exec_time", **labels, "value": {"data": {"519": 2, "621": 1}, "size": 3}},
        {"series": "wait_time", **labels, "value": {"data": {"2": 1}, "size": 1}},
        {"series": "exec_count", **labels, "value": {"data": [3]}},
    ]


def test_a_crontab_is_told_as_oban_tells_it() -> None:
    [told] = crontab_notices("vm.30751", [entry()])
    assert (told.channel, json.loads(told.payload)) == ("cronitor", recorded("cronitor"))


def test_entries_that_elixir_cannot_read_are_left_out() -> None:
    zoned = entry("0 9 * * 7", name="zoned", tz="Europe/Paris")
    [told] = crontab_notices("n", [entry("30 0 9 * * *"), zoned, entry("0 9 1 * MON")])
    options = {"timezone": "Europe/Paris", "name": "zoned"}
    assert json.loads(told.payload)["crontab"] == [["0 9 * * 0", "app.workers.EveryMinute", options]]
    assert crontab_notices("n", [entry("30 0 9 * * *")]) == crontab_notices("n", []) == []


def test_nothing_is_told_of_nobody() -> None:
    assert notices([], ["mail"]) == notices([pulse(slots={})], ()) == []


names = st.text(min_size=1, max_size=127).filter(lambda text: "\0" not in text)
ids = st.lists(st.integers(1, 2**63 - 1).map(str), max_size=10)
sketches = st.dictionaries(st.integers(0, 900), st.integers(1, 10**6), min_size=1, max_size=30).map(Sketch)
ended = st.builds(
    Attempts,
    queue=names,
    name=names,
    after=st.sampled_from(["completed", "retryable", "discarded", "cancelled", "scheduled"]),
    ran=sketches,
    waited=sketches,
)
pulses = st.builds(
    Pulse,
    owner=names,
    started=st.floats(0, 4e9),
    slots=st.dictionaries(names, st.integers(1, 1000), max_size=8),
    running=st.dictionaries(names, ids, max_size=3),
    attempts=st.lists(ended, max_size=8),
)


@given(st.lists(pulses, max_size=4))
def test_whatever_is_told_is_read_and_nothing_is_lost(told: list[Pulse]) -> None:
    dashboard = heard(notices(told, ()))
    assert set(dashboard.checks) == {(one.owner, queue) for one in told for queue in one.slots}
    attempts = [attempt for one in told for attempt in one.attempts]
    assert sum(dashboard.counts.values()) == sum(attempt.ran.size for attempt in attempts)
    for series, sizes in (
        ("exec_time", [a.ran.size for a in attempts]),
        ("wait_time", [a.waited.size for a in attempts]),
    ):
        assert sum(sum(bins.values()) for labels, bins in dashboard.bins.items() if labels[0] == series) == sum(sizes)


def test_much_to_tell_goes_in_pieces_that_postgresql_takes() -> None:
    many = [attempts(name=f"Worker{number}", ran=Sketch(dict.fromkeys(range(60), 1))) for number in range(200)]
    slots = {f"queue{number}": 10 for number in range(300)}
    told = notices([pulse(slots=slots, attempts=many)], ())
    assert len(told) > 20
    assert all(len(notice.payload) < PLAIN_LIMIT for notice in told)
    dashboard = heard(told)
    assert len(dashboard.checks) == 300
    assert len(dashboard.counts) == 200


def test_a_sketch_of_every_size_is_divided() -> None:
    sketch = Sketch(dict.fromkeys(range(1200), 123456))
    dashboard = heard(notices([pulse(attempts=[attempts(ran=sketch)])], ()))
    assert dashboard.bins["exec_time", "completed", "default", "Mail"] == sketch.bins


@pytest.mark.parametrize(("number", "all_told"), [(300, True), (900, True), (200_000, False)])
def test_a_queue_that_runs_very_much_is_one_check(number: int, all_told: bool) -> None:  # noqa: FBT001 - a case's part
    ids = [str(10**9 + at) for at in range(number)]
    dashboard = heard(notices([pulse(running={"default": ids})], ()))
    told = dashboard.running("default")
    assert told <= set(map(int, ids))
    assert (len(told) == number) is all_told
    assert len(told) > 100


def test_a_long_crontab_is_told_whole_by_several_names() -> None:
    entries = [entry(name=f"entry {number}") for number in range(300)]
    told = crontab_notices("n", entries)
    assert all(len(notice.payload) < PLAIN_LIMIT for notice in told)
    crons = heard(told).crons
    assert "n" in crons
    assert len(crons) == len(told) > 1
    assert [options["name"] for crontab in crons.values() for _, _, options in crontab] == [one.name for one in entries]
