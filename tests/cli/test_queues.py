"""`treadle queues`: what queues are told from a shell."""

import pytest

from tests.cli.conftest import SHOP, Shell


def test_a_paused_queue_waits_through_a_drain_until_it_is_resumed(shell: Shell) -> None:
    letter, greeting = shell.enqueue("mail", '["Ann"]'), shell.enqueue("greet", '["Ann"]')
    assert shell.ok("queues", "pause", SHOP, "mail") == "queue mail paused\n"
    assert shell.ok("work", SHOP, "--drain").split() == ["available", "1", "completed", "1"]
    assert shell.states() == {letter: "available", greeting: "completed"}
    assert shell.ok("queues", "resume", "mail") == "queue mail resumed\n"
    assert shell.ok("work", SHOP, "--drain").split() == ["completed", "2"]


def test_what_is_paused_is_listed_with_jobs_or_without(shell: Shell) -> None:
    shell.enqueue("greet", '["Ann"]')
    shell.ok("queues", "pause", SHOP, "*")
    header, default, mail = shell.ok("queues", "list").splitlines()
    assert header.split() == ["queue", "depth", "oldest", "rate", "paused"]
    assert (default.split()[0], default.split()[-1]) == ("default", "yes")
    assert mail.split() == ["mail", "0", "0.0/s", "yes"]
    assert [view["paused"] for view in shell.json("queues", "list").values()] == [True, True]
    assert shell.ok("queues", "resume", "*") == "every queue resumed\n"
    assert {name: view["paused"] for name, view in shell.json("queues", "list").items()} == {"default": False}


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_queue_that_is_not_there_ends_with_4(shell: Shell, command: str) -> None:
    shell.enqueue("mail", '["Ann"]')
    done = shell.run("queues", command, "mial")
    assert done.returncode == 4
    assert done.stderr == 'treadle: expected one of mail, got "mial"; did you mean "mail"?\n'
