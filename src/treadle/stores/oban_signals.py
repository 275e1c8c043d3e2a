"""Oban's signals to queues: what one means to a node of ours, and what we send so that Oban's nodes obey ours. Pure."""

from collections.abc import Mapping
from typing import Any

from treadle.core.controls import EACH_NODE, QueueControl

_INSTANCE = "Oban."


def control_of(message: Mapping[str, Any]) -> QueueControl | None:
    """What a node is to do; None for what is no signal to queues, or one that cannot be obeyed.

    A pause is not kept by Oban's nodes either: it lasts until each of them ends, or is resumed.
    """
    action, queue, ident, limit = (message.get(name) for name in ("action", "queue", "ident", "limit"))
    limit = limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None
    if not isinstance(queue, str) or not isinstance(ident, str | None):
        return None
    node = None if ident in {None, "any"} else str(ident).removeprefix(_INSTANCE)
    match action:
        case "pause":
            return QueueControl(action="pause", queue=queue, node=node or EACH_NODE)
        case "resume" | "stop":
            return QueueControl(action=action, queue=queue, node=node)
        case "start":
            return QueueControl(action="start", queue=queue, node=node, limit=limit)
        case "scale" if limit is not None:
            return QueueControl(action="scale", queue=queue, node=node, limit=limit)
    return None


def signal_of(control: QueueControl) -> Mapping[str, Any] | None:
    """The signal; None where only a node of ours is meant, and for a start that Oban's nodes have no limit for.

    oban-py takes the members as the arguments of a call: there must be no other ones.
    """
    if control.node is not None or (control.action == "start" and control.limit is None):
        return None
    message: dict[str, Any] = {"action": control.action, "queue": control.queue, "ident": "any"}
    return message if control.limit is None else message | {"limit": control.limit}
