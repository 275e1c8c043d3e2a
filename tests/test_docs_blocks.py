"""The code blocks of every page run, in order, each page in an empty folder and a process of its own.

How a page is read (the program that does it is tests/apps/docs_page.py):

* A block whose first line is a comment with nothing but a file's name, `# shop.py`, `# shop/jobs.py` or
  `# pyproject.toml`, is written to that file. A file `test_….py` is then run by pytest.
* Any other `python` block is run, with all the names of those before it; `await` may stand outside of functions.
  Statements without it run outside of a loop, as in a program.
* A `console` block is run by the shell: lines after `$ ` are commands, `&` leaves one running until the page's end.
  What stands below a command is what it prints, `...` is anything; a command that shows nothing must exit with 0.
* Blocks of other languages (`sh`, `text`, `toml`, `ini` …) are not run.
* What a page needs and need not show, set-up or an assert, stands in a block within `<!--` and `-->`.
* The address `redis://localhost:6379/0` is replaced by one of a database of the test's own, and so is
  `//localhost/shop` of PostgreSQL, whichever driver stands before it.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.apps.docs_page import BLOCK
from tests.servers import RedisServer, program

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RUNNER = Path(__file__).parent / "apps" / "docs_page.py"
ADDRESS = "redis://localhost:6379/0"
POSTGRES = "//localhost/shop"
LIMIT = 90.0  # seconds for a page

# Their programs need a foreign one, and are run by tests/interop.
ELSEWHERE = {DOCS / "guides" / "sidekiq.md", DOCS / "guides" / "oban.md"}


def has_blocks(page: Path) -> bool:
    return any(language in {"python", "console"} for _, language, _ in BLOCK.findall(page.read_text("utf-8")))


PAGES = [page for page in sorted({*DOCS.rglob("*.md")} - ELSEWHERE) if has_blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text, replaced = page.read_text("utf-8"), {}
    if ADDRESS in text:
        server: RedisServer = request.getfixturevalue("redis_server")
        replaced[ADDRESS] = server.url_of(server.fresh_database())
    if POSTGRES in text:
        replaced[POSTGRES] = request.getfixturevalue("postgres_url").removeprefix("postgresql:")
    told = run_page(page, tmp_path, replaced)
    assert told is None, told


def run_page(page: Path, folder: Path, replaced: Mapping[str, str] = {}) -> str | None:
    """What went wrong."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "REPLACE": _lines(replaced)}
    work = folder / "page"
    work.mkdir()
    log = folder / "log"
    with program((sys.executable, str(RUNNER), str(page)), work, environment, log) as runner:
        code = runner.wait(LIMIT)
    return None if code == 0 else log.read_text("utf-8", "replace")


def _lines(replaced: Mapping[str, str]) -> str:
    return "\n".join(f"{usual}={address}" for usual, address in replaced.items())


# The runner finds what it is for


def page_of(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, "utf-8")
    return page


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```python\nassert 1 == 2\n```", 'page.md", line 2'),
        ("```python\n# shop.py\nx = 1\n```\n\n```python\nimport shop\n\nassert shop.x == 2\n```", 'page.md", line 9'),
        (
            "```python\nx = 1\n```\n```python\nimport asyncio\nawait asyncio.sleep(0)\nassert x == 2\n```",
            "AssertionError",
        ),
        ("```python\n# test_shop.py\ndef test_shop():\n    assert False\n```", "1 failed"),
        ("```console\n$ false\n```", "ended with 1"),
        ("```console\n$ echo a b\na c\n```", "got\na b"),
        ("<!--\n```python\nassert False\n```\n-->", "AssertionError"),
        ("* a list\n\n  ```python\n  assert False\n  ```", "AssertionError"),
    ],
)
def test_a_block_that_fails_is_told(tmp_path: Path, text: str, told: str) -> None:
    assert told in (run_page(page_of(tmp_path, text), tmp_path) or "it passed")


def test_blocks_run_in_order_with_the_names_and_files_of_those_before(tmp_path: Path) -> None:
    text = """
```python
# shop/jobs.py
price = 3
```

```python
from shop.jobs import price
from pathlib import Path
Path("sold").write_text(str(price))
```

```console
$ cat sold
3
$ python -c 'print("one", "two", "three")'; exit 3
one ... three
$ tail -f sold &
```

```sh
exit 1
```

```python
# test_shop.py
from shop.jobs import price

def test_the_price():
    assert price == 3
```
"""
    assert run_page(page_of(tmp_path, text), tmp_path) is None
