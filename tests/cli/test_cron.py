"""`treadle cron`: the crontab as a shell sees and changes it."""

import pytest

from tests.cli.conftest import SHOP, Shell
from treadle.core.states import State


def test_entries_are_added_listed_and_changed(shell: Shell) -> None:
    added = shell.ok(
        "cron", "add", SHOP, "0 9 * * MON-FRI", "greet", '["Ann"]', "--name", "hello", "--tz", "Asia/Tokyo"
    )
    assert added == "cron entry hello added\n"
    shell.ok("cron", "add", "@daily", "MyApp.Job", "--queue", "elixir", "--catch-up", "last", "--days", "both")
    header, first, second = shell.ok("cron", "list").splitlines()
    assert header.split()[:6] == ["name", "state", "expression", "zone", "job", "queue"]
    assert first.split()[:7] == ["MyApp.Job", "active", "@daily", "UTC,", "both", "MyApp.Job", "elixir"]
    assert "hello" in second
    assert "Asia/Tokyo" in second
    shown = {entry["name"]: entry for entry in shell.json("cron", "list", SHOP)}
    assert shown["hello"]["args"] == {"name": "Ann"}
    assert (shown["MyApp.Job"]["catch_up"], shown["MyApp.Job"]["days"]) == ("last", "both")
    assert shown["hello"]["source"] == "added"
    assert shown["hello"]["last"] is None


def test_the_next_ticks_are_printed_in_both_clocks(shell: Shell) -> None:
    shell.ok("cron", "add", "0 9 * * MON", "weekly", "--tz", "Asia/Tokyo")
    shell.ok("cron", "add", "30 * * * *", "half")
    header, *rows = shell.ok("cron", "next", "weekly", "--count", "2").splitlines()
    assert header.split() == ["at", "(UTC)", "local", "name"]
    assert [row.split()[1:3] + row.split()[4:] for row in rows] == [
        ["00:00:00", "Mon", "09:00:00", "JST", "weekly"]
    ] * 2
    both = shell.json("cron", "next", "--count", "200")
    assert {tick["name"] for tick in both} == {"weekly", "half"}
    assert [tick["at"] for tick in both] == sorted(tick["at"] for tick in both)


def test_an_entry_is_paused_resumed_run_and_removed(shell: Shell) -> None:
    shell.ok("cron", "add", SHOP, "* * * * * *", "greet", '["Ann"]', "--name", "hello")
    assert shell.ok("cron", "pause", "hello") == "cron entry hello paused\n"
    assert [entry["state"] for entry in shell.json("cron", "list")] == ["paused"]
    job_id = shell.ok("cron", "run", SHOP, "hello").strip()
    assert shell.ok("cron", "resume", SHOP, "hello") == "cron entry hello resumed\n"
    # A drain leaves the crontab alone, though this entry ticks each second.
    assert shell.ok("work", SHOP, "--drain").split() == ["completed", "1"]
    assert shell.states() == {job_id: State.COMPLETED}
    assert shell.ok("cron", "remove", "hello") == "cron entry hello removed\n"
    assert shell.json("cron", "list") == []


def test_an_entry_that_is_not_there_ends_with_4(shell: Shell) -> None:
    shell.ok("cron", "add", "@daily", "report")
    done = shell.run("cron", "remove", "reprot")
    assert done.returncode == 4
    assert done.stderr == 'treadle: expected the name of a cron entry (report), got "reprot"; did you mean "report"?\n'


@pytest.mark.parametrize(("words", "code"), [(("0 9 * *", "greet"), 1), (("@daily",), 2)])
def test_what_is_no_entry_is_refused(shell: Shell, words: tuple[str, ...], code: int) -> None:
    assert shell.run("cron", "add", *words).returncode == code


def test_a_node_hears_at_once_of_an_entry_that_is_added(shell: Shell) -> None:
    shell.make_store()
    work = shell.start("work", SHOP)
    work.logs("works on")
    shell.ok("cron", "add", SHOP, "* * * * * *", "greet", '["Ann"]')
    work.logs("cron entry greet: greet ")
