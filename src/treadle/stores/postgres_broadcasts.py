"""What a node tells Oban's dashboards: one statement each second, however many processes and queues it has."""

from collections.abc import Sequence

from treadle.core.cron_entry import CronEntry
from treadle.stores.broadcasts import Pulse
from treadle.stores.oban_broadcasts import Notice, crontab_notices, notices
from treadle.stores.postgres_connection import Session


class Broadcaster:
    """Remembers which queues are paused in the table of queues, as each statement tells it for the next one."""

    def __init__(self) -> None:
        self._paused: Sequence[str] | None = None

    def tell(self, session: Session, pulses: Sequence[Pulse]) -> None:
        """Tell of these owners."""
        if self._paused is None:
            self._paused = [queue for (queue,) in session.rows("paused")]
        self._paused = _send(session, notices(pulses, self._paused))

    def tell_crontab(self, session: Session, node: str, entries: Sequence[CronEntry]) -> None:
        """Tell which entries tick on a node."""
        told = crontab_notices(node, entries)
        if told:
            _send(session, told)


def _send(session: Session, told: Sequence[Notice]) -> Sequence[str]:
    values = {"channels": [notice.channel for notice in told], "payloads": [notice.payload for notice in told]}
    paused: Sequence[str] = session.row("broadcast", values)[0]
    return paused
