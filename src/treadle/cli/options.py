"""Options and arguments that several commands share, and the types of their values."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from treadle.app.settings import SETTINGS, Setting
from treadle.core.options import check_count, check_name, check_seconds
from treadle.core.states import State
from treadle.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])

STATES = [state.value for state in State]


def seconds(text: str | float) -> float:
    """A number of seconds, at least 0."""
    try:
        return check_seconds(float(text), "it")
    except (ConfigError, ValueError) as error:
        raise click.BadParameter(f"expected a number of seconds, at least 0, got {text!r}") from error


def count(text: str | int) -> int:
    """A whole number from 1."""
    try:
        return check_count(int(text), "a number")
    except (ConfigError, ValueError) as error:
        raise click.BadParameter(f"expected a number to be an integer from 1 to 32767, got {text!r}") from error


def name(text: str) -> str:
    """A name that every store takes."""
    try:
        return check_name(text, "a name")
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def settings(command: Function) -> Function:
    """The options of `treadle work` that are settings; what is not given is None."""
    for setting in reversed(list(SETTINGS.values())):
        if setting.flags:
            command = _option(setting)(command)
    return command


def _option(setting: Setting) -> Callable[[Function], Function]:
    return click.option(
        *setting.flags,
        setting.name,
        callback=lambda _context, _option, given: _checked(setting, given),
        default=None,
        is_flag=setting.kind == "switch",
        multiple=setting.kind == "many",
        metavar=None if setting.kind == "switch" else setting.unit,
        help=f"{setting.doc}  [{setting.variable}; default: {setting.shown}]",
    )


def _checked(setting: Setting, given: Any) -> Any:  # noqa: ANN401 - of the setting's own type
    """The option's value, refused here where it is wrong; None where it was not given."""
    if given is None or given == ():
        return None
    value = setting.convert(given) if setting.kind == "value" else given
    try:
        setting.check(value, setting.name)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error
    return value


def as_json(command: Function) -> Function:
    """The option --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def store_url(command: Function) -> Function:
    """The option --url."""
    return click.option(
        "--url", metavar="URL", help="The store, in place of APP.  [default: TREADLE_URL, else treadle.db]"
    )(command)


def filters(command: Function) -> Function:
    """The options that choose jobs."""
    options = (
        click.option(
            "--state",
            type=click.Choice(STATES),
            metavar="STATE",
            help=f"Only jobs that are {', '.join(STATES[:-1])} or {STATES[-1]}.",
        ),
        click.option("--queue", metavar="NAME", help="Only jobs of this queue."),
        click.option("--name", metavar="NAME", help="Only jobs of this name."),
    )
    for option in reversed(options):
        command = option(command)
    return command
