"""Exports of a million samples: seconds, bytes, and the memory of server and command.

Usage: bench_export.py [--samples N] [--database FILE]. FILE is one of make_warehouse.py, else one is made.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import conftest  # noqa: E402


def peak_mb(pid: int) -> float:
    """The largest resident size of a process so far."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def run(hawk: conftest.Hawk, table: str, form: str, folder: pathlib.Path) -> None:
    """Export one table and say what it cost."""
    target = folder / f"{table}.{form}"
    begun = time.monotonic()
    child = subprocess.Popen([hawk.program, "export", table, "-o", target, "--format", form], env=hawk.env, stderr=subprocess.PIPE)
    peak = 0.0
    while child.poll() is None:
        try:
            peak = max(peak, peak_mb(child.pid))
        except OSError:
            pass
        time.sleep(0.05)
    seconds = time.monotonic() - begun
    assert child.returncode == 0, child.stderr.read()
    print(f"{table:8} {form:8} {seconds:7.1f} s  {target.stat().st_size / 1e6:8.1f} MB  "
          f"server {peak_mb(hawk.server.pid):6.1f} MB, command {peak:6.1f} MB at most", flush=True)


def main() -> None:
    """Make or take a database, start a server on it and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--database", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hawk-bench-export-") as scratch:
        home = pathlib.Path(scratch)
        cache = pathlib.Path(os.environ.get("HAWK_TEST_CACHE", pathlib.Path.home() / ".cache/hawk-test"))
        hawk = conftest.Hawk(home, cache)
        hawk.data.mkdir(mode=0o700)
        database = hawk.data / "hawk.db"
        if options.database:
            database.hardlink_to(options.database)
        else:
            subprocess.run([sys.executable, HERE / "make_warehouse.py", f"sqlite:{database}", "--samples", str(options.samples)], check=True)
        hawk.start()
        try:
            print(f"server before: {peak_mb(hawk.server.pid):.1f} MB", flush=True)
            for table, form in [("samples", "csv"), ("samples", "ndjson"), ("samples", "parquet"), ("scores", "csv")]:
                run(hawk, table, form, home)
        finally:
            hawk.stop()


if __name__ == "__main__":
    main()
