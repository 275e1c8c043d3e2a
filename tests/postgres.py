"""PostgreSQL and PgBouncer of a test run's own: loopback, a free port, a temporary folder, ended by their own pids."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from tests.servers import ProgramMissingError, Server

DATABASES = 48  # of a server: one a test, then over again
USER = "treadle"

# Whoever starts a server as root gives it to one of these.
_ACCOUNTS = ("postgres", "nobody")
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
_OPTIONS: dict[str, str | int] = {
    "fsync": "off",  # the death of a process loses nothing by it
    "full_page_writes": "off",
    "max_connections": 200,
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "timezone": "Pacific/Chatham",  # whoever forgets that columns are in UTC is off by 12:45 or 13:45
}


class PostgresServer(Server):
    """A PostgreSQL of its own whose superuser is `treadle`, without a password.

    Options are the server's: `PostgresServer(max_connections=20)`. What `kill` leaves, as `pg_ctl -m immediate` does,
    is recovered from its log at the next start.
    """

    stopped_by = signal.SIGINT
    killed_by = signal.SIGQUIT

    def __init__(self, **options: str | int) -> None:
        self.options = _OPTIONS | options
        super().__init__(_folder("treadle-postgres-"), _account())
        self._handed_out = 0

    @property
    def url(self) -> str:
        """Its maintenance database; `fresh_database` and `url_of` give one that no other test knows."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Start and wait until it takes connections; a running server is left as it is."""
        if not (self.folder / "PG_VERSION").exists():
            options = ("-U", USER, "-E", "UTF8", "-A", "trust", "-N", "--locale=C")
            command = [_binary("initdb"), "-D", str(self.folder), *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **_account())
        return super().start()

    def run(self, statement: str, *values: object, database: str = "postgres") -> list[Any]:
        """Run one statement on a connection of its own, in autocommit; its rows, if it has any."""
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def fresh_database(self) -> str:
        """Make an empty database, another one for each call; those of long ago are dropped."""
        name = f"test{self._handed_out % DATABASES}"
        self._handed_out += 1
        with psycopg.connect(self.url, autocommit=True) as connection:
            database = sql.Identifier(name)
            if self._handed_out > DATABASES:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(database))
        return name

    def restart(self, *, immediate: bool = False) -> None:
        """Come back on the same port with the same data."""
        (self.kill if immediate else self.stop)()
        self.start()

    def standby(self) -> "PostgresServer":
        """A hot standby of it, not started yet, to which it waits to have written what it confirms."""
        other = PostgresServer(**self.options)
        source = ("-h", "127.0.0.1", "-p", str(self.port), "-U", USER)
        command = [_binary("pg_basebackup"), "-D", str(other.folder), "-R", "-X", "stream", "-c", "fast", *source]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=other.folder, **_account())
        self.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.run("SELECT pg_reload_conf()")
        return other

    def promote(self) -> None:
        """Make the primary of a standby."""
        self.run("SELECT pg_promote()")

    def _command(self) -> Sequence[str]:
        settings = (f"--{name}={value}" for name, value in (self.options | {"port": self.port}).items())
        return [_binary("postgres"), "-D", str(self.folder), *settings]

    def _answers(self) -> bool:
        return _answers(self.url)


class PgBouncer(Server):
    """A PgBouncer in transaction mode in front of a server; it passes every database on."""

    def __init__(self, server: PostgresServer) -> None:
        super().__init__(_folder("treadle-pgbouncer-"), _account())
        self._server = server

    def url_of(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def _command(self) -> Sequence[str]:
        binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
        if binary is None:
            raise ProgramMissingError("expected pgbouncer on PATH, got none: run `make setup`")
        users = self.folder / "users"
        users.write_text(f'"{USER}" ""\n')
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={self._server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {users}\npool_mode = transaction\ndefault_pool_size = 20\n"
            f"max_client_conn = 500\nignore_startup_parameters = extra_float_digits\n"
        )
        return [binary, str(settings)]

    def _answers(self) -> bool:
        return _answers(self.url_of("postgres"))


def _binary(name: str) -> str:
    """A program of the newest server that is installed."""
    for place in _PLACES:
        found = sorted(Path("/").glob(f"{place.lstrip('/')}/{name}"), key=_version)
        if found:
            return str(found[-1])
    path = shutil.which(name)
    if path is None:
        raise ProgramMissingError(f"expected PostgreSQL's {name}, got none: run `make setup`")
    return path


def _version(path: Path) -> int:
    digits = "".join(character for character in path.parent.parent.name if character.isdigit())
    return int(digits or 0)


def _account() -> dict[str, Any]:
    """For `subprocess`: whose process it becomes. PostgreSQL and PgBouncer refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in _ACCOUNTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise ProgramMissingError(f"expected an account among {', '.join(_ACCOUNTS)}, as which root starts PostgreSQL")


def _folder(prefix: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    account = _account()
    if account:
        os.chown(folder, account["user"], account["group"])
    return folder


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
