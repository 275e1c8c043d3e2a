"""How another process finds the module that holds an app; it may be the very program that was started.

A place is `module`, `/folder/module` or `/folder/file.py`. Its folder, else the current one, is put first on the path,
as Python does with that of a script.
"""

import importlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from treadle.app.discovery import import_named
from treadle.app.guard import importing
from treadle.errors import ConfigError

_MAIN = ("__main__", "__mp_main__")
"""How the program that was started is called, in it and in what multiprocessing spawns."""
_INSTALLED = ("site-packages", "dist-packages")


def place_of(name: str, module: ModuleType) -> str:
    """The place of a module that stands in `sys.modules` under this name; empty where it is nowhere to be found."""
    if name not in _MAIN:
        return _named(name, module)
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name not in _MAIN:
        # python -m: importable under its own name.
        return _named(spec.name, module)
    file = getattr(module, "__file__", None)
    return str(Path(file).absolute()) if file and Path(file).is_file() else ""


def import_place(place: str) -> ModuleType:
    """The module at a place. Raises ConfigError where there is none; what the module itself raises comes through."""
    folder, _, name = place.rpartition("/")
    here = Path(folder or ".").absolute()
    if sys.path[:1] != [str(here)]:
        sys.path.insert(0, str(here))
    if folder and (here / name).is_file():
        with importing(name):
            return _import_file(here / name)
    return import_named(name, f'"{name}" to be a module in {here} or on the path')


def _named(name: str, module: ModuleType) -> str:
    """A module's name, with the folder that must be on the path where others would not find it."""
    file = getattr(module, "__file__", None)
    if not file:
        return name
    depth = name.count(".") + (Path(file).name == "__init__.py")
    folder = Path(file).absolute().parents[depth]
    return name if folder == Path.cwd() or folder.name in _INSTALLED else f"{folder}/{name}"


def _import_file(file: Path) -> ModuleType:
    # Under its own name where that is free: `from shop import app` in another module then gives this one.
    name = file.stem if file.stem.isidentifier() and file.stem not in sys.modules else "__treadle_main__"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_loader(name, SourceFileLoader(name, str(file)))
    if spec is None or spec.loader is None:
        raise ConfigError(f"expected {file} to be a Python program, got something else")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
