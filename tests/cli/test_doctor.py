"""`treadle doctor`: what it finds, and what its exit code says."""

import json

from tests.cli.conftest import SHOP, Shell


def test_a_sound_store_ends_with_0(shell: Shell) -> None:
    shell.make_store()
    lines = shell.ok("doctor", SHOP).splitlines()
    assert lines[0] == f"store    {shell.url}"
    assert len(lines) > 1
    assert {line.split()[0] for line in lines[1:]} <= {"ok", "warning"}


def test_findings_can_be_read_as_json(shell: Shell) -> None:
    shell.make_store()
    found = shell.json("doctor")
    assert found["url"] == shell.url
    assert {"ok"} <= {finding["level"] for finding in found["findings"]}


def test_a_file_that_is_no_database_is_an_error(shell: Shell) -> None:
    (shell.folder / "jobs.db").write_bytes(b"not a database, though long enough to be taken for one" * 40)
    done = shell.run("doctor", "--json")
    assert done.returncode == 1
    assert "error" in {finding["level"] for finding in json.loads(done.stdout)["findings"]}


def test_a_store_that_does_not_answer_is_an_error_and_its_password_is_not_shown(shell: Shell) -> None:
    done = shell.run("doctor", "--url", "redis://user:secret@127.0.0.1:1/0")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "store    redis://user:***@127.0.0.1:1/0"
    assert "error    cannot reach Redis" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_a_url_that_names_no_store_is_one_line(shell: Shell) -> None:
    done = shell.run("doctor", "--url", "mysql://localhost/jobs")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("treadle: expected a store URL")
    assert done.stderr.count("\n") == 1
