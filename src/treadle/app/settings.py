"""Every setting, declared once: options of `treadle work`, variables, keys of files and their reference are drawn.

Where values come from is in lookup.py.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import msgspec

from treadle.core.options import check_count, check_flag, check_name, check_seconds
from treadle.errors import ConfigError
from treadle.runtime.plan import CONCURRENCY, GRACE, NODE_LEASE, RESTAMP_EVERY
from treadle.stores.url import check_url

DEFAULT_FILE = "treadle.db"

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_LAST_PORT = 65_535
_MOST_JOBS = 1_000_000_000
_MOST_MIB = 16 * 1024 * 1024


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting.

    `check` takes a value and its name and gives what is used, or raises ConfigError. `of_text` makes a value of the
    text of an option or of a variable, or raises ValueError. `flags` are its options of `treadle work`; one that is
    `many` may be repeated, and is a list in a file and separated by commas in a variable. `words` say what the default
    does not, `unit` stands for the value in the help.
    """

    name: str
    check: Callable[[Any, str], Any]
    of_text: Callable[[str], Any] = str
    default: Any = None
    words: str = ""
    unit: str
    flags: tuple[str, ...] = ()
    kind: Literal["value", "many", "switch"] = "value"
    doc: str

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"TREADLE_{self.name.upper()}"

    @property
    def shown(self) -> str:
        """The default, for people."""
        return self.words or f"{self.default:{'g' if isinstance(self.default, float) else ''}}"

    def convert(self, text: str) -> Any:  # noqa: ANN401 - of the setting's own type
        """What a text stands for, not yet checked."""
        try:
            return self.of_text(text)
        except ValueError:
            # The check says what was expected.
            return text


def _commas(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _switch(text: str) -> bool:
    """Raises ValueError."""
    word = text.lower()
    if word not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ValueError(text)
    return word in {"1", "true", "yes", "on"}


def _check_text(value: object, name: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise ConfigError(f"expected {name} to be text, got {value!r:.80}")


def _check_choice(value: object, name: str, *, among: Sequence[str]) -> str:
    if isinstance(value, str) and value in among:
        return value
    raise ConfigError(f"expected {name} to be {' or '.join(among)}, got {value!r:.80}")


def _check_queues(value: object, name: str) -> tuple[tuple[str, int | None], ...]:
    """A list of NAME and NAME=LIMIT; the limit is None of NAME alone."""
    if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
        return tuple(_queue(entry) for entry in value)
    raise ConfigError(f"expected {name} to be a list of names, each with =LIMIT or without, got {value!r:.80}")


def _check_names(value: object, name: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(check_name(entry, f"each name in {name}") for entry in value)
    raise ConfigError(f"expected {name} to be a list of names, got {value!r:.80}")


def _check_address(value: object, name: str) -> tuple[str, int]:
    """The host and the port of HOST:PORT; an address of IPv6 stands in brackets."""
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found["port"]) > _LAST_PORT:
        raise ConfigError(f"expected {name} to be HOST:PORT, such as 127.0.0.1:9100 or [::]:9100, got {value!r:.80}")
    return found["host"] or found["ipv6"], int(found["port"])


def _queue(entry: str) -> tuple[str, int | None]:
    queue, equals, limit = entry.partition("=")
    check_name(queue, "the name of a queue")
    if not equals:
        return queue, None
    return queue, check_count(int(limit) if limit.isdecimal() else limit, f'the limit of queue "{queue}"')


_TABLE = (
    Setting(
        name="url",
        check=check_url,
        words=f"`sqlite:///{DEFAULT_FILE}` in the project's folder",
        unit="URL",
        doc="The store, where neither `Treadle(url)` nor `--url` names it.",
    ),
    Setting(
        name="app",
        check=_check_text,
        words="none",
        unit="APP",
        doc="The app of `treadle work` without APP: a module, `module:attribute` or `module:factory()`.",
    ),
    Setting(
        name="queues",
        check=_check_queues,
        of_text=_commas,
        default=(),
        words="every queue that a job names",
        unit="NAME[=LIMIT]",
        flags=("-q", "--queue"),
        kind="many",
        doc="Serve this queue, and no other that is not named so. =LIMIT gives a queue slots of its own over all "
        "processes, beside those that the others share.",
    ),
    Setting(
        name="processes",
        check=check_count,
        of_text=int,
        default=1,
        unit="N",
        flags=("--processes",),
        doc="Worker processes.",
    ),
    Setting(
        name="concurrency",
        check=check_count,
        of_text=int,
        default=CONCURRENCY,
        unit="N",
        flags=("--concurrency",),
        doc="Jobs at once in each process.",
    ),
    Setting(
        name="grace",
        check=check_seconds,
        of_text=float,
        default=GRACE,
        unit="SECONDS",
        flags=("--grace",),
        doc="How long running jobs may go on when the worker is told to stop.",
    ),
    Setting(
        name="lease",
        check=partial(check_seconds, above=0.0),
        of_text=float,
        default=NODE_LEASE,
        unit="SECONDS",
        flags=("--lease",),
        doc="How long a worker may be silent before others take its jobs over; the same on every node of a store.",
    ),
    Setting(
        name="restamp_every",
        check=partial(check_seconds, above=0.0),
        of_text=float,
        default=RESTAMP_EVERY,
        unit="SECONDS",
        flags=("--restamp-every",),
        doc="Renew so often the time at which a running job is said to have begun: rescuers of Oban's, which judge by "
        "it, leave a job alone that is younger than their `rescue_after`.",
    ),
    Setting(
        name="listen",
        check=_check_address,
        words="nowhere",
        unit="HOST:PORT",
        flags=("--listen",),
        doc="Show /livez, /readyz and /metrics over HTTP at this address; port 0 takes a free one, which is logged.",
    ),
    Setting(
        name="recycle_after",
        check=partial(check_count, most=_MOST_JOBS),
        of_text=int,
        words="never",
        unit="JOBS",
        flags=("--recycle-after",),
        doc="Replace a process that has run so many jobs, one process at a time.",
    ),
    Setting(
        name="recycle_rss",
        check=partial(check_count, most=_MOST_MIB),
        of_text=int,
        words="never",
        unit="MIB",
        flags=("--recycle-rss",),
        doc="Replace a process that has run a job and occupies more memory than this, one process at a time.",
    ),
    Setting(
        name="share",
        check=_check_names,
        of_text=_commas,
        default=(),
        words="none",
        unit="NAME",
        flags=("--share",),
        kind="many",
        doc="Serve this queue although a live foreign program serves it too: both know its jobs.",
    ),
    Setting(
        name="unsafe",
        check=check_flag,
        of_text=_switch,
        default=False,
        words="off",
        unit="BOOL",
        flags=("--unsafe",),
        kind="switch",
        doc="Accept a store that may throw jobs away, such as a Redis that evicts keys.",
    ),
    Setting(
        name="log_format",
        check=partial(_check_choice, among=("console", "json")),
        default="console",
        unit="console|json",
        flags=("--log-format",),
        doc="Lines of the log, which goes to stderr.",
    ),
    Setting(
        name="log_level",
        check=partial(_check_choice, among=("debug", "info", "warning", "error")),
        default="info",
        unit="LEVEL",
        flags=("--log-level",),
        doc="The least that is logged: debug, info, warning or error.",
    ),
    Setting(
        name="log_args",
        check=check_flag,
        of_text=_switch,
        default=False,
        words="off",
        unit="BOOL",
        flags=("--log-args",),
        kind="switch",
        doc="Show the arguments of jobs in the lines about them, without what is redacted.",
    ),
)

SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _TABLE}
