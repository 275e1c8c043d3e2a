"""Time zones by their names, from the system's data or from the package tzdata."""

import re
from datetime import UTC, tzinfo

from treadle.core.nearest import did_you_mean
from treadle.errors import ConfigError

_UTC = ("UTC", "Etc/UTC")

# Another zone on each machine; and those that count leap seconds, as no clock of a store does.
_NOT_MEANT = re.compile(r"localtime|posixrules|Factory|right/.*", re.DOTALL)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])0?([0-9]|1[0-4])(?::?00)?", re.IGNORECASE)
_LONGEST = 64


def zone(name: object, what: str) -> tzinfo:
    """The zone of this name. Raises ConfigError for one that this machine does not know, with the nearest name."""
    if name in _UTC:
        # Where there is no data at all, this one is known.
        return UTC
    # Slow to import, and for those alone who have a crontab.
    import zoneinfo  # noqa: PLC0415

    if isinstance(name, str) and 0 < len(name) <= _LONGEST and not _NOT_MEANT.fullmatch(name):
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            # OSError: a folder of the data, as in "Europe".
            pass
    known = zoneinfo.available_timezones()
    if not known:
        raise ConfigError(
            f"expected {what} to be a time zone, got {name!r:.80}, and this machine has no data of any: install the "
            f"system's tzdata, or pip install tzdata"
        )
    raise ConfigError(
        f'expected {what} to be the name of a time zone such as "Europe/Paris", got {name!r:.80}{_nearest(name, known)}'
    )


def _nearest(name: object, known: set[str]) -> str:
    if not isinstance(name, str):
        return ""
    word = name.strip().replace(" ", "_")[:_LONGEST]
    if (offset := _OFFSET.fullmatch(word)) is not None:
        # By POSIX the sign says how far Greenwich is ahead.
        sign = "-" if offset[1] == "+" else "+"
        return f'; did you mean "Etc/GMT{sign}{offset[2]}", whose sign is the other way round?'
    same = [zone for zone in known if zone.casefold() == word.casefold()]
    cities = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(known)}
    # Somebody who writes "Paris" means a city, of which the names of zones are the longer half.
    meant = same[0] if same else cities.get(word.rpartition("/")[2].casefold())
    return f'; did you mean "{meant}"?' if meant else did_you_mean(word, sorted(known))
