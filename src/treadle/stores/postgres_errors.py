"""What PostgreSQL's errors mean: worth another try, no room, or wrong in a way that a person must mend."""

import re

import psycopg

from treadle.errors import StoreError, StoreFull, StoreUnavailable

# Nothing was done, and the same may work at once: serialization failure, deadlock, a lock that others hold.
AGAIN = frozenset({"40001", "40P01", "55P03"})
# What a server says when it ends a connection that nobody uses. Where a statement is answered so, the two crossed each
# other, and it was not carried out.
HUNG_UP = frozenset({"57P01", "57P02", "57P05"})
# SQLSTATE, or the class that it begins with → what to tell; the server may do better later.
_UNAVAILABLE = {
    "25006": "it takes no writes now: is it a standby?",
    "40": "others changed the same rows again and again",
    "55P03": "others kept a lock for too long",
    "57014": "a statement took longer than 10 s",
    "57": "the server ended the connection",
    "53": "it has no room, memory or connection left",
    "58": "its disk failed",
    "08": "the connection was lost",
}
_NO_ROOM = frozenset({"53100", "53200"})
_WRONG = {
    "3F000": "has no such schema",
    "42P01": "lacks a table: its schema was made by something else, or dropped",
    "42703": "has a table that lacks a column: its schema was made by something else",
    "42501": "does not let this user do it",
    "26000": "answers as a pooler in transaction mode does: add ?pgbouncer=true to the URL",
    "42P05": "answers as a pooler in transaction mode does: add ?pgbouncer=true to the URL",
}
# The connection is not, or no longer, one to a server that can serve: 57014 and 57P04 aside, class 57 ends it.
_LOST = ("08", "57P01", "57P02", "57P03", "25006", "25P03", "26000", "42P05", "58", "XX")

# A refusal at the door carries no SQLSTATE, and the words of other languages are not known here.
_REFUSED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba.conf entry|authentication failed|"
    r'(?:database|role|user) ".*" does not exist|permission denied|certificate|SSL|'
    r"invalid (?:connection option|value)|could not translate host name"
)


class NoAnswer(psycopg.OperationalError):
    """The server did not answer in time."""


def code_of(error: BaseException) -> str:
    """The SQLSTATE; "" for what the network or psycopg itself says."""
    return getattr(error, "sqlstate", None) or ""


def loses_connection(error: psycopg.Error) -> bool:
    """Whether the connection must not be used again."""
    code = code_of(error)
    return code.startswith(_LOST) if code else isinstance(error, psycopg.OperationalError | psycopg.InternalError)


def translated(error: psycopg.Error, where: str, *, inserting: bool = False) -> StoreError:
    """The error that treadle raises in its place; `where` is the masked URL. A full disk refuses new jobs alone."""
    code, text = code_of(error), _line(error)
    if code in _NO_ROOM and inserting:
        return StoreFull(f"PostgreSQL at {where} has no room for new jobs ({text}): free some; nothing was enqueued")
    if code in _WRONG:
        return StoreError(f"PostgreSQL at {where} {_WRONG[code]}: {text} ({code})")
    told = next((_UNAVAILABLE[key] for key in (code, code[:2]) if key in _UNAVAILABLE), None)
    if told is not None:
        return StoreUnavailable(f"PostgreSQL at {where}: {told}: {text} ({code})")
    if not code and isinstance(error, psycopg.OperationalError):
        return StoreUnavailable(f"no answer from PostgreSQL at {where}: {text}")
    return StoreError(f"PostgreSQL at {where} refused: {text}{f' ({code})' if code else ''}")


def unreachable(error: psycopg.Error, where: str) -> StoreError:
    """What is raised where no connection comes about."""
    text = _line(error)
    if _REFUSED.search(text):
        return StoreError(f"PostgreSQL at {where} refuses the connection ({text}): is the URL right?")
    return StoreUnavailable(f"cannot reach PostgreSQL at {where} ({text}): is it running, and is the URL right?")


def _line(error: BaseException) -> str:
    """The first line of an error, without the address that libpq repeats."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^connection failed: |^connection to server at .*? failed: ", "", lines[0]) if lines else "no reason"
