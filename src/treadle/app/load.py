"""Finds the app that a reference names: `module`, `module:attribute` or `module:factory()`."""

import inspect
import re
from types import ModuleType
from typing import NamedTuple

from treadle.app.guard import importing
from treadle.app.place import import_place
from treadle.app.treadle import Treadle
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
    hint = f"; call it as {reference}()" if callable(value) and not wanted.called else ""
    raise ConfigError(f"expected {reference} to be a Treadle app, got {value!r:.80}{hint}")


def _parsed(reference: str) -> _Reference:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ConfigError(f"expected an app as in shop.jobs:app or shop.jobs:create(), got {reference!r:.80}")
    return _Reference(reference, found["place"], found["path"] or "", found["call"] is not None)


def _only_app(module: ModuleType) -> Treadle:
    name = module.__name__
    apps = {id(value): (attribute, value) for attribute, value in vars(module).items() if isinstance(value, Treadle)}
    match list(apps.values()):
        case [(_, app)]:
            return app
        case []:
            raise ConfigError(
                f"expected one Treadle app in module {name}, got none; name it as {name}:app, or as {name}:create() "
                f"where a function makes it"
            )
        case several:
            names = sorted(attribute for attribute, _ in several)
            raise ConfigError(
                f"expected one Treadle app in module {name}, got {' and '.join(names)}; choose one as in "
                f"{name}:{names[0]}"
            )


def _attribute(module: ModuleType, wanted: _Reference) -> object:
    value: object = module
    for name in wanted.path.split("."):
        if not hasattr(value, name):
            raise ConfigError(f"expected {wanted.text} to be a Treadle app, found no {name} in {_name(value)}")
        value = getattr(value, name)
    return value


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
