"""Two type checkers know what a job takes and gives: what must be accepted, and line by line what must be refused."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = ("accepted.py", "refused.py")
CHECKERS = ("mypy", "pyright")

Refusals = set[tuple[str, int, str]]


def mypy(cache: Path) -> Refusals:
    found = run("mypy", "--output", "json", "--cache-dir", str(cache))
    errors = (json.loads(line) for line in found.splitlines() if line.startswith("{"))
    return {
        (Path(error["file"]).name, error["line"], error["code"]) for error in errors if error["severity"] == "error"
    }


def pyright(_: Path) -> Refusals:
    # With this option it never asks the network for a newer version of itself.
    found = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable))
    return {
        (Path(error["file"]).name, error["range"]["start"]["line"] + 1, error.get("rule", error["message"]))
        for error in found["generalDiagnostics"]
        if error["severity"] == "error"
    }


def run(module: str, *options: str) -> str:
    files = [str(HERE / file) for file in FILES]
    command = [sys.executable, "-m", module, *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.stdout.lstrip().startswith("{"):
        pytest.fail(f"expected {module} to report as JSON, got {done.stdout}{done.stderr}; run scripts/setup test")
    return done.stdout


@pytest.fixture(scope="module", params=CHECKERS)
def refusals(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Refusals]:
    checker = {"mypy": mypy, "pyright": pyright}[request.param]
    return request.param, checker(tmp_path_factory.mktemp("cache"))


def marked(checker: str) -> set[tuple[int, str]]:
    """Every line of refused.py and each rule that the mark at its end names for a checker."""
    lines = (HERE / "refused.py").read_text().splitlines()
    marks = ((number, line.partition("# E: ")[2].split("|")) for number, line in enumerate(lines, 1))
    column = CHECKERS.index(checker)
    return {(number, rule) for number, rules in marks if len(rules) > 1 for rule in rules[column].split()}


def test_what_a_user_may_write_is_accepted_by_each_checker(refusals: tuple[str, Refusals]) -> None:
    assert {refusal for refusal in refusals[1] if refusal[0] == "accepted.py"} == set()


def test_each_checker_refuses_the_marked_lines_and_no_other(refusals: tuple[str, Refusals]) -> None:
    checker, found = refusals
    refused = {(line, rule) for file, line, rule in found if file == "refused.py"}
    assert refused == marked(checker)
    assert len({line for line, _ in refused}) > 50


def test_every_mark_names_a_rule_of_each_checker() -> None:
    text = (HERE / "refused.py").read_text()
    assert len(re.findall(r"  # E: [\w -]+ \| \w[\w ]*$", text, re.MULTILINE)) == text.count("# E:")
