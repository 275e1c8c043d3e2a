"""Annotations of a job's function, resolved when they are first needed: names may be defined after the function."""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter
from typing import Any, NoReturn

from treadle.core.conversion import Conversion, undefined
from treadle.errors import ConfigError

_UNTYPED = (Parameter.empty, Any, object)
_NEVER = (NoReturn, typing.Never)


def argument(function: Callable[..., Any], parameter: Parameter, job: str) -> Conversion | None:
    """How values of a parameter are converted; None where any JSON will do. Raises ConfigError.

    A default of None allows None, whatever the annotation says.
    """
    what = f'job "{job}", parameter "{parameter.name}"'
    hint, text = _resolved(function, parameter.annotation, what), _text(parameter.annotation)
    if _is_any(hint, _UNTYPED):
        return None
    if parameter.default is None and type(None) not in typing.get_args(hint):
        return Conversion(typing.Optional[hint], f"{text} | None", what)  # noqa: UP045 - of a value, not of a name
    return Conversion(hint, text, what)


def returned(function: Callable[..., Any], job: str) -> Conversion | None:
    """How the value that a function returns is converted; None where any JSON will do. Raises ConfigError."""
    what, annotation = f'job "{job}", returned value', inspect.signature(function).return_annotation
    hint = _resolved(function, annotation, what)
    return None if _is_any(hint, (*_UNTYPED, *_NEVER)) else Conversion(hint, _text(annotation), what)


def _is_any(hint: object, among: Iterable[object]) -> bool:
    return any(hint is one for one in among)


def _resolved(function: Callable[..., Any], annotation: Any, what: str) -> Any:  # noqa: ANN401 - any object
    if annotation is Parameter.empty:
        return annotation
    whole = inspect.unwrap(function)
    # `get_type_hints` takes anything that has annotations; one at a time, for those of injected parameters never count.
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, getattr(whole, "__globals__", {}), _scope(whole), include_extras=True)[
            "it"
        ]
    except NameError as error:
        raise ConfigError(undefined(what, _text(annotation), error)) from error
    except Exception as error:
        raise ConfigError(f"{what}: expected an annotation that is a type, got {_text(annotation)}: {error}") from error


def _scope(function: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any callable
    """What a function sees beside its module: its type parameters, and the variables around it that it uses."""
    scope = {parameter.__name__: parameter for parameter in getattr(function, "__type_params__", ())}
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        try:
            scope[name] = cell.cell_contents
        except ValueError:
            continue  # it has no value yet
    return scope


def _text(annotation: Any) -> str:  # noqa: ANN401 - any object
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return inspect.formatannotation(annotation)
