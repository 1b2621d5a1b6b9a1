"""A PostgreSQL server of its own, for tests and benchmarks; nothing of it is left when it is closed."""

import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def why_not() -> str | None:
    """Return why there can be no server here, or None."""
    if not PROGRAMS:
        return "no PostgreSQL is installed"
    if os.getuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        return "PostgreSQL does not run as root and there is no user postgres"
    return None


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A server with a data folder of its own, reached over a socket in that folder and over a port of the loopback."""

    def __init__(self, durable: bool = False, settings: tuple[str, ...] = (), kept: pathlib.Path | None = None):
        """Start it; durable leaves writing to disk as PostgreSQL does it by default. With `kept` its data are there, and
        stay there when it is closed."""
        self.user = "postgres" if os.getuid() == 0 else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hawk-pg-"))
        self.kept = kept
        self.port = free_port()
        self.data = kept or self.folder / "data"
        for folder in (self.folder, self.data):
            folder.mkdir(parents=True, exist_ok=True)
            if self.user:
                shutil.chown(folder, self.user)
        self.folder.chmod(0o755)
        self.data.chmod(0o700)
        if not (self.data / "PG_VERSION").exists():
            self._run("initdb", "-D", self.data, "-U", "hawk", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_permissions=0777", *settings]
        options += [] if durable else ["fsync=off"]
        self.flags = " ".join([f"-k {self.folder}", *(f"-c {option}" for option in options)])
        self.start()

    def _run(self, program: str, *args: object) -> None:
        command = [str(PROGRAMS[-1] / program), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, user=self.user, cwd="/", timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start it again, with what was in its database."""
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", self.flags, "start")

    def stop(self, mode: str = "immediate") -> None:
        """End it; "immediate" is as if it had crashed."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def pid(self) -> int:
        """The process that all others of it are children of."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def url(self, database: str = "postgres") -> str:
        """The address of a database, over the socket."""
        return f"postgresql://hawk@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, database: str = "postgres") -> str:
        """The address of a database, over the port."""
        return f"postgresql://hawk@127.0.0.1:{self.port}/{database}"

    def run(self, statements: str, database: str = "postgres") -> str:
        """Run SQL, return what psql prints of its rows, unadorned."""
        command = [str(PROGRAMS[-1] / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-f", "-"]
        done = subprocess.run(command, input=statements, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout

    def make(self, database: str) -> str:
        """Make an empty database, return its name."""
        self.run(f'CREATE DATABASE "{database}"')
        return database

    def dump(self, database: str) -> str:
        """SQL that makes an empty database this one, roles of the server included."""
        roles = self._said("pg_dumpall", "--roles-only", "-d", self.url())
        others = "".join(line for line in roles.splitlines(keepends=True) if not line.startswith(("CREATE ROLE hawk;", "ALTER ROLE hawk ")))
        return others + self._said("pg_dump", "-d", self.url(database))

    def _said(self, program: str, *args: str) -> str:
        return subprocess.run([PROGRAMS[-1] / program, *args], capture_output=True, text=True, timeout=120, check=True).stdout

    def rows(self, query: str, database: str = "postgres") -> list[dict]:
        """The rows of a query, each as PostgreSQL says it in JSON."""
        return [json.loads(line) for line in self.run(f"SELECT to_json(t) FROM ({query}) t", database).split("\n") if line]

    def close(self) -> None:
        """End the server and take its files away, but for data that are kept."""
        self.stop("fast" if self.kept else "immediate")
        shutil.rmtree(self.folder)
