"""The one place where what redis-py raises becomes what treadle raises."""

import builtins

from redis import exceptions

from treadle.errors import Fenced, NotEnrolled, StoreError, StoreFull, StoreUnavailable

_GONE_SERVER = ("READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "MISCONF")


class ReplyLost(StoreUnavailable):
    """The command was sent and its reply did not come: it may have been carried out."""


class WrongType(StoreError):
    """A key holds something else than the script expects; nothing was changed."""


def drops_connection(error: BaseException) -> bool:
    """Whether the server at the other end is not, or no longer, the one to talk to."""
    return isinstance(error, exceptions.ReadOnlyError | exceptions.MasterDownError | exceptions.ClusterDownError)


def translated(error: BaseException, where: str) -> StoreError:  # noqa: PLR0911 - a table
    """The error of treadle's tree for one of redis-py or of the network; `where` is the masked URL."""
    text = f"{getattr(error, 'status_code', None) or ''} {error}".strip()
    if isinstance(error, StoreError):
        return error
    if text.startswith("FENCED"):
        return Fenced(f"this owner was declared dead at {where}: {text.removeprefix('FENCED ')}")
    if text.startswith("NOTENROLLED"):
        return NotEnrolled(f"this owner is not known at {where}: {text.removeprefix('NOTENROLLED ')}")
    if text.startswith("WRONGTYPE"):
        return WrongType(f"Redis at {where}: {text.removeprefix('WRONGTYPE ')}; nothing was changed")
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM command not allowed" in text:
        return StoreFull(
            f"Redis at {where} has no memory left for new jobs: raise its maxmemory, or let workers drain it"
        )
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return StoreError(f"Redis at {where} refuses the user or the password: {error}")
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError | builtins.TimeoutError):
        return unreachable(where, str(error) or "timed out")
    if isinstance(error, exceptions.InvalidResponse):
        return StoreError(f"expected a Redis at {where}, got an answer of something else ({error}): is the URL right?")
    if text.startswith(_GONE_SERVER):
        return StoreUnavailable(f"Redis at {where} takes no writes now: {text}")
    return StoreError(f"Redis at {where} refused: {text}")


def unreachable(where: str, why: object) -> StoreUnavailable:
    """What is raised where no connection comes about."""
    return StoreUnavailable(f"cannot reach Redis at {where} ({why}): is it running, and is the URL right?")


def unanswered(where: str) -> ReplyLost:
    """What is raised where a command was sent and nothing came back."""
    return ReplyLost(f"no answer from Redis at {where}: the connection was lost or the server stands still")
