"""Sidekiq's job payloads, as pure functions over bytes: read, and changed by every step of a job's life.

Fields that are not known here survive every change byte for byte.
Source: sidekiq 6.4 to 8.1, client.rb, job_retry.rb, scheduled.rb, api.rb.
"""

import base64
import codecs
import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from treadle.core.job import Job
from treadle.core.jsontext import too_deep
from treadle.core.outcomes import MESSAGE_LIMIT, Failure
from treadle.stores.active_job import WRAPPERS, unwrapped
from treadle.stores.members import Change, Mark, Segment, Spliced, members, splice, unchanged

# Sidekiq's default: config.rb, `max_retries`.
MAX_RETRIES = 25

# Sidekiq 8 writes milliseconds, all others seconds: this many seconds are the year 5138, so many milliseconds 1973.
MILLISECONDS_FROM = 1e11
_LAST_MILLISECOND = 1e15

# Bytes that are looked at together where the whole might be large.
_AT_ONCE = 1 << 16

# Sidekiq's pages show a backtrace as it is (retry.erb), and Python's holds the error's text: no tag may begin in it.
_NO_TAGS = str.maketrans("<>", "\u2039\u203a")


class Malformed(Exception):
    """This payload is no job; the text says why."""


class Due(NamedTuple):
    """Where a due job goes, and its text there. `deaths` is None but for one that was set aside and runs alone."""

    queue: str
    deaths: int | None
    text: Spliced


class _Envelope(msgspec.Struct, rename={"name": "class"}):
    name: str
    args: msgspec.Raw
    jid: str
    retry: Any = None
    retry_count: Any = None
    trd: Any = msgspec.UNSET
    enqueued_at: Any = None
    tags: Any = None
    trd_job: Any = None
    retry_for: Any = None
    failed_at: Any = None


class _Details(msgspec.Struct, rename={"name": "class"}):
    name: Any = None
    args: msgspec.Raw = msgspec.Raw(b"null")
    jid: Any = None
    retry: Any = None
    retry_count: Any = None
    trd: Any = msgspec.UNSET
    queue: Any = None
    retry_queue: Any = None
    dead: Any = None
    backtrace: Any = None
    failed_at: Any = None
    retry_for: Any = None
    enqueued_at: Any = None
    tags: Any = None
    trd_deaths: Any = None
    trd_job: Any = None


_decode = msgspec.json.Decoder(_Envelope).decode
_decode_details = msgspec.json.Decoder(_Details).decode
_encode = msgspec.json.Encoder().encode


# Reading


def read(text: bytes, queue: str, deaths: int = 0, now: float = 0.0) -> Job:
    """The job that a payload of this queue describes, claimed `now`. Raises Malformed."""
    try:
        given: _Envelope | _Details = _decode(text)
    except (msgspec.DecodeError, RecursionError):
        given = _loosely(text)
    args = bytes(given.args)
    if args[:1] != b"[":
        args = _unpacked(args)
    if too_deep(args):
        raise Malformed("its arguments are nested deeper than 90")
    if not text.isascii():
        _check_text(text)
    name, jid = given.name, given.jid
    if not name or not jid or not isinstance(name, str) or not isinstance(jid, str):
        raise Malformed("expected class and jid to be text")
    if name in WRAPPERS and (carried := unwrapped(args)) is not None:
        name, args = carried
    failures = given.retry_count
    # bool is an int: `true` would be read as one failure.
    attempt = failures + 2 if type(failures) is int else 1
    origin = "sidekiq" if given.trd is msgspec.UNSET else "treadle"
    most, waited, at = attempts_of(given.retry), 0.0, given.enqueued_at
    if (type(at) is float or type(at) is int) and 0 < at < _LAST_MILLISECOND:
        waited = max(now - (at if at < MILLISECONDS_FROM else at / 1000), 0.0)
    if given.retry_for is not None and _time_is_up(given, now):
        most = min(most, max(attempt, 1))
    if given.tags is None and given.trd_job is None:
        return Job(jid, name, queue, args, max(attempt, 1), most, origin, deaths, True, waited)
    tags = tuple(str(tag) for tag in given.tags) if isinstance(given.tags, list) else ()
    rerun, meta = _own(given.trd_job)
    return Job(jid, name, queue, args, max(attempt, 1), most, origin, deaths, rerun, waited, tags, meta)


