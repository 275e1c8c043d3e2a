"""The SQLite store on a disk that is full, that fails, or that is none."""

import ast
import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stores.places import SqliteFile
from tests.stores.scripts import rows, run, script
from treadle.stores.sqlite_doctor import NETWORK_FILE_SYSTEMS, file_system


@pytest.fixture
def place(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path)


FILL = """
async def main():
    store = make(path + "/jobs.db")
    await store.open()
    await store.enroll("a", 1e6)
    await store.insert([JOB] * 200)
    claims = await store.claim("a", [Demand(("default",), 100)])
    with open(path + "/filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
    inserted, refused, held = 200, 0, []
    while not refused:
        try:
            inserted += len(await store.insert([JOB] * 20))
        except StoreFull as full:
            assert "disk is full" in str(full)
            refused += 1
    try:
        await store.settle("a", [Settlement(claim, COMPLETED) for claim in claims])
        print("settled on a full disk")
    except StoreUnavailable as error:
        assert not isinstance(error, StoreFull)
        held = claims
    try:
        lent = list(await store.claim("a", [Demand(("default",), 100)]))
    except StoreUnavailable:
        lent = []
    os.unlink(path + "/filler")
    answers = await store.settle("a", [Settlement(claim, COMPLETED) for claim in [*held, *lent]])
    assert {answer.answer for answer in answers} <= {"applied"}, answers
    inserted += len(await store.insert([JOB]))
    counts = (await store.counts())["default"]
    assert sum(counts.values()) == inserted, (counts, inserted)
    assert counts["completed"] == 100 + len(lent)
    assert [finding.level for finding in await store.diagnose()][0] == "ok"
    store.close()
    print("whole")

asyncio.run(main())
"""


def test_a_full_disk_refuses_jobs_and_loses_none(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
    within = ["unshare", "--mount", "sh", "-c", mount, str(tmp_path)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*within, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a small file system (unshare --mount, as root)")
    assert run([*within, *script(FILL), str(tmp_path)]).endswith("whole\n")


BREAK_TOGETHER = """
async def main():
    store = make(path, "full")
    await store.open()
    for _ in range(30):
        calls = await asyncio.gather(*(store.insert([JOB]) for _ in range(3)), return_exceptions=True)
        if isinstance(calls[0], Unconfirmed):
            print([error.ids for error in calls])
            os._exit(0)

asyncio.run(main())
"""


BREAK = """
store = make(path, "full")
try:
    for _ in range(50):
        print(store.insert_now([JOB])[0].id, flush=True)
except StoreUnavailable as error:
    print("failed", type(error).__name__)
os._exit(0)
"""


@pytest.fixture
def failing_disk(tmp_path: Path) -> list[str]:
    """What to put before a command so that its twelfth fsync, and all that follow, fail."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, which makes the disk fail")
    inject = "inject=fsync,fdatasync:error=EIO:when=12+"
    strace = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=fsync,fdatasync", "-e", inject]
    if subprocess.run([*strace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to trace a process")
    return strace


def test_a_disk_that_fails_to_write_reports_no_job(place: SqliteFile, failing_disk: list[str]) -> None:
    *reported, last = run([*failing_disk, *script(BREAK), place.path]).split("\n")[:-1]
    assert last == "failed Unconfirmed"
    assert reported
    stored = [str(row[0]) for row in rows(place.path, "SELECT id FROM oban_jobs ORDER BY id")]
    assert stored[: len(reported)] == reported


def test_a_commit_that_failed_for_many_names_to_each_its_own(place: SqliteFile, failing_disk: list[str]) -> None:
    told = ast.literal_eval(run([*failing_disk, *script(BREAK_TOGETHER), place.path]))
    assert len({job_id for ids_of_one in told for job_id in ids_of_one}) == 3


def test_the_doctor_warns_of_a_network_file_system(place: SqliteFile) -> None:
    line = "36 35 0:42 / /srv rw,noatime master:1 - {} server:/srv rw"
    for kind in NETWORK_FILE_SYSTEMS:
        assert file_system("\n".join(["nonsense", line.format(kind)]), 42) == kind
    assert file_system(line.format("nfs"), 43) == ""

    async def story() -> list[str]:
        async with place.store() as store:
            return [finding.level for finding in await store.diagnose()]

    assert "error" not in asyncio.run(story())
