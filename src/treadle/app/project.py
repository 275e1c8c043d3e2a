"""The project that a program belongs to: its folder, and the settings that its file holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from treadle.errors import ConfigError

OWN_FILE = "treadle.toml"
PROJECT_FILE = "pyproject.toml"


class ProjectFile(NamedTuple):
    """The settings of a file; `table` stands before their names there."""

    path: Path
    table: str
    values: Mapping[str, Any]

    def origin(self, key: str) -> str:
        """Where a value stands, for the text of an error."""
        return f"{self.table}{key} in {self.path}"


def project_folder() -> Path:
    """The nearest folder upwards that holds a treadle.toml or a pyproject.toml, else the current one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if _is_project(folder)), here)


def project_file() -> ProjectFile | None:
    """The settings of the project: treadle.toml, else [tool.treadle] in pyproject.toml; None where there are none.

    Raises ConfigError for a file that is no TOML.
    """
    folder = project_folder()
    own, shared = folder / OWN_FILE, folder / PROJECT_FILE
    if own.is_file():
        return ProjectFile(own, "", _read(own))
    if not shared.is_file():
        return None
    tools = _read(shared).get("tool")
    values = tools.get("treadle") if isinstance(tools, Mapping) else None
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise ConfigError(f"expected tool.treadle in {shared} to be a table, got {values!r:.80}")
    return ProjectFile(shared, "tool.treadle.", values)


def _is_project(folder: Path) -> bool:
    return (folder / OWN_FILE).is_file() or (folder / PROJECT_FILE).is_file()


def _read(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - a program whose settings stand elsewhere does not pay for it

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected {path} to be a TOML file that can be read, got: {error}") from error