def _time_is_up(given: "_Envelope | _Details", now: float) -> bool:
    """Whether no attempt comes after this one, `retry_for` seconds after the first failure. Source: job_retry.rb."""
    first, seconds = given.failed_at, given.retry_for
    if type(first) not in (int, float) or type(seconds) not in (int, float):
        return False
    return bool((first if first < MILLISECONDS_FROM else first / 1000) + seconds < now)


def _own(given: object) -> tuple[bool, dict[str, Any]]:
    """Whether it may run again when its worker dies, and its meta: what Sidekiq has no members for."""
    own = given if isinstance(given, dict) else {}
    meta = own.get("meta")
    return own.get("rerun") is not False, meta if isinstance(meta, dict) else {}


def around(text: bytes, args: bytes) -> tuple[bytes, bytes] | None:
    """What stands before and after these arguments of a job's text; None where they were read from elsewhere."""
    member = next((member for member in reversed(members(text)) if member.name == "args"), None)
    if member is None or member.end - member.value != len(args) or text[member.value : member.value + 1] != b"[":
        return None
    return text[: member.value], text[member.end :]


def attempts_of(retry: object) -> int:
    """How often a job runs at the most, by its member `retry`. Source: job_retry.rb, `retry_attempts_from`."""
    if retry is None or retry is False:
        return 1
    if type(retry) is int:
        return max(retry + 1, 1)
    return MAX_RETRIES + 1


def due(text: bytes) -> Due:
    """A due job, stamped anew and without `at`. Raises Malformed."""
    details = _read_details(text)
    if not details.queue or not isinstance(details.queue, str):
        raise Malformed("expected queue to be text")
    read(text, details.queue)
    deaths = details.trd_deaths if type(details.trd_deaths) is int else None
    return Due(details.queue, deaths, splice(text, {"enqueued_at": Mark.NOW, "at": Mark.GONE, "trd_deaths": Mark.GONE}))


# Changing


def failed(text: bytes, queue: str, failure: Failure) -> Spliced:
    """The job's text after a failed attempt, for `retry` or `dead`. Source: job_retry.rb, `process_retry`."""
    details = _read_details(text)
    retry_queue = details.retry_queue
    count = details.retry_count if type(details.retry_count) is int else None
    changes: dict[str, Change] = {
        "queue": _text(retry_queue if isinstance(retry_queue, str) and retry_queue else queue),
        "error_message": _text(failure.message[:MESSAGE_LIMIT]),
        "error_class": _text(failure.error_class),
        "retry_count": b"0" if count is None else b"%d" % (count + 1),
        "trd_deaths": Mark.GONE,
    }
    if count is None or details.failed_at is None:
        changes["failed_at"] = Mark.NOW
    if count is not None:
        changes["retried_at"] = Mark.NOW
    if details.backtrace:
        changes["error_backtrace"] = _backtrace(failure.traceback, details.backtrace)
    return splice(text, changes)


def runs_once(text: bytes) -> bool:
    """Whether this job must not run again when its worker dies."""
    try:
        return b'"trd_job"' in text and not _own(_read_details(text).trd_job)[0]
    except Malformed:
        return False


def kept_when_dead(text: bytes) -> bool:
    """Whether this job's death is shown: not with `dead: false`, and not where `retry` is false or absent."""
    details = _read_details(text)
    return details.dead is not False and details.retry is not None and details.retry is not False


