"""Where the value of a setting comes from, what is refused, and which file a relative URL names."""

import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from urllib.parse import quote

import pytest

from treadle import Treadle
from treadle.app.lookup import resolve, split_queues
from treadle.app.settings import SETTINGS
from treadle.errors import ConfigError
from treadle.hooks.events import WorkerReady
from treadle.runtime.plan import Plan


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project's folder, the current one being two levels below."""
    folder = tmp_path / "shop 100% #1?"
    below = folder / "src" / "shop"
    below.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    with chdir(below):
        yield folder


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """What a test sets is gone after it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_the_argument_comes_before_the_environment() -> None:
    os.environ["TREADLE_URL"] = "sqlite:////somewhere/else.db"
    os.environ["TREADLE_GRACE"] = "5"
    assert Treadle("sqlite://").url == "sqlite://"
    assert resolve({"grace": 7.0}) == {"grace": 7.0}


def test_the_environment_comes_before_the_file(project: Path) -> None:
    (project / "treadle.toml").write_text('url = "sqlite:////of/the/file.db"\ngrace = 6\nprocesses = 3\n')
    os.environ["TREADLE_URL"] = "sqlite:////of/the/environment.db"
    os.environ["TREADLE_GRACE"] = "5"
    assert Treadle().url == "sqlite:////of/the/environment.db"
    assert resolve({"grace": None, "processes": None}) == {"grace": 5.0, "processes": 3}


def test_the_file_comes_before_the_default(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.treadle]\nurl = "sqlite:////of/the/file.db"\nlog_format = "json"\n')
    assert Treadle().url == "sqlite:////of/the/file.db"
    values = resolve({"log_format": None, "lease": None, "concurrency": None}, lease=120.0)
    assert values == {"log_format": "json", "lease": 120.0, "concurrency": 10}


def test_of_two_files_treadle_toml_is_read_alone(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.treadle]\ngrace = 1\nconcurrency = 1\n")
    (project / "treadle.toml").write_text("grace = 2\n")
    assert resolve({"grace": None, "concurrency": None}) == {"grace": 2.0, "concurrency": 10}


def test_a_variable_that_is_empty_counts_as_none() -> None:
    os.environ["TREADLE_PROCESSES"] = ""
    assert resolve({"processes": None}) == {"processes": 1}


def test_the_environment_is_read_at_the_first_use_and_then_no_more() -> None:
    app = Treadle()
    os.environ["TREADLE_URL"] = "sqlite:////first.db"
    assert app.url == "sqlite:////first.db"
    os.environ["TREADLE_URL"] = "sqlite:////second.db"
    assert app.url == "sqlite:////first.db"


@pytest.mark.parametrize("word", ["1", "true", "Yes", "on"])
def test_a_switch_is_turned_on_by_a_word(word: str) -> None:
    os.environ["TREADLE_UNSAFE"] = word
    assert resolve({"unsafe": None}) == {"unsafe": True}


@pytest.mark.parametrize("word", ["0", "false", "No", "off"])
def test_a_switch_is_turned_off_by_a_word(word: str) -> None:
    os.environ["TREADLE_UNSAFE"] = word
    assert resolve({"unsafe": None}) == {"unsafe": False}


def test_queues_are_a_list_in_a_file_and_separated_by_commas_in_the_environment(project: Path) -> None:
    (project / "treadle.toml").write_text('queues = ["mail", "slow=2"]\n')
    expected = (("mail", None), ("slow", 2))
    assert resolve({"queues": None}) == {"queues": expected}
    os.environ["TREADLE_QUEUES"] = "mail, slow=2"
    assert resolve({"queues": None}) == {"queues": expected}


def test_queues_that_all_have_limits_narrow_nothing() -> None:
    assert split_queues((("slow", 2),)) == {"queues": (), "limits": {"slow": 2}}
    assert split_queues((("mail", None), ("slow", 2))) == {"queues": ("mail", "slow"), "limits": {"slow": 2}}


def test_an_embedded_worker_takes_what_it_is_not_given_from_the_settings() -> None:
    app = Treadle("sqlite://")
    app.job(queue="mail")(len)
    os.environ |= {"TREADLE_CONCURRENCY": "3", "TREADLE_QUEUES": "mail"}
    ready: list[WorkerReady] = []
    app.on(WorkerReady)(ready.append)
    for worker in (app.worker(), app.worker(concurrency=4, queues=["default"])):
        with worker:
            pass
    assert [(event.queues, event.concurrency) for event in ready] == [(("mail",), 3), (("default",), 4)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("processes", "many", "expected processes to be an integer from 1 to 32767, got 'many'"),
        ("concurrency", "0", "expected concurrency to be an integer from 1 to 32767, got 0"),
        ("grace", "soon", "expected grace to be a number of seconds, at least 0, got 'soon'"),
        ("lease", "0", "expected lease to be a number of seconds, more than 0, got 0.0"),
        ("unsafe", "maybe", "expected unsafe to be True or False, got 'maybe'"),
        ("log_format", "xml", "expected log_format to be console or json, got 'xml'"),
        ("queues", "mail=none", "expected the limit of queue \"mail\" to be an integer from 1 to 32767, got 'none'"),
        (
            "queues",
            "mail,,slow",
            "expected the name of a queue to be 1 to 127 letters, digits, blanks or any of _ . - : /, got ''",
        ),
        (
            "url",
            "mysql://:canary@h",
            "expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got 'mysql://:***@h'",
        ),
    ],
)
def test_a_wrong_variable_is_named(name: str, text: str, expected: str) -> None:
    variable = f"TREADLE_{name.upper()}"
    os.environ[variable] = text
    with pytest.raises(ConfigError) as caught:
        resolve({name: None})
    assert str(caught.value) == f"{expected} (environment variable {variable})"


def test_a_wrong_value_in_a_file_is_named_with_its_key(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.treadle]\nconcurrency = "10"\n')
    with pytest.raises(ConfigError) as caught:
        resolve({"concurrency": None})
    assert str(caught.value) == (
        f"expected concurrency to be an integer from 1 to 32767, got '10' "
        f"(tool.treadle.concurrency in {project}/pyproject.toml)"
    )


def test_a_wrong_argument_stands_where_it_is_called() -> None:
    with pytest.raises(ConfigError) as caught:
        Treadle("sqlite://").worker(concurrency=0)
    assert str(caught.value) == "expected concurrency to be an integer from 1 to 32767, got 0"


@pytest.mark.parametrize(("file", "table"), [("treadle.toml", ""), ("pyproject.toml", "tool.treadle.")])
def test_a_key_that_is_no_setting_is_refused_with_the_nearest_one(project: Path, file: str, table: str) -> None:
    header = f"[{table.rstrip('.')}]\n" if table else ""
    (project / file).write_text(f"{header}concurency = 4\n")
    with pytest.raises(ConfigError) as caught:
        _ = Treadle().url
    text = str(caught.value)
    assert text.startswith("expected a setting (url, app, queues, processes, concurrency, ")
    assert text.endswith(f', got "concurency"; did you mean "concurrency"? ({table}concurency in {project / file})')


@pytest.mark.parametrize("file", ["treadle.toml", "pyproject.toml"])
def test_a_file_that_is_no_toml_is_named(project: Path, file: str) -> None:
    (project / file).write_text("url =\n")
    with pytest.raises(ConfigError) as caught:
        _ = Treadle().url
    assert str(caught.value) == (
        f"expected {project / file} to be a TOML file that can be read, got: Invalid value (at line 1, column 6)"
    )


def test_the_defaults_of_the_table_are_those_of_a_plan() -> None:
    plan = Plan()
    for name in ("processes", "concurrency", "grace", "lease", "unsafe", "log_format"):
        assert SETTINGS[name].default == getattr(plan, name)


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


def test_a_treadle_toml_makes_a_project_too(tmp_path: Path) -> None:
    (tmp_path / "treadle.toml").touch()
    below = tmp_path / "below"
    below.mkdir()
    with chdir(below):
        assert Treadle("sqlite:///jobs.db").url == f"sqlite:///{tmp_path}/jobs.db"


def test_a_relative_file_in_a_setting_counts_from_the_projects_folder_too(project: Path) -> None:
    (project / "treadle.toml").write_text('url = "sqlite+aiosqlite:///data/jobs.db"\n')
    (project / "data").mkdir()
    app = Treadle()
    app.job(name="work")(lambda: None).enqueue()
    app.close()
    assert (project / "data" / "jobs.db").is_file()


def test_the_absolute_path_is_logged_once(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = Treadle("sqlite:///jobs.db")
    job = app.job(name="work")(lambda: None)
    with caplog.at_level("INFO", "treadle.stores"):
        job.enqueue()
        job.enqueue()
    app.close()
    assert [record.getMessage() for record in caplog.records] == [f"the store is {app.url}"]
    assert quote(str(project)) in app.url


def test_the_default_is_refused_under_kubernetes(project: Path) -> None:
    os.environ["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
    with pytest.raises(ConfigError) as caught:
        Treadle().job(name="work")(lambda: None).enqueue()
    assert str(caught.value) == (
        "expected the URL of a store, got none: a file in a container is lost with it; "
        "name the store by TREADLE_URL, by Treadle(url), or as url in treadle.toml"
    )
    assert Treadle("sqlite:///jobs.db").url.endswith("/jobs.db")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_the_default_is_refused_in_a_folder_that_cannot_be_written_to() -> None:
    # The one folder that is closed to every user, root included.
    with chdir("/proc/self"), pytest.raises(ConfigError) as caught:
        Treadle().job(name="work")(lambda: None).enqueue()
    assert str(caught.value).startswith("expected the URL of a store, got none, and /proc/")
    assert str(caught.value).endswith(
        " cannot be written to; name the store by TREADLE_URL, by Treadle(url), or as url in treadle.toml"
    )


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
            "expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got 'mysql://u:***@h/db'",
        ),
        (
            "jobs.db",
            "expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got 'jobs.db'",
        ),
        (
            "sqlite:////x.db?sink=full",
            "expected the parameters of sqlite:////x.db?sink=*** to be among sync, got 'sink'",
        ),
        ("sqlite:////x.db?sync=fast", "expected sync to be normal or full in sqlite:////x.db?sync=fast, got 'fast'"),
    ],
)
def test_a_url_that_names_no_store_is_refused_at_the_first_use(url: str, text: str) -> None:
    app = Treadle(url)
    with pytest.raises(ConfigError) as caught:
        _ = app.store
    assert str(caught.value) == text
