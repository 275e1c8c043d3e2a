"""Rails' ActiveJob within Sidekiq's payloads, as pure functions over bytes: the job that a wrapper carries.

Source: activejob, queue_adapters/sidekiq_adapter.rb and arguments.rb; sidekiq 8, active_job_adapter.rb.
"""

from typing import NamedTuple

import msgspec

from treadle.stores.members import Mark, splice

WRAPPERS = frozenset({"ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper", "Sidekiq::ActiveJob::Wrapper"})

# What a call's keyword arguments are marked with.
_KEYWORDS = "_aj_ruby2_keywords"


class Wrapped(NamedTuple):
    """The class that a wrapper carries, and the JSON of its arguments: an object where all were given by keyword."""

    name: str
    args: bytes


class _Carried(msgspec.Struct):
    job_class: str
    arguments: list[msgspec.Raw]


_decode = msgspec.json.Decoder(list[_Carried]).decode
_read_keywords = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def unwrapped(args: bytes) -> Wrapped | None:
    """The job in a wrapper's arguments; None where there is none."""
    try:
        [carried] = _decode(args)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    given = [bytes(argument) for argument in carried.arguments]
    if len(given) == 1 and _is_keywords(given[0]):
        return Wrapped(carried.job_class, b"".join(splice(given[0], {_KEYWORDS: Mark.GONE}).pieces))
    return Wrapped(carried.job_class, b"[" + b",".join(given) + b"]")


def _is_keywords(argument: bytes) -> bool:
    if argument[:1] != b"{":
        return False
    try:
        return _KEYWORDS in _read_keywords(argument)
    except (msgspec.DecodeError, RecursionError):
        return False
