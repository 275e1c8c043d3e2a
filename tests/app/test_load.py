"""An app is found by its reference, and a wrong one is answered with what would be right."""

import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from tests.apps import runtime_jobs
from treadle.app.load import load_app
from treadle.errors import ConfigError

MODULES = {
    "shop_one": "from treadle import Treadle\nanything = Treadle('sqlite://')\nalso = anything\n",
    "shop_two": "from treadle import Treadle\na = Treadle('sqlite://')\nb = Treadle('sqlite://')\n",
    "shop_none": "app = 5\n",
    "shop_raises": "raise ValueError('while importing')\n",
    "shop_imports": "import no_such_module_anywhere\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """A current folder with these modules in it."""
    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(source)
    before = list(sys.path)
    with chdir(tmp_path):
        yield tmp_path
    sys.path[:] = before
    for name in MODULES:
        sys.modules.pop(name, None)


def test_an_app_is_found_by_module_and_attribute() -> None:
    assert load_app("tests.apps.runtime_jobs:app") is runtime_jobs.app


def test_the_only_app_of_a_module_need_not_be_named_and_the_current_folder_is_searched() -> None:
    assert load_app("shop_one") is load_app("shop_one:also")


@pytest.mark.parametrize("reference", ["", ":app", ".shop", "shop..jobs", "shop/jobs.py:app", "shop jobs", "5:app"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_app(reference)
    assert str(caught.value) == f"expected an app as in shop.jobs:app, got {reference!r}"


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (
            "no_such.module:app",
            "expected 'no_such.module:app' to name a module, as in shop.jobs:app, found no module 'no_such' in {}",
        ),
        ("shop_none:app", "expected shop_none:app to be a Treadle app, got 5"),
        ("shop_one:missing", "expected shop_one:missing to be a Treadle app, got None"),
        ("shop_none", "expected one Treadle app in module shop_none, got none; name it as shop_none:app"),
        ("shop_two", "expected one Treadle app in module shop_two, got a, b; name it as shop_two:app"),
    ],
)
def test_a_reference_that_leads_to_no_app_says_what_it_found(folder: Path, reference: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_app(reference)
    assert str(caught.value) == text.format(folder)


def test_what_the_module_itself_raises_comes_through() -> None:
    with pytest.raises(ValueError, match="while importing"):
        load_app("shop_raises:app")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        load_app("shop_imports:app")
