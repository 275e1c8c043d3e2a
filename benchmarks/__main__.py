"""`make bench`: every measurement here, one after the other, on private servers and on a file in a temporary folder."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.postgres import PostgresServer
from tests.servers import RedisServer

HERE = Path(__file__).parent


def measure(script: str, *arguments: str) -> None:
    """Run one of the scripts; what it prints is the result."""
    subprocess.run([sys.executable, str(HERE / script), *arguments], check=False)


def main() -> None:
    """Measure."""
    measure("import_cost.py")
    with (
        tempfile.TemporaryDirectory(prefix="treadle-bench-") as folder,
        RedisServer() as server,
        PostgresServer(fsync="on", full_page_writes="on", shared_buffers="256MB") as postgres,
    ):

        def redis_url() -> str:
            return server.url_of(server.fresh_database())

        def postgres_url() -> str:
            return postgres.url_of(postgres.fresh_database())

        for number in range(3):
            for url in (f"sqlite:///{folder}/drain{number}.db", redis_url(), postgres_url()):
                measure("drain.py", url)
        for url in (f"sqlite:///{folder}/enqueue.db", redis_url(), postgres_url()):
            measure("enqueue.py", url)
        for url in (f"sqlite:///{folder}/idle.db", redis_url(), postgres_url()):
            measure("idle.py", url)
        measure("snapshot.py", postgres_url())
        measure("compare.py", postgres.url)


if __name__ == "__main__":
    main()
