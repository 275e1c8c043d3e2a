"""`Inject`: marks a parameter that the worker fills in for every attempt, and that is no argument of the job."""

import inspect
from collections.abc import Callable
from typing import Any

from treadle.errors import ConfigError

Provider = Callable[..., Any]


class Injected:
    """The default of an injected parameter. `provider` is None for the running Job."""

    __slots__ = ("provider",)

    def __init__(self, provider: Provider | None) -> None:
        self.provider = provider

    def __repr__(self) -> str:
        return f"Inject({getattr(self.provider, '__qualname__', self.provider) if self.provider else ''})"


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
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                raise ConfigError(
                    f'{what}: expected the injected parameter "{parameter.name}" to be keyword-only, '
                    f"got one that can be given by position; put a * before it"
                )
            found[parameter.name] = parameter.default
    return found
