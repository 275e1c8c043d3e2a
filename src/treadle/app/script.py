"""The program that runs as `__main__`, when other modules import the very same file.

Python then runs it again, and makes a second app, on which jobs are declared that the first one does not know.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from treadle.app.surface import App
from treadle.errors import ConfigError


def share_script(app: App) -> None:
    """Let whoever imports the script that made this app get the one that runs, not a second one."""
    main = sys.modules["__main__"]
    if any(value is app for value in vars(main).values()) and (name := _imported_name(main)):
        sys.modules.setdefault(name, main)


def refuse_second_app(app: App) -> None:
    """Raise ConfigError where the script was imported before it was shared, and jobs stand on its second app."""
    main = sys.modules["__main__"]
    attribute = next((attribute for attribute, value in list(vars(main).items()) if value is app), None)
    name = _imported_name(main) if attribute else None
    if attribute is None or name is None:
        return
    second = getattr(sys.modules.get(name), attribute, app)
    lacking = set(second.handlers) - set(app.handlers) if isinstance(second, type(app)) else set()
    if lacking:
        raise ConfigError(
            f"expected one app in {getattr(main, '__file__', name)}, got two: it runs as a script and was imported "
            f'again as {name}, which has the job "{min(lacking)}"; move the app into a module that both import'
        )


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
