"""`treadle enqueue`: by an app's signature, or as it is given."""

from typing import Any

import click
import pytest

from tests.cli.conftest import SHOP, Shell
from treadle.cli.main import treadle
from treadle.supervise.clock import SystemClock


@pytest.mark.parametrize("args", ['["Ann", 2]', '{"name": "Ann", "times": 2}', ' [ "Ann", 2 ]'])
def test_arguments_bind_to_the_signature_in_either_shape(shell: Shell, args: str) -> None:
    job = shell.json("jobs", "show", shell.enqueue("greet", args))
    assert (job["name"], job["args"], job["queue"], job["state"]) == (
        "greet",
        {"name": "Ann", "times": 2},
        "default",
        "available",
    )


def test_the_queue_is_the_one_that_the_job_declares(shell: Shell) -> None:
    assert shell.json("jobs", "show", shell.enqueue("mail", '["Ann"]'))["queue"] == "mail"


def test_an_alias_enqueues_the_job_under_its_own_name(shell: Shell) -> None:
    assert shell.json("jobs", "show", shell.enqueue("Mailer", '["Ann"]'))["name"] == "mail"


def test_queue_and_delay_can_be_chosen(shell: Shell) -> None:
    job = shell.json("jobs", "show", shell.enqueue("greet", '["Ann"]', "--queue", "slow", "--delay", "3600"))
    assert (job["queue"], job["state"]) == ("slow", "scheduled")


def test_a_unique_job_that_stands_there_already_is_told_on_stderr(shell: Shell) -> None:
    first = shell.run("enqueue", SHOP, "rebuild", "[7]")
    second = shell.run("enqueue", SHOP, "rebuild", '{"catalogue": 7}')
    assert (first.returncode, first.stderr, second.returncode) == (0, "", 0)
    assert second.stdout == first.stdout
    assert second.stderr == "treadle: a conflict: this unique job stands in the store already; nothing was inserted\n"


def test_arguments_that_do_not_bind_are_one_line(shell: Shell) -> None:
    done = shell.run("enqueue", SHOP, "greet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('treadle: job "greet": argument "name" is missing')
    assert done.stderr.count("\n") == 1


def test_a_name_that_the_app_does_not_know_ends_with_4(shell: Shell) -> None:
    done = shell.run("enqueue", SHOP, "great")
    assert done.returncode == 4
    assert done.stderr.startswith("treadle: expected one of the jobs of cli_shop:app (fail, greet, ")


def test_without_an_app_any_name_is_enqueued_on_the_store_of_the_settings(shell: Shell) -> None:
    job = shell.json("jobs", "show", shell.ok("enqueue", "MyApp.Mailer", '{"id": 1}').strip())
    assert (job["name"], job["args"], job["queue"], job["max_attempts"]) == ("MyApp.Mailer", {"id": 1}, "default", 20)


def test_a_url_names_another_store(shell: Shell) -> None:
    shell.make_store()
    url = f"sqlite:///{shell.folder / 'other.db'}"
    shell.ok("enqueue", "--url", url, "A::B", "--queue", "ruby", "--delay", "60")
    told = shell.json("queues", "list", "--url", url)
    assert told["ruby"].pop("states") == {"scheduled": 1}
    plain: dict[str, Any] = {"depth": 0, "oldest": None, "rate": 0.0, "paused": False, "paused_on": [], "limits": {}}
    assert told == {"ruby": plain}
    assert shell.json("queues", "list") == {}


def test_arguments_in_a_shape_that_the_store_does_not_keep_are_refused(shell: Shell) -> None:
    done = shell.run("enqueue", "MyApp.Mailer", "[1]")
    assert done.returncode == 1
    assert "expected ARGS to be a JSON object of names and values on this store" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        (SHOP,),
        (SHOP, "[1]"),
        (SHOP, "greet", "42"),
        (SHOP, "greet", "[1"),
        (SHOP, "greet", "[1]", "[2]"),
        (SHOP, "greet", "--delay", "-1"),
        (SHOP, "greet", "--queue", "a=b"),
        (SHOP, "greet", "--url", "sqlite:///a.db"),
        ("\x1b[2J",),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(words: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError) as raised:
        treadle.main(["enqueue", *words], standalone_mode=False)
    assert raised.value.format_message().isprintable()


def test_a_dead_store_is_one_line_within_2_seconds_without_the_password(shell: Shell) -> None:
    clock = SystemClock()
    begun = clock.steady()
    shell.ok("version")
    # What a busy machine takes to start an interpreter is not what is promised.
    started = clock.steady() - begun
    done = shell.run("enqueue", "--url", "redis://:secret@127.0.0.1:1/0", "A", timeout=2.0 + started)
    assert done.returncode == 1
    assert done.stderr.startswith("treadle: cannot reach Redis at redis://:***@127.0.0.1:1/0")
    assert done.stderr.count("\n") == 1


def test_an_app_that_fails_to_import_is_its_traceback(shell: Shell) -> None:
    done = shell.run("enqueue", "cli_broken:app", "greet")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("RuntimeError: the shop is closed")
