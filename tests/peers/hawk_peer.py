"""The Python hawk 3.7.2 out of PyPI, as a peer: its schema in a database, its importer on logs in a bucket, its server.

It needs Python 3.13, which uv cannot bring along here: HAWK_PEER_BASE_PYTHON names one, else `python3.13` on the PATH
or one of pyenv's is taken. What it runs with is pinned in hawk_peer.txt, and installed on first use.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

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


def import_logs(python: pathlib.Path, logs: list[tuple[str, str]], env: dict[str, str]) -> tuple[list[Imported], int]:
    """Import logs with the peer, one after the other: each a database and a location ("s3://bucket/evals/..."). Return
    what it says of each and the most memory that it held, in kilobytes."""
    lines = [f"{driver_url(url)} {location}" for url, location in logs]
    done = subprocess.run(
        [str(python), str(HERE / "hawk_import.py")], input="\n".join(lines), env={**os.environ, **env}, capture_output=True,
        text=True, check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-4000:])
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [Imported(**line) for line in said[:-1]], said[-1]["max_kilobytes"]