def moved(text: bytes, queue: str, deaths: int | None = None) -> Spliced:
    """The text of a job that waits outside its queue: unchanged, if it says itself where it belongs.

    `deaths` is that of a job which is to run alone when its time comes, None for every other.
    """
    details = _read_details(text)
    changes: dict[str, Change] = {} if details.queue == queue else {"queue": _text(queue)}
    if details.trd_deaths != deaths:
        changes["trd_deaths"] = Mark.GONE if deaths is None else b"%d" % deaths
    return splice(text, changes) if changes else unchanged(text)


def again(text: bytes) -> Due:
    """A job that somebody retries by hand: one attempt more. Source: api.rb, `SortedEntry#retry`."""
    queue = due(text).queue
    changes: dict[str, Change] = {"enqueued_at": Mark.NOW, "at": Mark.GONE, "trd_deaths": Mark.GONE}
    count = _read_details(text).retry_count
    if type(count) is int:
        changes["retry_count"] = b"%d" % (count - 1)
    return Due(queue, None, splice(text, changes))


def buried(text: bytes, queue: str) -> Spliced:
    """What stands in `dead` of a payload that is no job: its bytes; within a job's shape where they are other JSON.

    JSON that is no object makes every page of Sidekiq's Web fail; what is no JSON at all does not.
    """
    if not _is_json(text) or text.lstrip()[:1] == b"{":
        return unchanged(text)
    wrapped = {
        "class": "InvalidPayload",
        "args": [text.decode()],
        "jid": hashlib.sha256(text).hexdigest()[:24],
        "queue": queue,
        "retry": False,
        "error_class": "InvalidPayload",
        "error_message": "expected a JSON object",
        "retry_count": 0,
    }
    opening = _encode(wrapped)[:-1] + b',"failed_at":'
    return Spliced(text, [Segment(0, 0, opening, True), Segment(0, 0, b"}", False)])


# What these need


def _read_details(text: bytes) -> _Details:
    try:
        return _decode_details(text)
    except (msgspec.DecodeError, RecursionError):
        return _loosely(text)


def _loosely(text: bytes) -> _Details:
    """What the fast reader refuses and a job may still be: lone surrogates in any of its members."""
    try:
        value = json.loads(text.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"expected JSON, got {len(text):,} bytes that are none") from error
    if not isinstance(value, dict):
        raise Malformed(f"expected a JSON object, got {type(value).__name__}")
    args = next((text[m.value : m.end] for m in reversed(members(text)) if m.name == "args"), b"null")
    known: dict[str, Any] = {
        name: value.get("class" if name == "name" else name, default)
        for name, default in zip(_Details.__struct_fields__, _Details.__struct_defaults__, strict=True)
    }
    return _Details(**{**known, "args": msgspec.Raw(args)})


def _unpacked(args: bytes) -> bytes:
    """Verk writes the list as JSON within a JSON string."""
    try:
        inner = msgspec.json.decode(args, type=str).encode()
        msgspec.json.decode(inner, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise Malformed(f"expected args to be a list, got {args[:60]!r}") from error
    return inner.strip()


def _check_text(text: bytes) -> None:
    """Bit by bit: as one value, a large text would take four bytes a character."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(text), _AT_ONCE):
            decoder.decode(text[start : start + _AT_ONCE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Malformed(f"expected UTF-8, got {error.object[error.start : error.start + 4]!r}") from error


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _text(value: str) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # What came as a lone surrogate goes back as the escape that it was.
        return json.dumps(value).encode()


def _backtrace(traceback: str, wanted: object) -> bytes:
    """Lines as Sidekiq 7.3 and later keep them: JSON, deflated, base64 in one line; `wanted` lines or all."""
    lines: Sequence[str] = traceback.translate(_NO_TAGS).splitlines()
    if type(wanted) is int:
        lines = lines[-max(wanted, 1) :]
    return b'"' + base64.b64encode(zlib.compress(_encode(lines))) + b'"'
