"""How a measured program and `benchmarks/compare.py` talk: a phase begins and ends when the other has read its line.

Standard library alone: every peer has an environment of its own, which knows nothing of treadle.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WARM, SINGLE, PROBES = 50, 500, 100


@contextmanager
def phase(name: str, jobs: int) -> Iterator[dict[str, object]]:
    """What is done within is measured; what the block puts into the dictionary is told."""
    _say({"phase": name, "jobs": jobs})
    told: dict[str, object] = {}
    yield told
    _say(told)


def _say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)
    sys.stdin.readline()
