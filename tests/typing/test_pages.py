"""The programs that the first pages show pass a strict type checker, as they stand there."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import DOCS, ROOT, files


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", DOCS / "tour.md", DOCS / "scripts.md"], ids=lambda page: str(page.name)
)
def test_the_programs_of_a_page_pass_mypy(page: Path, tmp_path: Path) -> None:
    programs = {name: code for name, code in files(page).items() if name.endswith(".py")}
    assert programs
    for name, code in programs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code, "utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
