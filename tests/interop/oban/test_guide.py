"""docs/guides/oban.md does what it says: its programs are run as they stand there, on a database of this test's own."""

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.interop.oban.programs import Database, oban_python
from tests.interop.program import PATIENCE
from tests.servers import program, wait_until

pytestmark = pytest.mark.interop

GUIDE = Path(__file__).parent.parent.parent.parent / "docs" / "guides" / "oban.md"
ADDRESS = "postgresql://localhost/shop"


def blocks(url: str) -> list[str]:
    """The Python of the guide, with the address of this test's database in place of the usual one."""
    found = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [code.replace(ADDRESS, url) for code in found]


def test_the_guide_is_read_in_minutes() -> None:
    assert len(GUIDE.read_text("utf-8").splitlines()) <= 120


def test_its_programs_give_each_other_jobs(tmp_path: Path, postgres_url: str) -> None:
    shop, shop_oban, from_treadle, from_oban = blocks(postgres_url)
    (tmp_path / "shop.py").write_text(shop, "utf-8")
    (tmp_path / "shop_oban.py").write_text(shop_oban, "utf-8")
    body = "\n".join(f"        {line}" for line in from_oban.splitlines())
    serve = (
        "import asyncio\nfrom oban import Oban\nimport shop_oban\n\nasync def main():\n"
        f"    pool = await Oban.create_pool({postgres_url!r})\n"
        '    async with Oban(pool=pool, queues={"oban": 1}) as oban:\n'
        f"{body}\n"
        "        await asyncio.Event().wait()\n\nasyncio.run(main())\n"
    )
    (tmp_path / "serve.py").write_text(serve, "utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", from_treadle], cwd=tmp_path, env=environment, check=True)
    with (
        closing(Database(postgres_url)) as database,
        program(("treadle", "work", "shop:app"), tmp_path, environment, tmp_path / "treadle.log"),
        program((oban_python(), "serve.py"), tmp_path, environment, tmp_path / "oban.log"),
    ):
        wait_until(lambda: completed(database) == {"shop_oban.Invoice", "Shop.Welcome"}, PATIENCE, "both jobs ran")
    assert "welcome 42 in de" in (tmp_path / "treadle.log").read_text("utf-8")


def completed(database: Database) -> set[str]:
    return {row["worker"] for row in database.rows("SELECT worker FROM oban_jobs WHERE state = 'completed'")}
