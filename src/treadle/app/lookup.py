"""Where the value of a setting comes from.

It is the argument's or the option's, else the environment's, else that of the project's file, else the default. Nothing
is looked up before it is needed.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from treadle.app.project import ProjectFile, project_file, project_folder
from treadle.app.settings import DEFAULT_FILE, SETTINGS, Setting
from treadle.core.nearest import did_you_mean
from treadle.core.options import check_count, check_name
from treadle.errors import ConfigError
from treadle.stores.url import anchored


def resolve(given: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """The values of the settings that `given` names, where None stands for what is to be looked up.

    `defaults` are taken in place of those of the table. Raises ConfigError, which says where a wrong value stands.
    """
    lacking = [SETTINGS[name] for name, value in given.items() if value is None]
    texts = {setting.name: os.environ.get(setting.variable, "") for setting in lacking}
    file = None if all(texts.values()) else _known(project_file())
    values = {name: SETTINGS[name].check(value, name) for name, value in given.items() if value is not None}
    for setting in lacking:
        values[setting.name] = _looked_up(setting, texts[setting.name], file, defaults)
    return values


def store_url(argument: str | None) -> str:
    """The URL of the store; an SQLite file in it is named by its absolute path.

    A relative one counts from the project's folder, never from the current one. Raises ConfigError for a URL that names
    no store, and where nothing names one and the default is no place to keep jobs in.
    """
    url: str = resolve({"url": argument})["url"] or _default_url(project_folder())
    return anchored(url, project_folder)


def plan_queues(given: Sequence[str] | Mapping[str, int] | None) -> dict[str, Any]:
    """The `queues` and `limits` of an embedded worker's plan: those given, else those of the settings."""
    if given is None:
        return split_queues(resolve({"queues": None})["queues"])
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(f"expected queues to be a list of names, or names with limits, got {given!r:.80}")
    limits = given if isinstance(given, Mapping) else {}
    return {
        "queues": tuple(check_name(queue, "a queue of the worker") for queue in given),
        "limits": {queue: check_count(limit, f'the limit of queue "{queue}"') for queue, limit in limits.items()},
    }


def split_queues(queues: Sequence[tuple[str, int | None]]) -> dict[str, Any]:
    """The `queues` and `limits` of a plan, of the setting. A queue with a limit narrows nothing by itself."""
    limits = {name: limit for name, limit in queues if limit is not None}
    narrowed = tuple(dict.fromkeys(name for name, _ in queues)) if len(limits) < len(queues) else ()
    return {"queues": narrowed, "limits": limits}


def _default_url(folder: Path) -> str:
    remedy = "name the store by TREADLE_URL, by Treadle(url), or as url in treadle.toml"
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise ConfigError(f"expected the URL of a store, got none: a file in a container is lost with it; {remedy}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"expected the URL of a store, got none, and {folder} cannot be written to; {remedy}")
    return f"sqlite:///{DEFAULT_FILE}"


def _looked_up(setting: Setting, text: str, file: ProjectFile | None, defaults: Mapping[str, Any]) -> Any:  # noqa: ANN401
    try:
        if text:
            origin = f"environment variable {setting.variable}"
            return setting.check(setting.convert(text), setting.name)
        if file is not None and setting.name in file.values:
            origin = file.origin(setting.name)
            return setting.check(file.values[setting.name], setting.name)
    except ConfigError as error:
        raise ConfigError(f"{error} ({origin})") from error
    return defaults.get(setting.name, setting.default)


def _known(file: ProjectFile | None) -> ProjectFile | None:
    """The same file. Raises ConfigError where it has a key that is no setting."""
    if file is None:
        return None
    for key in file.values:
        if key not in SETTINGS:
            hint = did_you_mean(key, SETTINGS)
            raise ConfigError(f'expected a setting ({", ".join(SETTINGS)}), got "{key}"{hint} ({file.origin(key)})')
    return file
