"""The program that runs as `__main__`, when other modules import the very same file.

Python then runs it again, and makes a second app, on which jobs are declared that the first one does not know.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from treadle.app.surface import App
from treadle.errors import ConfigError


class _Script(NamedTuple):
    """The program that runs, with the name under which its file is imported, and that of the app in it."""

    module: ModuleType
    name: str
    attribute: str


def share_script(app: App) -> None:
    """Let whoever imports the script that made this app get the one that runs, not a second one."""
    if (script := _script_with(app)) is not None:
        sys.modules.setdefault(script.name, script.module)


def refuse_second_app(app: App) -> None:
    """Raise ConfigError where the script was imported before it was shared, and jobs stand on its second app."""
    if (script := _script_with(app)) is None:
        return
    second = getattr(sys.modules.get(script.name), script.attribute, app)
    lacking = set(second.handlers) - set(app.handlers) if isinstance(second, type(app)) else set()
    if lacking:
        raise ConfigError(
            f"expected one app in {script.module.__file__}, got two: it runs as a script and was imported again as "
            f'{script.name}, which has the job "{min(lacking)}"; move the app into a module that both import'
        )


def _script_with(app: App) -> _Script | None:
    main = sys.modules.get("__main__")
    if main is None:
        return None
    for attribute, value in list(vars(main).items()):
        if value is app and (name := _imported_name(main)):
            return _Script(main, name, attribute)
    return None


def _imported_name(main: ModuleType) -> str | None:
    """The name under which this file is imported; None where it cannot be."""
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    name = Path(file).stem if file else ""
    if not file or not name.isidentifier():
        return None
    found = getattr(sys.modules[name], "__file__", None) if name in sys.modules else _origin(name)
    return name if found and Path(found).resolve() == Path(file).resolve() else None


def _origin(name: str) -> str | None:
    spec = importlib.util.find_spec(name)
    return spec.origin if spec else None
