"""What queues and running jobs can be told while workers serve them."""

from collections.abc import Iterable
from typing import Literal

import msgspec

EVERY_QUEUE = "*"
"""Stands for every queue there is at that moment."""

QueueAction = Literal["pause", "resume"]


class QueueControl(msgspec.Struct, frozen=True, kw_only=True, tag="queue"):
    """Pause: nothing of this queue is claimed, by anybody, until it is resumed."""

    action: QueueAction
    queue: str


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """Somebody wants a job cancelled that this owner runs: the owner shall look at what it holds."""

    owner: str


Order = QueueControl | CancelRequest

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
