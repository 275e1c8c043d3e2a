"""The pytest plugin of treadle: the fixture `treadle_jobs`. It imports nothing of treadle before a test uses it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from treadle import Treadle
    from treadle.testing import JobKit

_NO_APP = (
    "expected an app to test, got none: return it from a fixture treadle_app in conftest.py, or name it by TREADLE_APP "
    "or as app in [tool.treadle] of pyproject.toml"
)


@pytest.fixture
def treadle_app() -> "Treadle":
    """The app under test: what TREADLE_APP or [tool.treadle] names. Override it in conftest.py to give another."""
    # A run that tests no jobs pays for none of it.
    from treadle.app.load import load_app  # noqa: PLC0415
    from treadle.app.lookup import resolve  # noqa: PLC0415

    reference: str | None = resolve({"app": None})["app"]
    if reference is None:
        pytest.fail(_NO_APP, pytrace=False)
    return load_app(reference)


@pytest.fixture
def treadle_jobs(treadle_app: "Treadle") -> "Iterator[JobKit]":
    """The jobs of `treadle_app` within its `testing()`."""
    with treadle_app.testing() as jobs:
        yield jobs
