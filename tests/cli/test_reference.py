"""docs/reference/cli.md has every command, option and setting of the command line, and none that is not there."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from treadle.cli.exits import MEANINGS
from treadle.cli.main import treadle

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
COMMON = {"--help", "-h"}


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what is typed."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from commands(inner, f"{path} {name}")


TREE = dict(commands(treadle, "treadle"))


def section(path: str) -> str:
    """The text under the heading of a command."""
    found = re.search(rf"^## {path}$(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found, f"expected a heading ## {path}"
    return found[1]


def options(command: click.Command) -> set[str]:
    return {name for option in command.params if isinstance(option, click.Option) for name in option.opts} - COMMON


def test_it_has_every_command_and_no_other() -> None:
    assert set(re.findall(r"^## (treadle .+)$", REFERENCE, re.MULTILINE)) == set(TREE)


@pytest.mark.parametrize("path", TREE)
def test_a_command_has_all_its_options_and_no_other(path: str) -> None:
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", table(section(path)))) >= options(TREE[path])
    assert set(re.findall(r"^\| `(--?[a-z-]+)", section(path), re.MULTILINE)) <= options(TREE[path])


@pytest.mark.parametrize("path", TREE)
def test_a_command_is_shown_with_its_arguments(path: str) -> None:
    [usage] = re.findall(rf"^`({path}(?: .*)?)`$", section(path), re.MULTILINE)
    for argument in TREE[path].params:
        if isinstance(argument, click.Argument):
            assert str(argument.metavar).replace("...", "…") in usage
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage)) - options(TREE[path]) == set()


def test_it_has_every_exit_code() -> None:
    for code, meaning in MEANINGS.items():
        assert f"| {int(code)} | {meaning} |" in REFERENCE


def table(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))
