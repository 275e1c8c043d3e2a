"""An app is found by its reference, and a wrong one is answered with what would be right."""

import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from tests.apps import runtime_jobs
from treadle import Treadle
from treadle.app.load import load_app
from treadle.app.worker import reference_of
from treadle.errors import ConfigError

MODULES = {
    "shop_one": "from treadle import Treadle\nanything = Treadle('sqlite://')\nalso = anything\n",
    "shop_two": "from treadle import Treadle\na = Treadle('sqlite://')\nb = Treadle('sqlite://')\n",
    "shop_none": "app = 5\n",
    "shop_raises": "raise ValueError('while importing')\n",
    "shop_imports": "import no_such_module_anywhere\n",
    "shop_made": """
from treadle import Treadle

class State:
    app = Treadle('sqlite://')

state = State()

def create():
    return Treadle('sqlite://')

def create_for(customer):
    return Treadle('sqlite://')

def create_nothing():
    return None

def create_badly():
    raise ValueError('while making')
""",
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


def test_an_app_may_be_an_attribute_of_an_attribute() -> None:
    assert load_app("shop_made:state.app") is load_app("shop_made:State.app")


def test_a_factory_is_called_without_arguments_and_makes_another_app_each_time() -> None:
    app = load_app("shop_made:create()")
    assert isinstance(app, Treadle)
    assert app is not load_app("shop_made:create()")


def test_an_app_knows_by_which_reference_it_was_made_and_is_found_again() -> None:
    assert reference_of(load_app("shop_made:create()")) == "shop_made:create()"
    assert reference_of(load_app("shop_one")) == "shop_one:anything"


def test_a_module_of_another_folder_is_found_from_there(folder: Path) -> None:
    app = load_app("shop_one")
    with chdir("/"):
        reference = reference_of(app)
        assert reference == f"{folder}/shop_one:anything"
        assert load_app(reference) is app


def test_the_current_folder_comes_first_on_the_path(folder: Path) -> None:
    load_app("shop_one")
    assert sys.path[0] == str(folder)


@pytest.mark.parametrize(
    "reference",
    ["", ":app", ".shop", "shop..jobs", "shop/jobs.py:app", "shop jobs", "5:app", "shop:", "shop:create(1)", "shop()"],
)
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_app(reference)
    assert str(caught.value) == f"expected an app as in shop.jobs:app or shop.jobs:create(), got {reference!r}"


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (
            "no_such.module:app",
            "expected \"no_such.module\" to be a module in {} or on the path, found no module 'no_such'",
        ),
        ("shop_none:app", "expected shop_none:app to be a Treadle app, got 5"),
        ("shop_none:app()", "expected shop_none:app() to call a function, got 5; leave out the ()"),
        ("shop_one:missing", "expected shop_one:missing to be a Treadle app, found no missing in shop_one"),
        (
            "shop_made:state.db",
            "expected shop_made:state.db to be a Treadle app, found no db in <shop_made.State object",
        ),
        ("shop_made:create", "expected shop_made:create to be a Treadle app, got <function create at "),
        ("shop_made:create_nothing()", "expected shop_made:create_nothing() to be a Treadle app, got None"),
        (
            "shop_made:create_for()",
            "expected shop_made:create_for() to be called without arguments, got: missing a ",
        ),
        (
            "shop_none",
            "expected one Treadle app in module shop_none, got none; name it as shop_none:app, or as ",
        ),
        ("shop_two", "expected one Treadle app in module shop_two, got a and b; choose one as in shop_two:a"),
    ],
)
def test_a_reference_that_leads_to_no_app_says_what_it_found(folder: Path, reference: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_app(reference)
    assert str(caught.value).startswith(text.format(folder))
    assert "\n" not in str(caught.value)


def test_a_factory_that_is_not_called_is_told_how_to() -> None:
    with pytest.raises(ConfigError, match=r"; call it as shop_made:create\(\)$"):
        load_app("shop_made:create")


def test_what_the_module_or_the_factory_itself_raises_comes_through() -> None:
    with pytest.raises(ValueError, match="while importing"):
        load_app("shop_raises:app")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        load_app("shop_imports:app")
    with pytest.raises(ValueError, match="while making"):
        load_app("shop_made:create_badly()")
