"""Finds the app that a reference names: `module:attribute`."""

import importlib
import sys
from pathlib import Path

from treadle.app.treadle import Treadle
from treadle.errors import ConfigError


def load_app(reference: str) -> Treadle:
    """The app at `module:attribute`, or the only one in `module`; the current folder is on the path.

    Raises ConfigError where there is none; what the module itself raises comes through.
    """
    module_name, _, attribute = reference.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise ConfigError(f"expected an app as in shop.jobs:app, got {reference!r:.80}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"expected {reference!r} to name a module, as in shop.jobs:app, found no module {error.name!r} in {here}"
        ) from None
    if attribute:
        app = getattr(module, attribute, None)
        if not isinstance(app, Treadle):
            raise ConfigError(f"expected {reference} to be a Treadle app, got {app!r:.80}")
        return app
    apps = {id(value): name for name, value in vars(module).items() if isinstance(value, Treadle)}
    if len(apps) != 1:
        names = ", ".join(sorted(apps.values())) or "none"
        raise ConfigError(
            f"expected one Treadle app in module {module_name}, got {names}; name it as {module_name}:app"
        )
    found = getattr(module, next(iter(apps.values())))
    if not isinstance(found, Treadle):
        raise ConfigError(f"expected {reference} to be a Treadle app, got {found!r:.80}")
    return found
