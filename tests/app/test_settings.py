"""Where the store's URL comes from, and which file a relative one names."""

import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from treadle import Treadle
from treadle.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project's folder, the current one being two levels below."""
    folder = tmp_path / "shop 100% #1?"
    below = folder / "src" / "shop"
    below.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    with chdir(below):
        yield folder


@pytest.fixture
def environment() -> Iterator[None]:
    os.environ["TREADLE_URL"] = "sqlite:////somewhere/else.db"
    yield
    del os.environ["TREADLE_URL"]


@pytest.mark.usefixtures("environment")
def test_the_argument_comes_before_the_environment() -> None:
    assert Treadle("sqlite://").url == "sqlite://"


@pytest.mark.usefixtures("environment")
def test_the_environment_comes_before_the_default() -> None:
    assert Treadle().url == "sqlite:////somewhere/else.db"


@pytest.mark.usefixtures("environment")
def test_the_environment_is_read_at_the_first_use_and_then_no_more() -> None:
    app = Treadle()
    os.environ["TREADLE_URL"] = "sqlite:////first.db"
    assert app.url == "sqlite:////first.db"
    os.environ["TREADLE_URL"] = "sqlite:////second.db"
    assert app.url == "sqlite:////first.db"


def test_the_default_is_a_file_beside_the_projects_pyproject(project: Path) -> None:
    app = Treadle()
    handle = app.job(name="work")(lambda: None).enqueue()
    assert handle.status() is not None
    app.close()
    assert (project / "treadle.db").is_file()


def test_a_relative_file_counts_from_the_projects_folder(project: Path) -> None:
    (project / "data").mkdir()
    app = Treadle("sqlite:///data/jobs.db?sync=full")
    app.job(name="work")(lambda: None).enqueue()
    app.close()
    assert (project / "data" / "jobs.db").is_file()


def test_without_a_project_it_counts_from_the_current_folder(tmp_path: Path) -> None:
    with chdir(tmp_path):
        assert Treadle("sqlite:///jobs.db").url == f"sqlite:///{tmp_path}/jobs.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:////absolute.db"])
def test_what_is_not_a_relative_file_stays_as_it_is(project: Path, url: str) -> None:
    assert Treadle(url).url == url


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_memory_has_several_spellings_and_makes_no_file(project: Path, url: str) -> None:
    app = Treadle(url)
    app.job(name="work")(lambda: None).enqueue()
    app.close()
    assert [path.name for path in project.rglob("*") if path.is_file()] == ["pyproject.toml"]


def test_nothing_is_read_or_opened_before_the_first_use(project: Path) -> None:
    app = Treadle("nonsense://")
    app.job(name="work")(lambda: None)
    app.worker()
    app.close()
    assert [path.name for path in project.rglob("*") if path.is_file()] == ["pyproject.toml"]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (
            "mysql://u:secret@h/db",
            "expected a store URL such as sqlite:///treadle.db or redis://localhost:6379/0, got 'mysql://u:***@h/db'",
        ),
        ("jobs.db", "expected a store URL such as sqlite:///treadle.db or redis://localhost:6379/0, got 'jobs.db'"),
        (
            "sqlite:////x.db?sink=full",
            "expected the parameters of sqlite:////x.db?sink=full to be among sync, got 'sink'",
        ),
        ("sqlite:////x.db?sync=fast", "expected sync to be normal or full in sqlite:////x.db?sync=fast, got 'fast'"),
    ],
)
def test_a_url_that_names_no_store_is_refused_at_the_first_use(url: str, text: str) -> None:
    app = Treadle(url)
    with pytest.raises(ConfigError) as caught:
        _ = app.store
    assert str(caught.value) == text
