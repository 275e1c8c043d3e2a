"""A program with a worker inside, which ends at SIGTERM in one of several ways.

`python -m tests.apps.faulty_embedded LEASE [leaves|exits|forgets]`
"""

import asyncio
import signal
import sys

from tests.apps.faulty_jobs import app


async def main(lease: float, way: str) -> None:
    """Work until SIGTERM."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    worker = app.worker(lease=lease, grace=0.3)
    await worker.__aenter__()
    if way == "forgets":
        await told.wait()
        return
    try:
        await told.wait()
        if way == "exits":
            sys.exit(3)
    finally:
        await worker.__aexit__(*sys.exc_info())
    await app.aclose()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "leaves"))
