"""The reference pages have every event, error, setting, name and option that there is, and none that is not."""

import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import treadle
from treadle import errors
from treadle.app.settings import SETTINGS
from treadle.core.options import CallSettings, ExternalSettings, JobDefaults, JobSettings, WorkSettings
from treadle.core.redact import SECRET
from treadle.core.states import FINAL, MEANINGS, MOVES, WAITING, State
from treadle.hooks import events
from treadle.hooks.logs import LINES
from treadle.testing import JobKit

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text()


def section(text: str, heading: str) -> str:
    """What stands between a heading and the next one of its rank or above."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.search(rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"expected the heading {heading}"
    return found[1]


def first_cells(text: str) -> list[str]:
    """Every name in backticks in the first column of the tables of a text."""
    cells = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def every(kind: type, module: object) -> Iterator[type]:
    yield from (value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, kind))


EVENTS = [kind for kind in every(events.Event, events) if kind is not events.Event]
ERRORS = list(every(errors.TreadleError, errors))


# Events


def test_the_events_page_has_every_event_and_no_other() -> None:
    assert sorted(first_cells(page("events"))) == sorted(kind.__name__ for kind in EVENTS)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_an_events_row_says_what_the_event_says(kind: type[events.Event]) -> None:
    fields = ", ".join(f"`{field}`" for field in kind.__struct_fields__)
    level = logging.getLevelName(LINES[kind][1]).lower() if kind in LINES else "none"
    assert f"| `{kind.__name__}` | {sentence(kind)} | {fields} | {level} |" in page("events")


@pytest.mark.parametrize("logger", ["treadle.jobs", "treadle.processes", "treadle.stores"])
def test_an_event_stands_under_the_logger_that_writes_it(logger: str) -> None:
    (part,) = (part for part in page("events").split("\n## ")[1:] if f"`{logger}`" in part)
    named = set(first_cells(part))
    assert {kind.__name__ for kind, (writer, _, _) in LINES.items() if writer.name == logger} <= named


def sentence(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


# Logging


def test_every_secret_word_and_every_attribute_of_a_record_is_told() -> None:
    text = page("logging")
    assert all(f"`{word}`" in text for word in SECRET)
    record = logging.makeLogRecord({})
    treadle.JobContext().filter(record)
    told = first_cells(section(text, "## The job in every record"))
    assert sorted(told) == sorted(name for name in vars(record) if name.startswith("treadle_"))


# Errors


def test_the_errors_page_has_every_error_and_no_other() -> None:
    assert sorted(first_cells(page("errors"))) == sorted(kind.__name__ for kind in ERRORS)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_errors_row_says_what_the_error_is(kind: type[errors.TreadleError]) -> None:
    bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
    indent = "&nbsp;" * 4 * (sum(issubclass(base, errors.TreadleError) for base in kind.__mro__) - 1)
    assert f"| {indent}`{kind.__name__}` | {bases} | {sentence(kind)} |" in page("errors")


# Settings


def settings_table() -> str:
    """The table as that of app/settings.py draws it: what this test expects is what belongs into the page."""
    lines = ["| key | variable | option | value | default | meaning |", "|---|---|---|---|---|---|"]
    for setting in SETTINGS.values():
        options = ", ".join(f"`{flag}`" for flag in setting.flags)
        value = setting.unit.replace("|", "\\|")
        lines.append(
            f"| `{setting.name}` | `{setting.variable}` | {options} | {value} | {setting.shown} | {setting.doc} |"
        )
    return "\n".join(lines)


def test_the_settings_page_has_the_table_of_the_settings() -> None:
    assert settings_table() == "\n".join(re.findall(r"^\|.*$", page("settings").split("\n## ")[0], re.MULTILINE))


def test_no_setting_is_read_beside_the_table() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert set(re.findall(r'environ\S*"(TREADLE_[A-Z_]+)"', sources)) == {"TREADLE_URL"}


# The Python interface


def public_members(kind: type) -> set[str]:
    """What a user may call or read: methods, properties, and attributes that the constructor sets."""
    members = {name for name in vars(kind) if not name.startswith("_")}
    own = set(re.findall(r"self\.([a-z]\w*)(?:: [^=\n]+)? =", inspect.getsource(kind)))
    return members | own


def keywords(function: Any) -> set[str]:  # noqa: ANN401 - any callable
    return {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def test_the_interface_page_has_a_heading_for_every_public_name() -> None:
    headings = re.findall(r"^## (.*)$", page("api"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(headings))) == sorted(treadle.__all__)


@pytest.mark.parametrize(
    "kind", [treadle.Treadle, treadle.Jobs, treadle.JobFunction, treadle.Handle, treadle.ResultHandle]
)
def test_every_member_of_a_public_class_has_its_row(kind: type) -> None:
    text = section(page("api"), f"## `{kind.__name__}`")
    documented = first_cells(re.sub(r"^### Options.*?(?=^##|\Z)", "", text, flags=re.MULTILINE | re.DOTALL))
    assert sorted(documented) == sorted(public_members(kind))


def test_every_member_of_the_testing_kit_has_its_row() -> None:
    assert sorted(first_cells(section(page("api"), "## The testing kit"))) == sorted(public_members(JobKit))


def test_every_field_of_a_job_has_its_row() -> None:
    fields = {field.name for field in msgspec.structs.fields(treadle.Job)}
    assert set(first_cells(section(page("api"), "## `Job`"))) == fields


def test_every_option_of_a_job_has_its_row() -> None:
    documented = first_cells(section(page("api"), "### Options of `@app.job`"))
    assert sorted(documented) == sorted(["name", "record", *JobSettings.__annotations__])


def test_every_option_of_one_call_has_its_row() -> None:
    documented = first_cells(section(page("api"), "### Options of `options()`"))
    assert sorted(documented) == sorted(CallSettings.__annotations__)


def test_the_options_of_an_external_job_and_of_all_jobs_are_told() -> None:
    text = section(page("api"), "## `Jobs`")
    assert all(f"`{option}`" in text for option in ExternalSettings.__annotations__)
    own = set(JobSettings.__annotations__) - set(JobDefaults.__annotations__)
    assert all(f"`{option}`" in section(page("api"), "### Options of `Treadle()`") for option in own)


@pytest.mark.parametrize(
    ("heading", "function"),
    [
        ("### Options of `app.worker()`", treadle.Treadle.worker),
    ],
)
def test_every_option_of_a_call_has_its_row(heading: str, function: object) -> None:
    assert set(first_cells(section(page("api"), heading))) == keywords(function)


def test_every_option_of_a_script_has_its_row() -> None:
    documented = first_cells(section(page("api"), "### Options of `app.work()`"))
    assert sorted(documented) == sorted(WorkSettings.__annotations__)


def test_every_option_of_an_app_has_its_row() -> None:
    documented = first_cells(section(page("api"), "### Options of `Treadle()`"))
    assert sorted(documented) == sorted(inspect.signature(treadle.Treadle).parameters)


# States

STATES_END = (
    "A final state is left only where somebody asks for the job to be retried. "
    "Redis keeps waiting, running and discarded jobs alone."
)


def states_page() -> str:
    """The page as the tables of core/states.py draw it."""
    kinds = dict.fromkeys(WAITING, "waiting") | dict.fromkeys(FINAL, "final")
    lines = [
        "# States of a job",
        "",
        "The words are Oban's, in every store. The tables are those of `treadle.core.states`.",
        "",
        "| state | the job | kind | goes on to |",
        "|---|---|---|---|",
    ]
    for state in State:
        targets = ", ".join(f"`{target}`" for target in State if target in MOVES[state])
        lines.append(f"| `{state}` | {MEANINGS[state]} | {kinds.get(state, 'running')} | {targets} |")
    return "\n".join([*lines, "", STATES_END, ""])


def test_the_states_page_is_drawn_from_the_tables() -> None:
    assert page("states") == states_page()


# Links


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_every_link_to_another_page_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} leads to {target}"
