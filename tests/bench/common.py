"""What the benchmarks share: timing whole processes, a server of their own, printing figures beside a peer's."""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from conftest import Hawk  # noqa: E402

import hawk_peer  # noqa: E402 - conftest has put its folder on the path


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
    python = hawk_peer.peer_python()
    return python.parent / "hawk" if python else None


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
