"""Everything that may come on Oban's channels and must deafen nobody."""

import gzip
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import psycopg

GOLDEN = Path(__file__).parent.parent / "golden" / "oban-notifications.jsonl"
CHANNELS = ("insert", "signal", "orders", "sonar", "leader", "gossip")

# Ids that no job has: what is valid in them is obeyed, and finds nothing.
_FIRST_ID = 2**40
_ACTIONS: tuple[Any, ...] = ("dance", "", None, 7, ["pause"], {"a": 1}, "PAUSE")
_LIMITS: tuple[Any, ...] = (10**30, -1, 0, 1.5, True, "7", [], None)
_QUEUES: tuple[Any, ...] = ("a\0b", "", "q" * 128, "\ud800", 5, None, ["x"])
_IDENTS: tuple[Any, ...] = (5, [], {}, True, "Oban.elsewhere", "any.")
_IDS: tuple[Any, ...] = (True, -1, 0, 2**63, 10**400, 1.5, "13", None, [13])
_SIGNALS: tuple[dict[str, Any], ...] = (
    *({"action": action, "queue": "default"} for action in _ACTIONS),
    *({"action": "scale", "queue": "default", "limit": limit} for limit in _LIMITS),
    *({"action": "start", "queue": queue, "limit": 1} for queue in _QUEUES),
    *({"action": "pause", "queue": "default", "ident": ident} for ident in _IDENTS),
    *({"action": "pkill", "job_id": job_id} for job_id in _IDS),
    {"action": "pkill"}, {"action": "stop"}, {"action": "pause"}, {"queue": "default"}, {"node": 5, "ping": "?"}, {},
)  # fmt: skip


def _packed(text: str) -> str:
    return b64encode(gzip.compress(text.encode())).decode()


def _garbage() -> list[str]:
    texts = [json.dumps(signal) for signal in _SIGNALS]
    texts += [json.loads(line)["decoded"] for line in GOLDEN.read_text().splitlines()]
    texts += [
        "{oops",
        '{"action":' + "[" * 7900,
        '{"action":' + "[" * 3900 + "]" * 3900 + "}",
        '{"limit":' + "9" * 7900 + "}",
    ]
    packed = [_packed(text) for text in (*texts, "hello", "[1]", "[" * 100_000, '{"a":"' + "b" * 5_000_000 + '"}')]
    raw = ["hello", "", "[1,2]", "7", "null", '"text"', "Z:", "Z:@@@@", "H4sI", "é", "\u0007", "x" * 7999, "{" * 7999]
    return [*texts, *packed, *(f"Z:{text}" for text in packed), *(text[:-9] for text in packed), *raw]


def storm(connection: "psycopg.Connection[Any]", schema: str, number: int) -> None:
    """At least so many notices, with kills of as many jobs that are not there among them."""
    garbage = [text for text in _garbage() if len(text.encode()) < 8000]
    sent = 0
    while sent < number:
        kills = [json.dumps({"action": "pkill", "job_id": _FIRST_ID + sent + place}) for place in range(100)]
        for name in CHANNELS:
            query = "SELECT pg_notify(%s, text) FROM unnest(%s::text[]) AS given (text)"
            sent += len(connection.execute(query, (f"{schema}.oban_{name}", [*garbage, *kills])).fetchall())
