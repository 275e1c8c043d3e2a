"""Stacks as text: of an error in user code, and of every thread and task of this process."""

import asyncio
import sys
import threading
import traceback
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_OWN = tuple(str(_PACKAGE / part) for part in ("runtime", "hooks", "app/helper.py"))
TRACE_LIMIT = 60_000


def user_traceback(error: BaseException) -> str:
    """The traceback of an error without the frames of this runtime; its middle is cut above 60,000 characters."""
    try:
        whole = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        _drop_own_frames(whole)
        text = "".join(whole.format())
    except Exception as unprintable:  # noqa: BLE001 - user code: a __str__ or __repr__ that raises
        text = f"{type(error).__qualname__} (its traceback cannot be printed: {type(unprintable).__name__})"
    if len(text) <= TRACE_LIMIT:
        return text
    half = TRACE_LIMIT // 2
    return f"{text[:half]}\n…\n{text[-half:]}"


def _drop_own_frames(trace: traceback.TracebackException) -> None:
    """Also those between two frames of the user's, and those of the errors that led to this one."""
    left, seen = [trace], {id(trace)}
    while left:
        one = left.pop()
        one.stack[:] = [frame for frame in one.stack if not frame.filename.startswith(_OWN)]
        linked = (one.__cause__, one.__context__, *(one.exceptions or ()))
        new = [other for other in linked if other is not None and id(other) not in seen]
        seen.update(map(id, new))
        left += new


def stacks() -> str:
    """The stack of every thread and, where a loop runs on this thread, of every task."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = [
        f"thread {names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way to other threads' frames
    ]
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        tasks = set()
    for task in sorted(tasks, key=lambda task: task.get_name()):
        lines = (line for frame in task.get_stack(limit=20) for line in traceback.format_stack(frame, limit=1))
        parts.append(f"task {task.get_name()}\n{''.join(lines)}")
    return "\n".join(parts)
