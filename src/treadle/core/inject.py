"""`Inject`: marks a parameter that the worker fills in for every attempt, and that is no argument of the job."""

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any, NamedTuple

from treadle.errors import ConfigError

Provider = Callable[..., Any]


class Injected:
    """The default of an injected parameter. `provider` is None for the running Job."""

    __slots__ = ("provider",)

    def __init__(self, provider: Provider | None) -> None:
        self.provider = provider

    def __repr__(self) -> str:
        return f"Inject({_shown(self.provider) if self.provider else ''})"


class Source(NamedTuple):
    """A provider, and the sources of its own injected parameters by their names; None is the running Job."""

    provider: Provider
    needs: "Mapping[str, Source | None]"


Sources = Mapping[str, Source | None]


def Inject(provider: Provider | None = None) -> Any:  # noqa: ANN401, N802 - it stands for a value of any type
    """The default of a keyword-only parameter that the worker fills in for every attempt of a job.

    `provider` is a function or a generator, sync or async, which may have injected parameters of its own; a generator
    is closed with the job's exception before the outcome is decided. Without a provider it is the running `Job`.
    """
    return Injected(provider)


def injected(function: Callable[..., Any], what: str) -> dict[str, Injected]:
    """The injected parameters of a function by their names. Raises ConfigError for one that is not keyword-only."""
    found = {}
    for parameter in inspect.signature(function).parameters.values():
        if isinstance(parameter.default, Injected):
            if parameter.kind is not Parameter.KEYWORD_ONLY:
                raise ConfigError(
                    f'{what}: expected the injected parameter "{parameter.name}" to be keyword-only, '
                    f"got one that can be given by position; put a * before it"
                )
            found[parameter.name] = parameter.default
    return found


def sources(function: Callable[..., Any], what: str) -> Sources:
    """Where the values of a function's injected parameters come from, by the parameters' names.

    Raises ConfigError for a provider that cannot be called, that takes what nobody fills in, or that needs itself.
    """
    return {name: _source(mark.provider, what, ()) for name, mark in injected(function, what).items()}


def _source(provider: object, what: str, within: tuple[Provider, ...]) -> Source | None:
    if provider is None:
        return None
    if not callable(provider) or type(provider).__hash__ is None:
        raise ConfigError(
            f"{what}: expected a provider to be a function, got {_shown(provider)}; "
            f"give the function itself, without calling it, as in Inject(session)"
        )
    if provider in within:
        circle = " needs ".join(map(_shown, [*within[within.index(provider) :], provider]))
        raise ConfigError(f"{what}: expected providers that do not need themselves, got {circle}")
    needs = {}
    for parameter in _parameters(provider):
        mark = _mark(parameter)
        if mark is not None and parameter.kind is not Parameter.POSITIONAL_ONLY:
            needs[parameter.name] = _source(mark.provider, what, (*within, provider))
        elif mark is not None or _must_be_given(parameter):
            raise ConfigError(
                f"{what}: expected the parameters of the provider {_shown(provider)} to have defaults or to be "
                f'injected, got "{parameter.name}", which nobody fills in: a job belongs to no request'
            )
    return Source(provider, needs)


def _parameters(provider: Provider) -> list[Parameter]:
    try:
        found = inspect.signature(provider)
        if any(isinstance(parameter.annotation, str) for parameter in found.parameters.values()):
            found = inspect.signature(provider, eval_str=True)
    except ValueError:
        return []  # one of Python's own, in C, which does not say
    except Exception:  # noqa: BLE001 - annotations that only a type checker can read; defaults may say enough
        found = inspect.signature(provider)
    return list(found.parameters.values())


def _mark(parameter: Parameter) -> Injected | None:
    """What a provider says about a parameter, in our words or in FastAPI's: `Depends` has a `dependency`."""
    annotation = parameter.annotation
    for mark in (parameter.default, *getattr(annotation, "__metadata__", ())):
        if isinstance(mark, Injected):
            return mark
        if hasattr(mark, "dependency"):
            # FastAPI's Depends() stands for the class that is the annotation.
            return Injected(mark.dependency or getattr(annotation, "__origin__", annotation))
    return None


def _must_be_given(parameter: Parameter) -> bool:
    if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
        return False
    # FastAPI's Query(), Header() and so on stand for a part of a request.
    return parameter.default is Parameter.empty or type(parameter.default).__module__ == "fastapi.params"


def _shown(provider: object) -> str:
    return getattr(provider, "__qualname__", None) or f"{provider!r:.80}"
