"""Oban's signals: what one means to a node of ours, and what we send so that Oban's nodes obey ours. Pure."""

from collections.abc import Mapping
from typing import Any

from treadle.core.controls import EACH_NODE, EVERY_QUEUE, QueueControl
from treadle.core.options import check_count, check_name
from treadle.errors import ConfigError

_INSTANCE = "Oban."
_ID_LIMIT = 2**63


def kill_of(message: Mapping[str, Any]) -> int | None:
    """The job that shall end; None for what is no such signal."""
    job_id = message.get("job_id")
    if message.get("action") != "pkill" or not isinstance(job_id, int) or isinstance(job_id, bool):
        return None
    return job_id if 0 < job_id < _ID_LIMIT else None


def control_of(message: Mapping[str, Any]) -> QueueControl | None:
    """What a node is to do; None for what is no signal to queues, or one that cannot be obeyed.

    A pause is not kept by Oban's nodes either: it lasts until each of them ends, or is resumed.
    """
    action, queue, ident = (message.get(name) for name in ("action", "queue", "ident"))
    if not isinstance(queue, str) or not _is_name(queue) or not isinstance(ident, str | None):
        return None
    limit = _limit_of(message)
    node = None if ident in {None, "any"} else str(ident).removeprefix(_INSTANCE)
    match action:
        case "pause":
            return QueueControl(action="pause", queue=queue, node=node or EACH_NODE)
        case "resume" | "stop":
            return QueueControl(action=action, queue=queue, node=node)
        case "start" if limit is not None or message.get("limit") is None:
            return QueueControl(action="start", queue=queue, node=node, limit=limit)
        case "scale" if limit is not None:
            return QueueControl(action="scale", queue=queue, node=node, limit=limit)
    return None


def signal_of(control: QueueControl) -> Mapping[str, Any] | None:
    """The signal; None for a start that Oban's nodes have no limit for.

    oban-py takes the members as the arguments of a call: there must be no other ones.
    """
    if control.action == "start" and control.limit is None:
        return None
    ident = "any" if control.node in {None, EACH_NODE} else f"{_INSTANCE}{control.node}"
    message: dict[str, Any] = {"action": control.action, "queue": control.queue, "ident": ident}
    return message if control.limit is None else message | {"limit": control.limit}


def _is_name(queue: str) -> bool:
    try:
        return queue == EVERY_QUEUE or bool(check_name(queue, "a queue"))
    except ConfigError:
        return False


def _limit_of(message: Mapping[str, Any]) -> int | None:
    """How many slots; None for a number that no node can have."""
    try:
        return check_count(message.get("limit"), "a limit")
    except ConfigError:
        return None
