"""An app that most tests of apps are content with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle import Treadle


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Treadle]:
    """An app on a file of this test's own."""
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db")
    yield app
    app.close()
