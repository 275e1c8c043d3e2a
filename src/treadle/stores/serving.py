"""What a worker process serves, as the SQL stores keep it: one text for each owner."""

import msgspec

from treadle.stores.views import OwnerReport, WorkerView

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(WorkerView).decode


def serving_text(shown: OwnerReport) -> str:
    """The text that `serving_of` reads."""
    view = WorkerView(name=shown.owner, queues=shown.queues, node=shown.node, limits=shown.limits, paused=shown.paused)
    return _encode(view).decode()


def serving_of(text: str) -> WorkerView:
    """The process as it showed itself."""
    return _decode(text)
