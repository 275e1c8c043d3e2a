"""What a queue can be told while workers serve it."""

from typing import Literal

import msgspec

EVERY_QUEUE = "*"
"""Stands for every queue there is at that moment."""

QueueAction = Literal["pause", "resume"]


class QueueControl(msgspec.Struct, frozen=True, kw_only=True):
    """Pause: nothing of this queue is claimed, by anybody, until it is resumed."""

    action: QueueAction
    queue: str
