"""What a job returned, kept as JSON and given back as what its function is annotated to return."""

from collections.abc import Callable, Collection
from typing import Any

from treadle.core.annotations import returned
from treadle.core.jsontext import dump, load_json, too_deep
from treadle.core.redact import without_secret
from treadle.errors import ArgumentError


class ReturnedValue:
    """How the value of one job is written and read. Raises ConfigError for an annotation that cannot be converted.

    The annotation promises, the function decides: a value of another type is kept all the same where plain JSON carries
    it, and comes back as it was returned. Errors do not show values under the names in `redact`.
    """

    __slots__ = ("_conversion", "_redact", "_where")

    def __init__(self, job: str, function: Callable[..., Any], redact: Collection[str] = ()) -> None:
        self._where = f'job "{job}", returned value'
        self._redact = redact
        self._conversion = returned(function, job)

    def write(self, value: object) -> bytes:
        """The JSON of the value. Raises ArgumentError for one that would not come back as it is."""
        try:
            return self._written(value)
        except ArgumentError as error:
            text = without_secret(str(error), "", value, self._redact)
            if text == str(error):
                raise
            raise ArgumentError(text) from None

    def _written(self, value: object) -> bytes:
        if self._conversion is None:
            return dump(value, self._where)
        try:
            raw = self._conversion.write(value, self._where)
            return dump(value, self._where) if too_deep(raw) else raw
        except ArgumentError as mismatch:
            try:
                return dump(value, self._where)
            except ArgumentError:
                raise mismatch from None

    def read(self, raw: bytes) -> Any:  # noqa: ANN401 - typed by the function's own annotation
        """The value of its JSON."""
        if self._conversion is not None:
            try:
                return self._conversion.read_back(raw)
            except Exception:  # noqa: BLE001, S110 - user code; and a function need not keep its annotation's promise
                pass
        return load_json(raw)
