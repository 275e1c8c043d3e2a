"""The pages as a site: every page is in its contents, no link leads nowhere, and what is hidden stays hidden."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pages import DOCS, ROOT
from treadle.cli.main import treadle

CONTENTS = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def paths(contents: list[dict[str, Any]]) -> Iterator[str]:
    for entry in contents:
        for below in entry.values():
            yield from [below] if isinstance(below, str) else paths(below)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """The site's folder, and how its making ended; it is there also where a link leads nowhere."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    return folder, subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def site(built: tuple[Path, "subprocess.CompletedProcess[str]"]) -> Path:
    return built[0]


def test_every_page_is_in_the_contents_once() -> None:
    assert sorted(paths(CONTENTS)) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_every_link_of_every_page_leads_to_a_heading_that_is_there(
    built: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    made = built[1]
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_readers_see_every_block_but_those_that_are_hidden(site: Path, page: Path) -> None:
    written = COMMENT.sub("", page.read_text("utf-8"))
    shown = COMMENT.sub("", (site / page.relative_to(DOCS)).with_suffix(".html").read_text("utf-8"))
    assert shown.count("<pre") * 2 == len(re.findall(r"^```", written, re.MULTILINE))
    prose = re.sub(r"<pre.*?</pre>", "", shown, flags=re.DOTALL)
    # A fence, a list or a pipe that this Markdown reads otherwise than others is shown as it was typed.
    assert not re.search(r"```|\\\||^\* ", prose, re.MULTILINE)


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: str(page.name))
def test_every_command_that_a_page_names_is_one_of_treadle(page: Path) -> None:
    named = re.findall(r"(?:`|^\$ |^)treadle ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) <= set(treadle.commands)
