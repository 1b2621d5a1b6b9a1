"""What the benchmarks share: timing whole processes, a server of their own, printing figures beside a peer's."""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from conftest import Hawk  # noqa: E402

CACHE = pathlib.Path(os.environ.get("HAWK_DEV_CACHE", pathlib.Path.home() / ".cache/hawk-dev"))
PEER_VERSION = "3.7.2"


def new_hawk() -> Hawk:
    """Return a Hawk with a fresh home and the tests' cache of virtualenvs."""
    cache = pathlib.Path.home() / ".cache/hawk-test"
    cache.mkdir(parents=True, exist_ok=True)
    return Hawk(pathlib.Path(tempfile.mkdtemp(prefix="hawk-bench-")), cache)


def run_seconds(command: list[str], times: int, env: dict[str, str] | None = None) -> list[float]:
    """Return the wall seconds of each run of a command, after one run that is not counted."""
    seconds = []
    for i in range(times + 1):
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env, check=False)
        if i:
            seconds.append(time.perf_counter() - begun)
    return seconds


def peer_program() -> pathlib.Path | None:
    """Return the Python hawk's program, installed on first use; None without a Python 3.13."""
    venv = CACHE / f"peer-hawk-{PEER_VERSION}"
    program = venv / "bin/hawk"
    if program.exists():
        return program
    found = [str(p) for p in pathlib.Path.home().glob(".pyenv/versions/3.13*/bin/python")] or ["python3.13"]
    made = subprocess.run(["uv", "venv", "-q", "--python", found[0], str(venv)], check=False, stderr=subprocess.DEVNULL)
    if made.returncode != 0:
        return None
    python = str(venv / "bin/python")
    subprocess.run(["uv", "pip", "install", "-q", "--python", python, f"hawk[cli]=={PEER_VERSION}"], check=False)
    return program if program.exists() else None


def milliseconds(seconds: list[float]) -> str:
    """Return "median (least to most)" in milliseconds."""
    low, high = min(seconds) * 1000, max(seconds) * 1000
    return f"{statistics.median(seconds) * 1000:.1f} ms ({low:.1f} to {high:.1f})"


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmRSS")


def row(what: str, ours: str, theirs: str = "", target: str = "") -> None:
    """Print one line of a table."""
    print(f"{what:44} {ours:34} {theirs:34} {target}", flush=True)
