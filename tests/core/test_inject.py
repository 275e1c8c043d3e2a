"""Where the values of injected parameters come from, in our words and in FastAPI's, and what is refused."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from treadle.core.inject import Inject, Source, sources
from treadle.errors import ConfigError


class Depends:
    """As FastAPI's: known by its `dependency`."""

    def __init__(self, dependency: Callable[..., Any] | None = None) -> None:
        self.dependency = dependency


class Query:
    """As FastAPI's `Query()`, which stands for a part of a request."""

    __module__ = "fastapi.params"


def session() -> str:
    return "session"


class Paging:
    def __init__(self, size: int = 10) -> None:
        self.size = size


Session = Annotated[str, Depends(session)]


def of(provider: Any) -> Source | None:  # noqa: ANN401 - also what is no provider
    def welcome(*, value: object = Inject(provider)) -> None: ...

    return sources(welcome, 'job "welcome"')["value"]


def refused(provider: Any) -> str:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        of(provider)
    return str(caught.value)


def test_a_provider_without_parameters_needs_nothing() -> None:
    assert of(session) == Source(session, {})


def test_the_running_job_has_no_provider() -> None:
    assert of(None) is None


def test_a_provider_has_sources_of_its_own() -> None:
    def users(limit: int = 3, *, db: str = Inject(session), job: object = Inject()) -> None: ...

    assert of(users) == Source(users, {"db": Source(session, {}), "job": None})


def test_fastapis_depends_is_understood_as_a_default_and_as_an_annotation() -> None:
    def default(db: str = Depends(session)) -> None: ...  # type: ignore[assignment]

    def annotated(db: Annotated[str, Depends(session)]) -> None: ...

    def written(db: "Session") -> None: ...

    for provider in (default, annotated, written):
        assert of(provider) == Source(provider, {"db": Source(session, {})})


def test_fastapis_depends_without_a_function_means_the_class_that_is_annotated() -> None:
    def users(paging: Annotated[Paging, Depends()]) -> None: ...

    assert of(users) == Source(users, {"paging": Source(Paging, {})})


def test_an_annotation_that_only_a_type_checker_can_read_does_not_matter_beside_a_default() -> None:
    def users(db: "NowhereToBeFound" = Inject(session)) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert of(users) == Source(users, {"db": Source(session, {})})


def test_what_a_partial_gives_already_is_not_missing() -> None:
    def users(url: str, db: str) -> None: ...

    provider = functools.partial(users, "url", db=Inject(session))
    assert of(provider) == Source(provider, {"db": Source(session, {})})


@pytest.mark.parametrize("provider", [dict, object, "text".upper], ids=["dict", "object", "upper"])
def test_what_is_written_in_c_needs_nothing(provider: Callable[..., Any]) -> None:
    assert of(provider) == Source(provider, {})


def test_a_parameter_that_nobody_fills_in_is_refused_by_name() -> None:
    def users(request: object, db: str = Inject(session)) -> None: ...

    text = (
        'job "welcome": expected the parameters of the provider {} to have defaults or to be injected, '
        'got "{}", which nobody fills in: a job belongs to no request'
    )
    name = f"{test_a_parameter_that_nobody_fills_in_is_refused_by_name.__name__}.<locals>.users"
    assert refused(users) == text.format(name, "request")

    def outer(*, inner: object = Inject(users)) -> None: ...

    assert refused(outer) == text.format(name, "request")


def test_a_part_of_a_request_is_refused_also_where_it_is_a_default() -> None:
    def users(text: object = Query()) -> None: ...

    assert 'got "text", which nobody fills in' in refused(users)


def test_a_positional_parameter_cannot_be_injected() -> None:
    def users(db: str = Inject(session), /) -> None: ...

    assert 'got "db", which nobody fills in' in refused(users)


@pytest.mark.parametrize("value", ["session", 3, session(), [session]])
def test_what_cannot_be_called_is_no_provider(value: object) -> None:
    text = f'job "welcome": expected a provider to be a function, got {value!r}; give the function itself'
    assert refused(value).startswith(text)


def test_a_provider_that_needs_itself_is_refused_with_the_circle() -> None:
    def first(_: object) -> None: ...

    def second(value: object = Inject(first)) -> None: ...

    first.__annotations__["_"] = Annotated[str, Depends(second)]
    path = f"{test_a_provider_that_needs_itself_is_refused_with_the_circle.__name__}.<locals>."
    assert refused(first) == (
        f'job "welcome": expected providers that do not need themselves, '
        f"got {path}first needs {path}second needs {path}first"
    )
