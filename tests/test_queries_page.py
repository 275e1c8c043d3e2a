"""What is written of queries has every field of the table, and every member that there is."""

import dataclasses

import msgspec
import pytest
from click.testing import CliRunner

from tests.pages import DOCS
from tests.test_docs import first_cells, page, public_members, section
from treadle.app.stored import StoredJobs
from treadle.cli.main import treadle
from treadle.core.found import Page
from treadle.core.job import JobView
from treadle.core.query import FIELDS, Kind
from treadle.core.query_parser import DEEPEST, MOST_CHARACTERS, MOST_CONDITIONS

QUERIES = (DOCS / "queries.md").read_text()
STORED = section(page("api"), "## The jobs in the store")


def table() -> str:
    """The table as that of core/query.py draws it."""
    lines = ["| field | what it is | written as | example |", "|---|---|---|---|"]
    for field in FIELDS.values():
        name = f"{field.name}.PATH" if field.kind is Kind.JSON else field.name
        lines.append(f"| `{name}` | {field.doc} | {field.kind.value} | `{field.example}` |")
    return "\n".join(lines)


def test_the_page_has_the_table_of_the_fields() -> None:
    assert table() in QUERIES


def test_the_page_has_the_bounds_of_a_query() -> None:
    assert f"{MOST_CHARACTERS:,} characters, {MOST_CONDITIONS} conditions and {DEEPEST} levels" in QUERIES


def test_the_references_name_every_field() -> None:
    fields = ", ".join(f"`{name}`" for name in FIELDS)
    assert f"with the fields {fields};" in section(page("cli"), "## treadle jobs list")
    assert f"The fields are {fields}." in STORED


@pytest.mark.parametrize("command", ["list", "retry", "cancel", "delete"])
def test_the_help_of_a_command_names_every_field(command: str) -> None:
    told = " ".join(CliRunner().invoke(treadle, ["jobs", command, "--help"]).output.split())
    assert f"Fields: {', '.join(FIELDS)}." in told


def test_the_reference_has_every_member() -> None:
    parts = STORED.split("| of a ")
    fields = [field.name for field in msgspec.structs.fields(JobView)]
    for part, members in zip(
        parts,
        (public_members(StoredJobs), {field.name for field in dataclasses.fields(Page)} | {"complete"}, fields),
        strict=True,
    ):
        cells = first_cells(f"| of a {part}" if part is not parts[0] else part)
        assert sorted(set(cells) - {"Page", "JobView"}) == sorted(members)
