"""The user's own frames of a traceback."""

import re
import sysconfig
from functools import cache

# A frame, its source and its marks, and how often it was repeated, as the traceback module writes them.
_FRAME = re.compile(
    r'^  File "(?P<path>[^"\n]*)", line .*\n(?:    .*(?:\n|\Z))*(?:  \[Previous line .*\n)?', re.MULTILINE
)


def user_frames(trace: str) -> str:
    """The text of a traceback without the frames of installed packages; as it is where none but these are in it."""
    if all(_is_library(frame) for frame in _FRAME.finditer(trace)):
        return trace
    return _FRAME.sub(lambda frame: "" if _is_library(frame) else frame[0], trace)


def _is_library(frame: re.Match[str]) -> bool:
    return frame["path"].startswith(_libraries())


@cache
def _libraries() -> tuple[str, ...]:
    places = {sysconfig.get_path(place) for place in ("stdlib", "platstdlib", "purelib", "platlib")}
    return (*places, "<frozen ")
