"""Which files are watched, and that each of their changes is noticed, with watchfiles and without."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, chdir
from functools import partial
from pathlib import Path

import pytest

from treadle.cli.sources import looked_for, source_folders, told

LONG = 20.0

Watch = Callable[[Sequence[Path]], AsyncIterator[Path]]

WATCHES = [pytest.param(told, id="told"), pytest.param(partial(looked_for, every=0.02), id="looked for")]


def write(path: Path, text: str = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def noticed(watch: Watch, folder: Path, change: Callable[[], object]) -> Path:
    """The first file that is told of a change; it is made again until somebody watches."""

    async def story() -> Path:
        async with aclosing(watch([folder])) as changes:  # type: ignore[type-var] # an async generator
            waiting = asyncio.ensure_future(anext(changes))
            async with asyncio.timeout(LONG):
                while not waiting.done():
                    await asyncio.to_thread(change)
                    await asyncio.wait([waiting], timeout=0.2)
            return waiting.result()

    return asyncio.run(story())


def grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("x += 1\n")


def come_and_go(path: Path) -> None:
    if path.exists():
        path.unlink()
    else:
        write(path)


@pytest.mark.parametrize("watch", WATCHES)
@pytest.mark.parametrize("change", [grow, come_and_go])
def test_a_file_that_is_written_made_or_removed_is_noticed(
    watch: Watch, change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = write(tmp_path / "shop" / "jobs.py")
    assert noticed(watch, tmp_path, partial(change, path)) == path


@pytest.mark.parametrize("watch", WATCHES)
def test_what_nobody_edits_as_a_source_is_not_noticed(watch: Watch, tmp_path: Path) -> None:
    write(tmp_path / "env" / "pyvenv.cfg", "")
    others = [
        tmp_path / "notes.txt",
        tmp_path / ".venv" / "lib" / "six.py",
        tmp_path / ".git" / "hook.py",
        tmp_path / "node_modules" / "gyp" / "gyp.py",
        tmp_path / "lib" / "site-packages" / "six.py",
        tmp_path / "shop" / "__pycache__" / "jobs.py",
        tmp_path / "env" / "lib" / "six.py",
    ]
    own = tmp_path / "z.py"

    def change() -> None:
        for other in [write(path) for path in others if not path.exists()] or others:
            grow(other)
        grow(own)

    for path in others:
        write(path)
    assert noticed(watch, tmp_path, change) == own


def test_the_folder_of_the_app_is_watched_wherever_it_lies(tmp_path: Path) -> None:
    write(tmp_path / "project" / "src" / "shop" / "__init__.py")
    here, elsewhere = tmp_path / "project" / "src", tmp_path / "project"
    with chdir(here):
        assert source_folders("shop.jobs", here) == [here]
        assert source_folders("shop.jobs", elsewhere, here) == [elsewhere]
        assert source_folders("shop.jobs", tmp_path / "other") == [tmp_path / "other", here / "shop"]
        assert source_folders("no_such_module", here) == [here]


def test_what_is_installed_is_not_watched(tmp_path: Path) -> None:
    assert source_folders("pytest", tmp_path) == [tmp_path]
