"""What `import treadle` costs beyond `import asyncio`: `python benchmarks/import_cost.py [ROUNDS]`.

Each round starts an interpreter for either import, in turns; the figure is the difference of the best times.
Exit 1 above 60 ms.
"""

import subprocess
import sys

LIMIT = 60.0  # ms

PROGRAM = """
import time
began = time.perf_counter()
import {module}
print((time.perf_counter() - began) * 1000)
"""


def milliseconds(module: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    best = {"asyncio": float("inf"), "asyncio, treadle": float("inf")}
    for _ in range(rounds):
        best = {module: min(before, milliseconds(module)) for module, before in best.items()}
    bare, whole = best.values()
    print(f"import asyncio: {bare:.1f} ms, with treadle: {whole:.1f} ms, so treadle: {whole - bare:.1f} ms")
    sys.exit(whole - bare > LIMIT)


if __name__ == "__main__":
    main()
