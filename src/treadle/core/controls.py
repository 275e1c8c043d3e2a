"""What queues and running jobs can be told while workers serve them."""

from collections.abc import Container, Iterable
from typing import Literal

import msgspec

EVERY_QUEUE = "*"
"""Stands for every queue there is at that moment."""

EACH_NODE = "*"
"""Every node by itself: what it is told ends with it."""

CRONTAB = "crontab"
"""The name of the service that inserts jobs at their ticks."""

QueueAction = Literal["pause", "resume", "scale", "start", "stop"]


class QueueControl(msgspec.Struct, frozen=True, kw_only=True, tag="queue"):
    """What a queue is told: on every node, or on the one that answers to the name `node`.

    Pause: nothing of it is claimed until it is resumed. Scale: it has `limit` slots of its own on a node. Start and
    stop: a node begins or ends to serve it.
    """

    action: QueueAction
    queue: str
    node: str | None = None
    limit: int | None = None

    @property
    def lasts(self) -> bool:
        """Whether it is kept in the store until the opposite is; all else ends with the node that was told."""
        return self.node is None and self.action in {"pause", "resume"}

    def concerns(self, names: Container[str]) -> bool:
        """Whether a node that answers to these names is meant."""
        return self.node in {None, EACH_NODE} or self.node in names


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """Somebody wants a job cancelled that this owner runs: the owner shall look at what it holds."""

    owner: str


class CrontabChange(msgspec.Struct, frozen=True, kw_only=True, tag="crontab"):
    """Somebody changed the crontab: whoever ticks shall look at it."""


Order = QueueControl | CancelRequest | CrontabChange

order_text = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Order).decode


def orders_of(texts: Iterable[bytes | str]) -> tuple[Order, ...]:
    """The orders that these texts are; what is none, written by a newer version or by nobody of ours, is left out."""
    found = []
    for text in texts:
        try:
            found.append(_decode(text))
        except msgspec.DecodeError:
            continue
    return tuple(found)


def names_of(node: str, owners: Iterable[str] = ()) -> frozenset[str]:
    """What a node `host:pid` answers to: this, its host, and the owners that are its processes."""
    return frozenset({node, node.rpartition(":")[0], *owners})
