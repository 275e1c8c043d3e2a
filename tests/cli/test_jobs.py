"""`treadle jobs` and `treadle queues`: what stands in a store, and what may be done to it."""

import json
import re
import signal
import sqlite3
from contextlib import closing

import psutil
import pytest

from tests.cli.conftest import IN_A_TERMINAL, LIMIT, SHOP, Held, Shell
from tests.servers import wait_until


def test_jobs_are_listed_newest_first(shell: Shell) -> None:
    first, second = shell.enqueue("greet", '["Ann"]'), shell.enqueue("mail", '["Bob"]')
    lines = [line.split() for line in shell.ok("jobs", "list").splitlines()]
    assert [line[:5] for line in lines] == [
        ["id", "state", "name", "queue", "attempt"],
        [second, "available", "mail", "mail", "0/20"],
        [first, "available", "greet", "default", "0/20"],
    ]


def test_filters_choose_jobs(shell: Shell) -> None:
    greeting, letter = shell.enqueue("greet", '["Ann"]'), shell.enqueue("mail", '["Bob"]')
    later = shell.enqueue("greet", '["Ann"]', "--delay", "60")
    for chosen, ids in (
        (("--state", "scheduled"), [later]),
        (("--queue", "mail"), [letter]),
        (("--name", "greet"), [later, greeting]),
        (("--name", "greet", "--state", "available"), [greeting]),
        (("--limit", "2"), [later, letter]),
        (("--queue", "none"), []),
    ):
        assert [job["id"] for job in shell.json("jobs", "list", *chosen)] == ids


def test_a_query_chooses_jobs(shell: Shell) -> None:
    greeting, letter = shell.enqueue("greet", '["Ann"]'), shell.enqueue("mail", '["Bob"]')
    later = shell.enqueue("greet", '["Ann"]', "--delay", "60")
    for words, ids in (
        (("state:scheduled",), [later]),
        ((SHOP, "state:scheduled"), [later]),
        (("queue:mail OR state:scheduled",), [later, letter]),
        (("due:>0s", "gree"), [greeting]),
        (("args.name:Ann", "--state", "available"), [greeting]),
        (("queue:none",), []),
    ):
        assert [job["id"] for job in shell.json("jobs", "list", *words)] == ids


def test_a_listing_goes_on_where_it_says(shell: Shell) -> None:
    first, second = shell.enqueue("greet", '["Ann"]'), shell.enqueue("greet", '["Ann"]')
    done = shell.run("jobs", "list", "name:greet", "--limit", "1", "--json")
    assert [job["id"] for job in json.loads(done.stdout)] == [second]
    assert done.stderr == f"treadle: 2 jobs were looked at, not all; go on with --after {second}\n"
    assert [job["id"] for job in shell.json("jobs", "list", "name:greet", "--after", second)] == [first]


def test_an_action_on_a_query_is_shown_before_it_is_done(shell: Shell) -> None:
    greeting, letter = shell.enqueue("greet", '["Ann"]'), shell.enqueue("mail", '["Bob"]')
    shell.ok("jobs", "cancel", greeting)
    told = shell.ok("jobs", "cancel", SHOP, "name:greet OR queue:mail").splitlines()
    assert told[:2] == ["would cancel 1 job: 1 available", "would leave as they are 1 job: 1 cancelled"]
    assert [line.split()[0] for line in told[2:5]] == ["id", letter, greeting]
    assert told[5] == "nothing was done; --yes does it"
    assert shell.states() == {greeting: "cancelled", letter: "available"}
    assert shell.ok("jobs", "cancel", SHOP, "name:greet OR queue:mail", "--yes") == "1 job cancelled\n"
    assert shell.ok("jobs", "cancel", "state:available").splitlines() == ["would cancel 0 jobs", "nothing to do"]


def test_what_would_be_done_can_be_read_as_json(shell: Shell) -> None:
    ids = [shell.enqueue("greet", '["Ann"]') for _ in range(2)]
    would = shell.json("jobs", "delete", "name:greet", "--limit", "1")
    assert [job["id"] for job in would.pop("jobs")] == ids[1:]
    assert would == {"action": "delete", "would": 1, "states": {"available": 1}, "complete": True, "missing": []}
    assert shell.ok("jobs", "delete", "name:greet", "--limit", "1", "--yes") == "1 job deleted\n"
    assert list(shell.states()) == ids[:1]


