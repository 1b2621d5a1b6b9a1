"""The Python hawk 3.7.2 out of PyPI, as a peer: its schema in a database, its importer on logs in a bucket, its server.

It needs Python 3.13, which uv cannot bring along here: HAWK_PEER_BASE_PYTHON names one, else `python3.13` on the PATH
or one of pyenv's is taken. What it runs with is pinned in hawk_peer.txt, and installed on first use.
"""

import contextlib
import dataclasses
import fcntl
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

import postgres

HERE = pathlib.Path(__file__).resolve().parent
LOCK = HERE / "hawk_peer.txt"
CACHE = pathlib.Path(os.environ.get("HAWK_DEV_CACHE") or pathlib.Path.home() / ".cache/hawk-dev")
NONE = "there is no Python 3.13, which the Python hawk needs"


def is_new_enough(python: pathlib.Path) -> bool:
    """Whether this is a Python 3.13 that runs."""
    check = [str(python), "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 13))"]
    try:
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False


def base_python() -> pathlib.Path | None:
    """Find a Python 3.13."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    named = [os.environ.get("HAWK_PEER_BASE_PYTHON"), shutil.which("python3.13")]
    found = [pathlib.Path(name) for name in named if name] + sorted(pyenv.glob("versions/3.13*/bin/python"))
    return next((python for python in found if is_new_enough(python)), None)


def uv() -> str:
    """The uv of the tests' environment."""
    return os.environ.get("HAWK_UV") or shutil.which("uv") or "uv"


@contextlib.contextmanager
def locked(path: pathlib.Path):
    """Keep other test runs out meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_venv(venv: pathlib.Path, base: str, *requirements: str) -> pathlib.Path:
    """Make a virtualenv of these requirements unless it is there; return its Python."""
    python = venv / "bin/python"
    with locked(venv.parent / f"{venv.name}.lock"):
        if not (venv / "ready").exists():
            subprocess.run([uv(), "venv", "-q", "--clear", "--python", base, str(venv)], check=True)
            subprocess.run([uv(), "pip", "install", "-q", "--compile-bytecode", "--python", str(python), *requirements], check=True)
            (venv / "ready").touch()
    return python


def peer_python() -> pathlib.Path | None:
    """The Python that has the Python hawk, installed on first use; None when there is no Python 3.13."""
    base = base_python()
    if base is None:
        return None
    name = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    return make_venv(CACHE / f"hawk-peer-{name}", str(base), "--require-hashes", "-r", str(LOCK))


def fill_database(python: pathlib.Path, server: postgres.Postgres, database: str, fill: Callable[[], bool] | None = None, of: bytes = b"") -> None:
    """Put the peer's tables into an empty database, and what `fill` puts into them, which depends on nothing but `of`. Both are
    kept, unless it says that they are not to be."""
    mark = hashlib.sha256(repr((LOCK.read_bytes(), str(postgres.PROGRAMS[-1]), of)).encode()).hexdigest()[:16]
    kept = CACHE / f"peer-database-{mark}.sql.gz"
    with locked(kept.with_suffix(".lock")):
        if kept.exists():
            server.run(gzip.decompress(kept.read_bytes()).decode(), database)
            return
        make_schema(python, server.tcp_url(database))
        if fill is None or fill():
            part = kept.with_suffix(".part")
            part.write_bytes(gzip.compress(server.dump(database).encode()))
            part.rename(kept)


def make_schema(python: pathlib.Path, url: str) -> None:
    """Put the peer's tables into the empty database at url."""
    where = "import hawk.core.db, pathlib; print(pathlib.Path(hawk.core.db.__path__[0]) / 'alembic')"
    scripts = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    program = (
        "import alembic.command, alembic.config\n"
        f"config = alembic.config.Config()\nconfig.set_main_option('script_location', {scripts!r})\n"
        "alembic.command.upgrade(config, 'head')\n"
    )
    env = {**os.environ, "DATABASE_URL": driver_url(url)}
    done = subprocess.run([python, "-c", program], env=env, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-4000:])


def driver_url(url: str) -> str:
    """An address as SQLAlchemy takes it."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


@dataclasses.dataclass
class Imported:
    """What the peer says of one log."""

    location: str
    seconds: float
    cpu_seconds: float
    error: str | None
    result: dict | None


class Importer:
    """The peer's importer in a process that has loaded it."""

    def __init__(self, python: pathlib.Path, env: dict[str, str]):
        """Start it."""
        self.process = subprocess.Popen(
            [str(python), str(HERE / "hawk_import.py")], env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )

    def run(self, logs: list[tuple[str, str]]) -> list[Imported]:
        """Import logs, one after the other: each a database and a location ("s3://bucket/evals/..."); what it says of each."""
        return [self._import(f"{driver_url(url)} {location}") for url, location in logs]

    def _import(self, line: str) -> Imported:
        print(line, file=self.process.stdin, flush=True)
        return Imported(**json.loads(self._said()))

    def _said(self) -> str:
        line = next((line for line in self.process.stdout if line.startswith("{")), None)
        if line is None:
            raise RuntimeError(f"the peer's importer has ended with {self.process.wait()}")
        return line

    def close(self) -> int:
        """End it; the most memory that it held, in kilobytes."""
        self.process.stdin.close()
        held = json.loads(self._said())["max_kilobytes"]
        self.process.stdout.close()
        self.process.wait(60)
        return held

    def kill(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.wait()


def import_logs(python: pathlib.Path, logs: list[tuple[str, str]], env: dict[str, str]) -> tuple[list[Imported], int]:
    """Import logs with a process of its own; return what it says of each and the most memory that it held, in kilobytes."""
    importer = Importer(python, env)
    try:
        return importer.run(logs), importer.close()
    finally:
        importer.kill()
