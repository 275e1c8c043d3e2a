"""Where a setting's value comes from: the argument, else the environment, else the project, else the default."""

import os
from pathlib import Path
from urllib.parse import quote

from treadle.errors import ConfigError

DEFAULT_FILE = "treadle.db"


def store_url(argument: str | None) -> str:
    """The URL of the store: the argument, else TREADLE_URL, else treadle.db beside the project's pyproject.toml.

    A relative SQLite path counts from the project's folder, never from the current one.
    """
    url = argument or os.environ.get("TREADLE_URL") or f"sqlite:///{DEFAULT_FILE}"
    if not isinstance(url, str):
        raise ConfigError(f"expected the store's URL to be text, got {url!r:.80}")
    relative = url.removeprefix("sqlite:///")
    if relative == url or not relative or relative.startswith("/") or relative.partition("?")[0] == ":memory:":
        return url
    # A folder's name may hold what means something else in a URL.
    return f"sqlite:///{quote(str(project_folder()))}/{relative}"


def project_folder() -> Path:
    """The nearest folder upwards that holds a pyproject.toml, else the current one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file()), here)
