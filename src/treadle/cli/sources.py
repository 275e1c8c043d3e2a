"""Notices that Python files below some folders are written, made or removed: told by watchfiles, or by looking."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from treadle.log import Log

LOOK = 0.5  # seconds between two looks, where watchfiles is not installed
_OTHERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})

_log = Log("treadle.processes")


def source_folders(place: str, *folders: Path) -> list[Path]:
    """These folders, and the one in which the package or module of a place lies; none that lies in another."""
    top = place.partition(".")[0]
    spec = PathFinder.find_spec(top, [str(Path.cwd())]) or PathFinder.find_spec(top)
    found = {folder.resolve() for folder in folders}
    if spec is not None:
        beside = [Path(spec.origin).parent] if spec.origin else []
        package = [Path(folder).resolve() for folder in spec.submodule_search_locations or beside]
        found.update(folder for folder in package if not _OTHERS.intersection(folder.parts))
    return sorted(folder for folder in found if not any(other in folder.parents for other in found))


async def changes(folders: Sequence[Path]) -> AsyncIterator[Path]:
    """A file for each time that some have changed, from now on."""
    if find_spec("watchfiles"):
        try:
            async for path in told(folders):
                yield path
        except (OSError, RuntimeError) as error:
            # A system watches only so many files.
            _log.warning("looking for changes twice a second: %s", error)
    async for path in looked_for(folders):
        yield path


async def told(folders: Sequence[Path]) -> AsyncIterator[Path]:
    """What the system tells watchfiles."""
    from watchfiles import awatch  # noqa: PLC0415 - an extra

    # It tells of each file, also of those that do not count.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    async for changed in awatch(*folders, watch_filter=lambda _, path: _is_source(Path(path), folders)):
        yield Path(min(path for _, path in changed))


async def looked_for(folders: Sequence[Path], every: float = LOOK) -> AsyncIterator[Path]:
    """What another look shows."""
    before = await asyncio.to_thread(_look, folders)
    while True:
        await asyncio.sleep(every)
        now = await asyncio.to_thread(_look, folders)
        changed = {path for path, _ in before ^ now}
        if changed:
            yield Path(min(changed))
        before = now


def _look(folders: Iterable[Path]) -> set[tuple[str, tuple[int, int]]]:
    """Every source with when it was written and its size."""
    found: set[tuple[str, tuple[int, int]]] = set()
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            # It has just been removed.
            continue
        waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False) and not _is_foreign(entry)]
        found |= {(entry.path, _state(entry)) for entry in entries if entry.name.endswith(".py")}
    return found


def _state(entry: "os.DirEntry[str]") -> tuple[int, int]:
    try:
        stat = entry.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _is_source(path: Path, folders: Sequence[Path]) -> bool:
    if path.suffix != ".py":
        return False
    root = next((folder for folder in folders if folder in path.parents), path.parent)
    between = path.parents[: len(path.relative_to(root).parts) - 1]
    return not any(_is_foreign(folder) for folder in between)


def _is_foreign(folder: "Path | os.DirEntry[str]") -> bool:
    """Whether nobody edits what lies in there: a virtual environment, what was installed, what is hidden."""
    hidden = folder.name.startswith(".") or folder.name in _OTHERS
    return hidden or Path(folder, "pyvenv.cfg").is_file()
