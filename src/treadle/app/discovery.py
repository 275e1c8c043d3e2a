"""The modules in which the jobs of an app are declared, named by `include=` and imported when a worker starts."""

import importlib
import pkgutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from treadle.app.guard import importing
from treadle.errors import ConfigError

ONE, ANY = "*", "**"


class Discovery:
    """Imports what its patterns name, once; thread-safe.

    A pattern is a module's name, in which `*` stands for one level of packages and `**` for any number of them.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        if isinstance(patterns, str) or not all(isinstance(pattern, str) for pattern in patterns):
            raise ConfigError(f'expected include= of an app to be a list such as ["shop.*.jobs"], got {patterns!r:.80}')
        for pattern in patterns:
            _check(pattern)
        self._patterns = tuple(patterns)
        # The same thread comes in again where a module that is being imported loads its app.
        self._lock = threading.RLock()
        self._begun = False
        self.done = False

    def load(self) -> None:
        """Import every module; what one of them raises comes through. Raises ConfigError where one does not exist."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
            try:
                for pattern in self._patterns:
                    _import_matching(pattern)
                self.done = True
            finally:
                self._begun = self.done


def import_named(name: str, expected: str) -> ModuleType:
    """The module of this name. Raises ConfigError where there is none; what it raises itself comes through."""
    try:
        with importing(name):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        hint = '; leave out the ".py"' if name.endswith(".py") else ""
        raise ConfigError(f"expected {expected}, found no module {error.name!r}{hint}") from None


def _check(pattern: str) -> None:
    first, *rest = pattern.split(".")
    if first.isidentifier() and all(part.isidentifier() or part in {ONE, ANY} for part in rest):
        return
    raise ConfigError(
        f'expected include= of an app to name modules as in "shop.jobs" or "shop.*.jobs", got {pattern!r}'
    )


def _import_matching(pattern: str) -> None:
    parts = pattern.split(".")
    plain = next((index for index, part in enumerate(parts) if part in {ONE, ANY}), len(parts))
    name = ".".join(parts[:plain])
    module = import_named(name, f'"{pattern}" in include= of the app to name a module')
    if plain == len(parts):
        return
    found = list(dict.fromkeys(_matching(parts[plain:], name, list(getattr(module, "__path__", ())))))
    if not found:
        raise ConfigError(f'expected "{pattern}" in include= of the app to match a module, found none below {name}')
    for match in found:
        with importing(match):
            importlib.import_module(match)


def _matching(parts: Sequence[str], name: str, folders: Sequence[str]) -> Iterator[str]:
    """The modules at and below `name`, whose own modules lie in `folders`, that these parts of a pattern match."""
    if not parts:
        yield name
        return
    head, *tail = parts
    if head == ANY:
        yield from _matching(tail, name, folders)
    for child, below in sorted(_children(folders).items()):
        if head == ANY:
            yield from _matching(parts, f"{name}.{child}", below)
        elif head in {ONE, child}:
            yield from _matching(tail, f"{name}.{child}", below)


def _children(folders: Sequence[str]) -> dict[str, list[str]]:
    """The modules in these folders, and for each the folders of its own modules, without importing any of them."""
    found: dict[str, list[str]] = {}
    for folder in map(Path, folders):
        # A package may do without an __init__.py; only then it has several folders.
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and path.name.isidentifier() and path.name != "__pycache__":
                found.setdefault(path.name, []).append(str(path))
    for finder, name, _ in pkgutil.iter_modules(folders):
        if name.isidentifier() and name != "__main__":
            spec: Any = finder.find_spec(name)  # type: ignore[call-arg] # a finder of one path entry takes a name alone
            found[name] = list(spec.submodule_search_locations or ())
    return found
