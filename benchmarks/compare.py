"""treadle beside its peers on PostgreSQL, in turns: `python benchmarks/compare.py URL_OF_A_SERVER [JOBS] [ROUNDS]`.

Each program enqueues one by one and in bulk, drains no-op async jobs in one process, and starts jobs while it is idle;
each has an empty database, and each peer an environment of its own in build/bench, which is made when it lacks. Every
phase is measured by its wall time, the program's CPU and the server's; the medians are printed.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
from cost import Cost, Server

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / "build" / "bench"
# Program → what pip installs for it, and the least Python that it runs on; treadle is here already.
PEERS = {
    "pgqueuer": (["pgqueuer==1.6.0", "asyncpg", "uvloop"], (3, 11)),
    "oban": (["oban==0.7.0", "psycopg[binary]", "uvloop"], (3, 12)),
    "procrastinate": (["procrastinate==3.10.0", "psycopg[binary]", "uvloop"], (3, 10)),
}
# The slow ones would take minutes.
FEWER = {"procrastinate": 10}
LIMIT = 200


def environment(peer: str) -> Path:
    """The Python that has this peer. Raises RuntimeError where none can be made."""
    packages, least = PEERS[peer]
    python = ENVIRONMENTS / peer / "bin" / "python"
    if not python.exists():
        base = next((path for path in _pythons() if _is_at_least(path, least)), None)
        if base is None:
            raise RuntimeError(f"expected a Python {least[0]}.{least[1]} or later, found none (pyenv's are looked at)")
        subprocess.run([base, "-m", "venv", str(python.parent.parent)], check=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], capture_output=True, check=False)
        if done.returncode:
            shutil.rmtree(python.parent.parent)
            raise RuntimeError(f"pip could not install {' '.join(packages)}: {done.stderr.decode()[-300:].strip()}")
    return python


def _pythons() -> Iterator[str]:
    yield sys.executable
    for minor in range(12, 16):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    yield from sorted(map(str, (Path.home() / ".pyenv" / "versions").glob("*/bin/python")))


def _is_at_least(python: str, least: tuple[int, int]) -> bool:
    check = f"import sys, venv; sys.exit(sys.version_info < {least})"
    return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0


def phases(command: list[str], server: Server) -> Iterator[tuple[str, int, Cost, dict[str, Any]]]:
    """Run a program; each of its phases, how many jobs it had, its cost and what it told."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("unreachable: both are pipes")
        measured = psutil.Process(process.pid)
        while line := process.stdout.readline():
            begun = json.loads(line)
            before = time.perf_counter(), sum(measured.cpu_times()[:2]), server.cpu()
            print(file=process.stdin, flush=True)
            told = json.loads(process.stdout.readline())
            after = time.perf_counter(), sum(measured.cpu_times()[:2]), server.cpu()
            cost = Cost(*(now - then for now, then in zip(after, before, strict=True)))
            yield begun["phase"], begun["jobs"], cost, told
            print(file=process.stdin, flush=True)
    if process.returncode:
        raise RuntimeError(f"{command[1]} ended with {process.returncode}")


def run(program: str, python: Path, url: str, jobs: int) -> dict[str, tuple[float, str]]:
    """One round of one program on a database of its own: phase → what is compared, and what is printed."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS treadle_bench WITH (FORCE)")
        connection.execute("CREATE DATABASE treadle_bench")
    own = url.rpartition("/")[0] + "/treadle_bench"
    number = jobs // FEWER.get(program, 1)
    command = [str(python), str(HERE / "peers" / f"{program}_.py"), own, str(number), str(LIMIT)]
    found = {}
    for phase, count, cost, told in phases(command, Server(url)):
        late = sorted(told.get("late", ()))
        shown = cost.shown(count)
        if late:
            shown = f"p50 {statistics.median(late) * 1e3:.2f} ms, p99 {late[int(len(late) * 0.99)] * 1e3:.2f} ms"
        found[phase] = statistics.median(late) if late else cost.wall / count, shown
    return found


def main() -> None:
    url = sys.argv[1]
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    programs = {"treadle": Path(sys.executable)}
    for peer in PEERS:
        try:
            programs[peer] = environment(peer)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{peer}: NOT MEASURED: {error}")
    results: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for _ in range(rounds):
        for program, python in programs.items():
            try:
                for phase, result in run(program, python, url, jobs).items():
                    results.setdefault((phase, program), []).append(result)
            except RuntimeError as error:
                print(f"{program}: NOT MEASURED: {error}")
    for (phase, program), seen in sorted(results.items()):
        print(f"postgresql: {phase:<20} {program:<14} {sorted(seen)[len(seen) // 2][1]}")


if __name__ == "__main__":
    main()
