"""Numbers as the text that Prometheus reads, format 0.0.4."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from treadle.runtime.metrics import BUCKETS, Histogram

KIND = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


class Exposition:
    """Families of metrics, one after the other. `text` is the whole page."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        """All that was added."""
        return "\n".join([*self._lines, ""])

    def counter(self, name: str, meaning: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """Numbers that only grow."""
        self._family(name, "counter", meaning)
        self._samples(name, samples)

    def gauge(self, name: str, meaning: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """Numbers as they stand now."""
        self._family(name, "gauge", meaning)
        self._samples(name, samples)

    def histogram(self, name: str, meaning: str, samples: Iterable[tuple[Labels, Histogram]]) -> None:
        """How many were at most so long."""
        self._family(name, "histogram", meaning)
        bounds = [*map(_number, BUCKETS), "+Inf"]
        for labels, histogram in samples:
            totals = list(accumulate(histogram.counts))
            buckets = [({**labels, "le": bound}, total) for bound, total in zip(bounds, totals, strict=True)]
            self._samples(f"{name}_bucket", buckets)
            self._samples(f"{name}_sum", [(labels, histogram.total)])
            self._samples(f"{name}_count", [(labels, totals[-1])])

    def _family(self, name: str, kind: str, meaning: str) -> None:
        self._lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]

    def _samples(self, name: str, samples: Iterable[tuple[Labels, float]]) -> None:
        for labels, value in samples:
            inner = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
            self._lines.append(f"{name}{{{inner}}} {_number(value)}" if inner else f"{name} {_number(value)}")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
