"""The pages as a site: every page is in its contents, no link leads nowhere, and what is hidden stays hidden."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apps.docs_page import BLOCK
from tests.pages import DOCS, ROOT

CONTENTS = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def paths(contents: list[dict[str, Any]]) -> Iterator[str]:
    for entry in contents:
        for below in entry.values():
            yield from [below] if isinstance(below, str) else paths(below)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_in_the_contents_once() -> None:
    assert sorted(paths(CONTENTS)) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_every_page_becomes_one_of_the_site_and_every_link_resolves(site: Path) -> None:
    assert all((site / path).with_suffix(".html").is_file() for path in paths(CONTENTS))


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_readers_see_every_block_but_those_that_are_hidden(site: Path, page: Path) -> None:
    written = COMMENT.sub("", page.read_text("utf-8"))
    shown = COMMENT.sub("", (site / page.relative_to(DOCS)).with_suffix(".html").read_text("utf-8"))
    assert shown.count("<pre") == len(BLOCK.findall(written))
    prose = re.sub(r"<pre.*?</pre>", "", shown, flags=re.DOTALL)
    # A fence, a list or a pipe that this Markdown reads otherwise than others is shown as it was typed.
    assert not re.search(r"```|\\\||^\* ", prose, re.MULTILINE)
