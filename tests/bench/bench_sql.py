"""Loading rows: ours beside psql's \\copy and beside SQLite's own interface, in turns, into the same table."""

import pathlib
import subprocess
import tempfile
import time

from common import ROOT, row

import postgres

TIMES = 5
SHAPES = ((200_000, 100), (100_000, 1000), (4_000, 50_000))
PROGRAM = ROOT / "build/release/tests/bench/bench_sql"


def build() -> None:
    """Build the program that loads."""
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "bench_sql"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def ours(how: str, where: str, rows: int, size: int) -> float:
    """Return the seconds that the program measures."""
    command = [PROGRAM, how, where, str(rows), str(size)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def copied(server: postgres.Postgres, path: pathlib.Path, form: str) -> float:
    """Return the seconds of \\copy from a file, without the start of psql."""
    server.run("TRUNCATE bench")
    begun = time.perf_counter()
    server.run("SELECT 1")
    start = time.perf_counter() - begun
    begun = time.perf_counter()
    server.run(f"\\copy bench FROM '{path}' WITH (FORMAT {form})")
    return time.perf_counter() - begun - start


def speed(seconds: list[float], rows: int, size: int) -> str:
    """Return "rows/s, MB/s" of the best time."""
    best = min(seconds)
    return f"{rows / best:,.0f} rows/s, {rows * size / best / 1e6:.0f} MB/s"


def measure(server: postgres.Postgres, folder: pathlib.Path, rows: int, size: int) -> None:
    """Print the figures of one shape of rows."""
    times: dict[str, list[float]] = {name: [] for name in ("load", "binary", "text", "sqlite", "plain")}
    for _ in range(TIMES):
        times["load"].append(ours("load", server.url(), rows, size))
        for form in ("binary", "text"):
            path = folder / form
            if not path.exists():
                server.run(f"\\copy bench TO '{path}' WITH (FORMAT {form})")
        for form in ("binary", "text"):
            times[form].append(copied(server, folder / form, form))
        times["sqlite"].append(ours("load", f"sqlite:{folder}/ours.db", rows, size))
        times["plain"].append(ours("plain", f"{folder}/plain.db", rows, size))
    shape = f"{rows} rows of {size} bytes of JSON"
    row(f"PostgreSQL, {shape}", speed(times["load"], rows, size), f"\\copy binary {speed(times['binary'], rows, size)}")
    row("", "", f"\\copy text {speed(times['text'], rows, size)}")
    row(f"SQLite, {shape}", speed(times["sqlite"], rows, size), f"its own {speed(times['plain'], rows, size)}")


def main() -> None:
    """Measure each shape on servers as they are by default, which means durable."""
    build()
    if reason := postgres.why_not():
        print(reason)
        return
    row("loading rows", "hawk", "the database's own")
    for rows, size in SHAPES:
        server = postgres.Postgres(durable=True)
        try:
            with tempfile.TemporaryDirectory(prefix="hawk-bench-") as folder:
                measure(server, pathlib.Path(folder), rows, size)
        finally:
            server.close()


main()
