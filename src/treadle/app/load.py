"""Finds the app that a reference names: `module`, `module:attribute` or `module:factory()`."""

import inspect
import re
from types import ModuleType
from typing import NamedTuple

from treadle.app.function import JobFunction
from treadle.app.guard import importing
from treadle.app.place import import_place
from treadle.app.treadle import Treadle
from treadle.core.nearest import did_you_mean
from treadle.errors import ConfigError

# What begins with a slash is written by treadle itself, for its own processes: place.py.
_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_REFERENCE = re.compile(rf"(?P<place>/.+?|{_NAME})(?::(?P<path>{_NAME})(?P<call>\(\))?)?")


class _Reference(NamedTuple):
    text: str
    place: str
    path: str
    called: bool


def is_reference(word: str) -> bool:
    """Whether a word is written as module:attribute or module:factory(). A Ruby name (`A::B`) is not."""
    found = _REFERENCE.fullmatch(word)
    return found is not None and found["path"] is not None


def load_app(reference: str) -> Treadle:
    """The app at `module:attribute`, what `module:factory()` returns, or the only one in `module`.

    The current folder comes first on the path. `app.load()` then imports the jobs. Raises ConfigError where there is no
    such app; what the module or the factory itself raises comes through.
    """
    wanted = _parsed(reference)
    module = import_place(wanted.place)
    if not wanted.path:
        return _only_app(module)
    value = _attribute(module, wanted)
    if wanted.called:
        value = _made(value, wanted)
    if isinstance(value, Treadle):
        if wanted.called:
            # No module holds it: a process that runs jobs for it must know how it was made.
            value.reference = value.reference or reference
        return value
    is_factory = callable(value) and not isinstance(value, JobFunction) and not wanted.called
    hint = f"; call it as {reference}()" if is_factory else _names(module)
    raise ConfigError(f"expected {reference} to be a Treadle app, got {value!r:.80}{hint}")


def _parsed(reference: str) -> _Reference:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ConfigError(f"expected an app as in shop.jobs:app or shop.jobs:create(), got {reference!r:.80}")
    return _Reference(reference, found["place"], found["path"] or "", found["call"] is not None)


def _only_app(module: ModuleType) -> Treadle:
    name = module.__name__
    apps = _apps_in(module)
    match list(apps):
        case [only]:
            return apps[only]
        case []:
            raise ConfigError(
                f"expected one Treadle app in module {name}, got none; name it as {name}:app, or as {name}:create() "
                f"where a function makes it"
            )
        case several:
            names = sorted(several)
            raise ConfigError(
                f"expected one Treadle app in module {name}, got {' and '.join(names)}; choose one as in "
                f"{name}:{names[0]}"
            )


def _apps_in(module: ModuleType) -> dict[str, Treadle]:
    """Every app in a module, once, by its last name there."""
    names = {id(value): name for name, value in vars(module).items() if isinstance(value, Treadle)}
    return {name: vars(module)[name] for name in names.values()}


def _attribute(module: ModuleType, wanted: _Reference) -> object:
    value: object = module
    for name in wanted.path.split("."):
        if not hasattr(value, name):
            raise ConfigError(
                f"expected {wanted.text} to be a Treadle app, found no {name} in {_name(value)}{_hint(name, value)}"
            )
        value = getattr(value, name)
    return value


def _hint(name: str, owner: object) -> str:
    """What was meant: the app, where a module has one, else what is written nearly so."""
    return (isinstance(owner, ModuleType) and _names(owner)) or did_you_mean(name, dir(owner))


def _names(module: ModuleType) -> str:
    apps = sorted(_apps_in(module))
    return f"; the app in {module.__name__} is named {' or '.join(apps)}" if apps else ""


def _made(factory: object, wanted: _Reference) -> object:
    if not callable(factory):
        raise ConfigError(f"expected {wanted.text} to call a function, got {factory!r:.80}; leave out the ()")
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise ConfigError(f"expected {wanted.text} to be called without arguments, got: {error}") from error
    except ValueError:
        # Some callables of C have no signature: the call itself will tell.
        pass
    with importing(wanted.place):
        return factory()


def _name(value: object) -> str:
    return value.__name__ if isinstance(value, ModuleType) else f"{value!r:.80}"