def test_ids_and_a_query_together_are_shown_first(shell: Shell) -> None:
    job, other = shell.enqueue("greet", '["Ann"]'), shell.enqueue("mail", '["Ann"]')
    assert shell.ok("jobs", "delete", job, other, "queue:mail").startswith("would delete 1 job: 1 available\n")
    done = shell.run("jobs", "delete", job, other, "queue:mail", "--yes")
    assert (done.stdout, done.returncode) == ("1 job deleted\n", 4)
    assert list(shell.states()) == [job]


def test_an_id_that_is_not_there_is_told_before_it_is_done_too(shell: Shell) -> None:
    job = shell.enqueue("greet", '["Ann"]')
    told = shell.run("jobs", "delete", "cli_shop", job, "name:greet")
    assert told.returncode == 4
    assert told.stdout.startswith("would delete 1 job: 1 available\n")
    wanted = "no such job: cli_shop; an app stands before ids with a colon, as in cli_shop:app"
    assert told.stderr == f"treadle: {wanted}\n"


def test_a_cursor_that_no_listing_gave_is_wrong_usage(shell: Shell) -> None:
    shell.make_store()
    assert shell.run("jobs", "list", "--after", "page two").returncode == 2


def test_no_jobs_are_said_with_the_store_that_has_none(shell: Shell) -> None:
    shell.make_store()
    assert shell.ok("jobs", "list") == f"no such jobs in {shell.url}\n"
    assert shell.ok("queues", "list") == f"no jobs in {shell.url}\n"


def test_a_job_is_shown_with_its_value(shell: Shell) -> None:
    job = shell.enqueue("greet", '["Ann"]')
    shell.ok("work", SHOP, "--drain")
    shown = shell.ok("jobs", "show", SHOP, job)
    for line in (
        "state     completed: returned",
        "name      greet",
        'args      {"name": "Ann"}',
        'value     "hello Ann "',
    ):
        assert line in shown.splitlines()
    assert shell.json("jobs", "show", job)["value"] == "hello Ann "


def test_a_failed_job_is_shown_with_its_errors(shell: Shell) -> None:
    job = shell.enqueue("fail")
    shell.run("work", SHOP, "--drain")
    shown = shell.ok("jobs", "show", job)
    assert "attempt 1 failed" in shown
    assert "ValueError: no" in shown
    [error] = shell.json("jobs", "show", job)["errors"]
    assert error["attempt"] == 1
    assert error["error"].rstrip().endswith("ValueError: no")


@pytest.mark.parametrize("command", ["show", "retry", "cancel", "delete"])
def test_an_id_that_is_not_there_ends_with_4(shell: Shell, command: str) -> None:
    shell.make_store()
    done = shell.run("jobs", command, "77")
    assert done.returncode == 4
    assert done.stderr == "treadle: no such job: 77\n"


def test_retry_makes_jobs_available(shell: Shell) -> None:
    failed, waiting = shell.enqueue("fail"), shell.enqueue("greet", '["Ann"]', "--delay", "60")
    shell.run("work", SHOP, "--drain")
    assert shell.ok("jobs", "retry", SHOP, failed, waiting) == "2 jobs made available\n"
    assert set(shell.states().values()) == {"available"}


def test_cancel_ends_waiting_jobs(shell: Shell) -> None:
    shell.enqueue("mail", '["Ann"]')
    greeting = shell.enqueue("greet", '["Ann"]')
    assert shell.ok("jobs", "cancel", "--queue", "mail") == "1 job cancelled\n"
    assert [job["id"] for job in shell.json("jobs", "list", "--state", "available")] == [greeting]


