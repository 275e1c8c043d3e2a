"""The modules with an app's jobs are imported when a worker starts, as `include=` names them."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path

import pytest

from treadle import Treadle
from treadle.app.load import load_app
from treadle.errors import ConfigError

PACKAGE = "shop_found"
JOB = "from shop_found.app import app\n\n@app.job\ndef {}(): ...\n"

Tree = Callable[..., Treadle]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """Make the package `shop_found` of these files, with an app that includes these patterns; give the app."""
    before = list(sys.path)

    def make(*include: str, **files: str) -> Treadle:
        sources = {
            "__init__": "",
            "app": f"from treadle import Treadle\n\napp = Treadle('sqlite://', include={list(include)!r})\n",
        }
        for name, source in (sources | files).items():
            path = tmp_path / PACKAGE / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return load_app(f"{PACKAGE}.app")

    with chdir(tmp_path):
        yield make
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def jobs(app: Treadle) -> list[str]:
    return sorted(app.handlers)


def test_a_module_is_imported_by_load_not_with_the_app_and_may_import_it(tree: Tree) -> None:
    app = tree("shop_found.mail", mail=JOB.format("send"))
    assert jobs(app) == []
    app.load()
    assert jobs(app) == ["send"]


def test_a_star_stands_for_one_level(tree: Tree) -> None:
    app = tree(
        "shop_found.*.jobs",
        **{
            "orders.__init__": "",
            "orders.jobs": JOB.format("pack"),
            "plain.jobs": JOB.format("of_a_package_without_init"),
            "web.__init__": "raise ValueError('has no jobs and is not imported')",
            "deep.down.jobs": JOB.format("too_deep"),
            "jobs": JOB.format("too_high"),
        },
    )
    app.load()
    assert jobs(app) == ["of_a_package_without_init", "pack"]


def test_two_stars_stand_for_any_number_of_levels(tree: Tree) -> None:
    app = tree(
        "shop_found.**.jobs",
        **{
            "jobs": JOB.format("high"),
            "a.jobs": JOB.format("middle"),
            "a.b.c.jobs": JOB.format("low"),
            "a.b.c.others": JOB.format("others"),
        },
    )
    app.load()
    assert jobs(app) == ["high", "low", "middle"]


def test_everything_below_a_package_can_be_named_but_its_main_program(tree: Tree) -> None:
    app = tree("shop_found.**", **{"jobs": JOB.format("one"), "a.b": JOB.format("two"), "__main__": "raise SystemExit"})
    app.load()
    assert jobs(app) == ["one", "two"]


def test_a_second_load_and_other_threads_import_nothing_again(tree: Tree) -> None:
    app = tree("shop_found.mail", mail=JOB.format("send"))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: app.load(), range(8)))
    app.load()
    assert jobs(app) == ["send"]


def test_a_module_with_jobs_may_load_its_app_itself(tree: Tree) -> None:
    app = tree("shop_found.mail", mail=JOB.format("send") + "app.load()\n")
    app.load()
    assert jobs(app) == ["send"]


def test_an_embedded_worker_loads_the_app(tree: Tree) -> None:
    app = tree("shop_found.mail", mail=JOB.format("send"))
    with app.worker():
        assert jobs(app) == ["send"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (
            "shop_found.mial",
            "expected \"shop_found.mial\" in include= of the app to name a module, found no module 'shop_found.mial'",
        ),
        (
            "shop_found.*.jbos",
            'expected "shop_found.*.jbos" in include= of the app to match a module, found none below ',
        ),
        ("shop_found.app.*", 'expected "shop_found.app.*" in include= of the app to match a module, found none below '),
        (
            "no_such_shop.*",
            "expected \"no_such_shop.*\" in include= of the app to name a module, found no module 'no_such_shop'",
        ),
    ],
)
def test_a_pattern_that_leads_nowhere_is_named(tree: Tree, pattern: str, text: str) -> None:
    app = tree(pattern, **{"orders.jobs": JOB.format("pack")})
    with pytest.raises(ConfigError) as caught:
        app.load()
    assert str(caught.value).startswith(text)
    with pytest.raises(ConfigError):
        app.load()


@pytest.mark.parametrize(
    "pattern", ["", "*", "*.jobs", "**", "shop.job*", "shop..jobs", ".jobs", "shop/jobs.py", "shop.jobs:app"]
)
def test_what_is_no_pattern_is_refused_where_it_stands(pattern: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Treadle("sqlite://", include=[pattern])
    assert str(caught.value) == (
        f'expected include= of an app to name modules as in "shop.jobs" or "shop.*.jobs", got {pattern!r}'
    )


def test_one_name_in_place_of_a_list_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'to be a list such as \["shop\.\*\.jobs"\], got \'shop\.jobs\''):
        Treadle("sqlite://", include="shop.jobs")


@pytest.mark.parametrize("pattern", ["shop_found.mail", "shop_found.*"])
def test_what_a_module_raises_comes_through(tree: Tree, pattern: str) -> None:
    app = tree(pattern, mail="import no_such_module_anywhere\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere") as caught:
        app.load()
    assert caught.traceback[-1].path == Path.cwd() / PACKAGE / "mail.py"


def test_a_module_with_jobs_must_not_enqueue_while_it_is_imported(tree: Tree) -> None:
    app = tree("shop_found.mail", mail=JOB.format("send") + "send.enqueue()\n")
    with pytest.raises(ConfigError, match=r"while treadle imports shop_found\.mail"):
        app.load()
