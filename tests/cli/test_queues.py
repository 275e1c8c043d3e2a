"""`treadle queues`: what queues are told from a shell."""

import pytest

from tests.cli.conftest import LIMIT, SHOP, Held, Shell
from tests.servers import wait_until


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


def test_a_node_is_told_what_to_serve(shell: Shell, held: Held) -> None:
    shell.make_store()
    work = shell.start("work", SHOP, "-q", "mail=1", "-q", "default=1", "--processes", "2")
    work.logs("works on")
    first, second = (shell.enqueue("hold_mail", held.args) for _ in range(2))
    held.begins()
    assert shell.ok("queues", "scale", "mail", "--limit", "2") == "queue mail has 2 slots of its own\n"
    wait_until(lambda: len(held.pids) == 2, LIMIT, "the second job begins")
    assert len(set(held.pids)) == 2, "each process has a part of the limit"
    [node] = shell.json("queues", "list")["mail"]["limits"]
    wait_until(lambda: shell.json("queues", "list")["mail"]["limits"] == {node: 2}, LIMIT, "the list shows it")
    assert shell.ok("queues", "stop", "default", "--node", node) == f"queue default stopped on {node}\n"
    assert shell.ok("queues", "pause", "mail", "--node", node) == f"queue mail paused on {node}\n"
    wait_until(lambda: shell.json("queues", "list")["mail"]["paused_on"] == [node], LIMIT, "the list shows it")
    third = shell.enqueue("greet", '["Ann"]', "--queue", "mail")
    held.release()
    wait_until(lambda: shell.states()[first] == shell.states()[second] == "completed", LIMIT, "what runs goes on")
    assert shell.ok("queues", "start", "later", "--limit", "3") == "queue later started\n"
    fourth = shell.enqueue("greet", '["Ann"]', "--queue", "later")
    wait_until(lambda: shell.states()[fourth] == "completed", LIMIT, "the new queue is served")
    assert shell.states()[third] == "available"
    shell.ok("queues", "resume", "mail")
    wait_until(lambda: shell.states()[third] == "completed", LIMIT, "it is resumed")
    told = [line.partition(": told to ")[2] for line in work.log.splitlines() if ": told to " in line]
    expected = ["scale queue mail, limit 2", "stop queue default", "pause queue mail", "start queue later, limit 3"]
    assert told == [*expected, "resume queue mail"]


@pytest.mark.parametrize("command", [("scale", "mail", "--limit", "2"), ("start", "mail"), ("stop", "mail")])
def test_where_no_worker_lives_nobody_can_be_told(shell: Shell, command: tuple[str, ...]) -> None:
    shell.make_store()
    done = shell.run("queues", *command)
    assert done.returncode == 4
    assert done.stderr == "treadle: expected a live worker to be told, got none: start one with treadle work\n"


def test_a_limit_is_a_whole_number_from_1(shell: Shell) -> None:
    shell.make_store()
    done = shell.run("queues", "scale", "mail", "--limit", "0")
    assert done.returncode == 2
    assert "expected a number to be an integer from 1 to 32767, got '0'" in done.stderr
