"""What SQLite's errors mean: worth another try, no room, or wrong in a way that a person must mend."""

import sqlite3

from treadle.errors import StoreError, StoreFull, StoreUnavailable

# Result code → what to tell; SQLITE_FULL is told apart by the caller's doing.
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "another process kept it locked for too long",
    sqlite3.SQLITE_LOCKED: "another connection kept a table locked",
    sqlite3.SQLITE_FULL: "its disk is full: free some space",
    sqlite3.SQLITE_IOERR: "its disk failed",
}
_FORBIDDEN = "the file and its folder must be there and writable for this user (WAL keeps two files beside it)"
_FOREIGN = "expected an SQLite database: name another file, or restore it from a copy"
_WRONG = {
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_NOTADB: _FOREIGN,
    sqlite3.SQLITE_CORRUPT: _FOREIGN,
}


def code_of(error: sqlite3.Error) -> int:
    """The primary result code; errors of Python's module itself (a closed connection) carry none and count as ERROR."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def translated(error: sqlite3.Error, path: str, *, inserting: bool) -> StoreError:
    """The error that treadle raises in its place. A full disk refuses new jobs; all else can be sent again."""
    code = code_of(error)
    if code == sqlite3.SQLITE_FULL and inserting:
        return StoreFull(f"{path}: its disk is full: free some space; nothing was enqueued")
    shown = f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    if code in _UNAVAILABLE:
        return StoreUnavailable(f"{path}: {_UNAVAILABLE[code]}: {shown}")
    return StoreError(f"{path}: {shown}" + (f": {_WRONG[code]}" if code in _WRONG else ""))
