"""What the pages of the docs show, for tests that do more with it than run it."""

from pathlib import Path

from tests.apps.docs_page import BLOCK, FILE_NAME

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def files(page: Path) -> dict[str, str]:
    """The blocks that have a file's name in their first line, by that name."""
    codes = (code for _, _, code in BLOCK.findall(page.read_text("utf-8")))
    return {named[1]: code for code in codes if (named := FILE_NAME.match(code))}


def block(page: Path, language: str) -> str:
    """The one block of this language."""
    codes: list[str] = [code for _, spoken, code in BLOCK.findall(page.read_text("utf-8")) if spoken == language]
    (code,) = codes
    return code
