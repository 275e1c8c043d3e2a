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
        PostgresServer() as postgres,
    ):
        for number in range(3):
            measure("drain.py", f"sqlite:///{folder}/drain{number}.db")
            measure("drain.py", server.url_of(server.fresh_database()))
            measure("drain.py", postgres.url_of(postgres.fresh_database()))
        measure("idle.py", f"sqlite:///{folder}/idle.db")
        measure("idle.py", server.url_of(server.fresh_database()))


if __name__ == "__main__":
    main()