def test_delete_removes_jobs_and_leaves_running_ones(shell: Shell, held: Held) -> None:
    running = shell.enqueue("hold", held.args)
    waiting = shell.enqueue("mail", '["Ann"]')
    shell.start("work", SHOP, "-q", "default")
    held.begins()
    done = shell.run("jobs", "delete", running, waiting)
    assert (done.returncode, done.stdout) == (1, "1 job deleted\n")
    assert done.stderr == f"treadle: could not delete: {running} (executing)\n"
    assert list(shell.states()) == [running]


def test_an_action_that_is_interrupted_says_that_what_was_done_stays_done(shell: Shell) -> None:
    shell.enqueue("greet", '["Ann"]')
    with closing(sqlite3.connect(shell.folder / "jobs.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        running = shell.start("jobs", "cancel", "name:*", "--yes")
        files = psutil.Process(running.process.pid).open_files
        wait_until(lambda: any(file.path.endswith("jobs.db") for file in files()), LIMIT, "it waits for the file")
        running.send(signal.SIGINT)
    assert running.ends() == 130
    assert running.log == "\ntreadle: interrupted: what was cancelled until then stays so\n"


def test_a_limit_takes_the_newest(shell: Shell) -> None:
    ids = [shell.enqueue("greet", '["Ann"]') for _ in range(3)]
    assert shell.ok("jobs", "delete", "--name", "greet", "--limit", "2") == "2 jobs deleted\n"
    assert list(shell.states()) == ids[:1]


def test_what_was_done_can_be_read_as_json(shell: Shell) -> None:
    job = shell.enqueue("greet", '["Ann"]')
    done = shell.run("jobs", "retry", job, "77", "--json")
    assert done.returncode == 4
    assert '"missing": [\n    "77"\n  ]' in done.stdout
    assert shell.json("jobs", "cancel", job) == {"action": "cancel", "done": 1, "missing": [], "refused": []}


@pytest.mark.parametrize("command", ["retry", "cancel", "delete"])
def test_neither_ids_nor_filters_is_a_usage_error(shell: Shell, command: str) -> None:
    assert shell.run("jobs", command).returncode == 2
    assert shell.run("jobs", command, SHOP).returncode == 2


def test_one_id_is_shown_at_a_time(shell: Shell) -> None:
    assert shell.run("jobs", "show", "1", "2").returncode == 2


def test_queues_are_listed_with_their_jobs_by_state(shell: Shell) -> None:
    shell.enqueue("greet", '["Ann"]')
    shell.enqueue("mail", '["Ann"]')
    shell.enqueue("mail", '["Bob"]', "--delay", "60")
    header, default, mail = shell.ok("queues", "list", SHOP).splitlines()
    assert header.split() == ["queue", "depth", "oldest", "rate", "scheduled"]
    assert re.fullmatch(r"default  1      \d+ s +0\.0/s  0", default)
    assert re.fullmatch(r"mail     1      \d+ s +0\.0/s  1", mail)
    told = shell.json("queues", "list")
    assert {queue: (view["depth"], view["states"]) for queue, view in told.items()} == {
        "default": (1, {"available": 1}),
        "mail": (1, {"available": 1, "scheduled": 1}),
    }
    assert all(0 <= view["oldest"] < 60 and view["rate"] == 0 for view in told.values())


EVIL = "\x1b]0;owned\x07\r\u202e\x9b2J"


def test_nothing_from_a_store_is_printed_that_a_terminal_would_obey(shell: Shell) -> None:
    job = shell.enqueue("fail", json.dumps([EVIL]))
    shell.run("work", SHOP, "--drain")
    for arguments in (("list",), ("show", job), ("list", "--json"), ("show", job, "--json")):
        shown = shell.ok("jobs", *arguments)
        assert [char for char in shown if not char.isprintable() and char != "\n"] == []
        assert "owned" in shown


def test_a_table_on_a_terminal_is_drawn_without_obeying_what_it_holds(shell: Shell) -> None:
    shell.enqueue("greet", json.dumps([EVIL]))
    terminal = shell.start("jobs", "list", command=IN_A_TERMINAL, COLUMNS="120", TERM="xterm")
    assert terminal.ends() == 0
    assert "─" in terminal.output
    assert "owned" in terminal.output
    assert "\x1b]0" not in terminal.output
