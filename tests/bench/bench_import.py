"""Imports: ours and the Python hawk 3.7.2's of the same logs in one run, and what the machine takes for parts of it alone.

A log of 10 samples (2.5 MB of JSON), of 500 and of 5,000 (1.2 GB), into SQLite and PostgreSQL, both as durable as they
are by default. "Its rows alone" is what the database takes for the same rows into the same tables when it has them in its
own form: COPY of binary files, and INSERT from another file of SQLite. With unpacking the log alone that is the machine's
limit, which no importer of these rows passes. "CPU" has the server of the database in it; on a busy machine it says more
than the clock.

Both write all rows (messages, events, pools, attachments), for which the target is 25 times. The targets of 50 and 80 times
are for an older importer that wrote samples and scores alone, which is on no registry; ours has no such mode.

HAWK_BENCH_LARGE=1 has the Python importer read the largest log too, which takes it half an hour; without, its rate with the
log before is taken for it and marked with "about". HAWK_BENCH_TIMES is how often ours are run; of several the median is
printed, with the least and the most.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from common import ROOT

import hawk_peer  # isort: skip - common has put its folder on the path
import postgres  # isort: skip
from bucket import Bucket  # isort: skip

TIMES = int(os.environ.get("HAWK_BENCH_TIMES", "3"))
LARGE = bool(os.environ.get("HAWK_BENCH_LARGE"))
TABLES = ["eval", "sample", "score", "message", "sample_attachment", "sample_model", "event", "message_pool", "model_call_pool"]
PROGRAM = ROOT / "build/release/tests/bench/bench_import"
LOGS = hawk_peer.CACHE / "bench-logs/import"
TARGET = "target 25 x"
SETTINGS = ("shared_buffers=256MB", "max_wal_size=4GB")


@dataclasses.dataclass
class Figure:
    """What one way took."""

    seconds: list[float] = dataclasses.field(default_factory=list)
    cpu_seconds: list[float] = dataclasses.field(default_factory=list)
    peak_mb: float = 0
    n_rows: int = 0
    is_guess: bool = False

    def scaled(self, factor: float) -> "Figure":
        """What it would be for a log so many times as large."""
        return Figure([statistics.median(self.seconds) * factor], [statistics.median(self.cpu_seconds) * factor], is_guess=True)

    def plus(self, other: "Figure") -> "Figure":
        """What both take one after the other."""
        both = (sum(statistics.median(times) for times in (a, b)) for a, b in ((self.seconds, other.seconds), (self.cpu_seconds, other.cpu_seconds)))
        return Figure([next(both)], [next(both)], n_rows=self.n_rows)

    def add(self, seconds: float, cpu_seconds: float, peak_mb: float = 0, n_rows: int = 0) -> None:
        """Take in one run."""
        self.seconds.append(seconds)
        self.cpu_seconds.append(cpu_seconds)
        self.peak_mb = max(self.peak_mb, peak_mb)
        self.n_rows = n_rows or self.n_rows


def ours(*args: object) -> dict:
    """What the program prints."""
    return json.loads(subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, check=True).stdout)


class Log:
    """One log, as a file in a store of ours and as an object in the peer's bucket."""

    def __init__(self, name: str, folder: pathlib.Path):
        self.name, self.folder, self.key = name, folder, f"evals/bench/{name}.eval"
        path = folder / self.key
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(LOGS / f"{name}.eval", path) if LOGS.stat().st_dev == folder.stat().st_dev else shutil.copyfile(LOGS / f"{name}.eval", path)
        self.bytes = ours("unpack", folder, self.key)["bytes"]

    def line(self, what: str, figure: Figure, peer: Figure | None = None, target: str = "") -> None:
        """Print one figure, how many times faster it is than the peer's, and how many times it has to be."""
        seconds = statistics.median(figure.seconds)
        spread = f"({min(figure.seconds):.2f}-{max(figure.seconds):.2f})" if len(figure.seconds) > 1 else ""
        speed = f"{self.bytes / seconds / 1e6:.1f}"
        rows = f"{figure.n_rows / seconds:,.0f}" if figure.n_rows else ""
        held = f"{figure.peak_mb:.0f}" if figure.peak_mb else ""
        cpu = statistics.median(figure.cpu_seconds)
        about = "about " if peer and peer.is_guess else ""
        ratios = f"{about}{statistics.median(peer.seconds) / seconds:.1f} x, CPU {statistics.median(peer.cpu_seconds) / cpu:.1f} x {target}" if peer else ""
        print(f"{what:36}{seconds:9.3f} s {spread:15}{cpu:9.3f} s{speed:>8}{rows:>10}{held:>7} {ratios}", flush=True)


class Lite:
    """Files of SQLite."""

    name = "SQLite"

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    @contextlib.contextmanager
    def empty(self, what: str):
        """Make a database with empty tables; yield its URL."""
        path = self.folder / f"{what}.db"
        ours("migrate", f"sqlite:{path}")
        yield f"sqlite:{path}"
        for file in self.folder.glob(f"{what}.db*"):
            file.unlink()

    def cpu_seconds(self) -> float:
        """Of a server, which SQLite has not."""
        return 0

    def count(self, url: str) -> int:
        """All rows that an import left."""
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:"))) as base:
            return sum(base.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)

    def alone(self, full: str, empty: str) -> tuple[float, float]:
        """Put the rows of one database into another; return the seconds of the clock and of the processor."""
        with contextlib.closing(sqlite3.connect(empty.removeprefix("sqlite:"), isolation_level=None)) as base:
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = FULL")
            base.execute("PRAGMA foreign_keys = ON")
            base.execute("ATTACH ? AS full", [full.removeprefix("sqlite:")])
            begun, cpu_begun = time.perf_counter(), time.process_time()
            base.execute("BEGIN")
            for table in TABLES:
                columns = ", ".join(f'"{row[1]}"' for row in base.execute(f"PRAGMA table_info({table})"))
                base.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM full.{table} ORDER BY pk")
            base.execute("COMMIT")
            return time.perf_counter() - begun, time.process_time() - cpu_begun


class Server:
    """Databases of a PostgreSQL."""

    name = "PostgreSQL"

    def __init__(self, server: postgres.Postgres, folder: pathlib.Path):
        self.server, self.folder = server, folder

    @contextlib.contextmanager
    def empty(self, what: str):
        """Make a database with empty tables; yield its URL."""
        self.server.make(what)
        ours("migrate", self.server.url(what))
        yield self.server.url(what)
        self.server.run(f"DROP DATABASE {what}")

    @staticmethod
    def database(url: str) -> str:
        """The name in the URL."""
        return url.split("@/")[1].split("?")[0]

    def cpu_seconds(self) -> float:
        """Of the server and those of its processes that have ended."""
        return server_cpu_seconds(self.server)

    def count(self, url: str) -> int:
        """All rows that an import left."""
        return sum(int(self.server.run(f"SELECT count(*) FROM {table}", self.database(url))) for table in TABLES)

    def columns(self, table: str, database: str) -> str:
        """Those that are not computed."""
        names = self.server.run(
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' AND is_generated = 'NEVER' "
            "ORDER BY ordinal_position",
            database,
        )
        return ", ".join(f'"{name}"' for name in names.split())

    def alone(self, full: str, empty: str) -> tuple[float, float]:
        """Put the rows of one database into another; return the seconds of the clock and of the processor."""
        source, target = self.database(full), self.database(empty)
        copies = [f"\\copy {table} ({self.columns(table, source)}) %s '{self.folder / table}' WITH (FORMAT binary)" for table in TABLES]
        self.server.run("\n".join(copy % "TO" for copy in copies), source)
        begun = time.perf_counter()
        self.server.run("SELECT 1", target)
        start = time.perf_counter() - begun
        begun, cpu_begun = time.perf_counter(), self.cpu_seconds()
        self.server.run("\n".join(["BEGIN;", *(copy % "FROM" for copy in copies), "COMMIT;"]), target)
        seconds = time.perf_counter() - begun - start
        for table in TABLES:
            (self.folder / table).unlink()
        return seconds, self.cpu_seconds() - cpu_begun


def server_cpu_seconds(server: postgres.Postgres) -> float:
    """What a server has used of the processor, without its processes that still run."""
    time.sleep(0.5)  # those that have been told to end do so
    pid = (server.data / "postmaster.pid").read_text().split("\n")[0]
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peer_imports(python: pathlib.Path, server: postgres.Postgres, log: Log) -> Figure:
    """The Python importer into its own tables; the seconds do not have the start of Python in them."""
    database = server.make(f"peer_{log.name}")
    url = server.tcp_url(database)
    hawk_peer.make_schema(python, url)
    bucket = Bucket()
    cpu_begun = server_cpu_seconds(server)
    try:
        bucket.put(log.key, (log.folder / log.key).read_bytes())
        (imported,), kilobytes = hawk_peer.import_logs(python, [(url, f"s3://{bucket.name}/{log.key}")], bucket.env)
    finally:
        bucket.close()
    if imported.error:
        raise RuntimeError(imported.error)
    cpu_seconds = imported.cpu_seconds + server_cpu_seconds(server) - cpu_begun
    n_rows = sum(int(server.run(f"SELECT count(*) FROM {table}", database)) for table in TABLES)
    server.run(f"DROP DATABASE {database}")
    return Figure([imported.seconds], [cpu_seconds], kilobytes / 1024, n_rows)


def imports(log: Log, base: Lite | Server) -> tuple[dict[int, Figure], Figure]:
    """Ours on one and on two threads, and the rows alone, in turns."""
    figures, alone = {1: Figure(), 2: Figure()}, Figure()
    for _ in range(TIMES):
        for n_threads, figure in figures.items():
            with base.empty("whole") as full:
                cpu_begun = base.cpu_seconds()
                said = ours("import", log.folder, log.key, full, n_threads)
                cpu_seconds = said["cpu_seconds"] + base.cpu_seconds() - cpu_begun
                figure.add(said["seconds"], cpu_seconds, said["peak_mb"], base.count(full))
                if n_threads == 2:
                    with base.empty("alone") as empty:
                        alone.add(*base.alone(full, empty), 0, figure.n_rows)
    return figures, alone


def times(action: Callable[[], dict]) -> Figure:
    """Run some times what the program does without a database."""
    figure = Figure()
    for _ in range(TIMES):
        said = action()
        figure.add(said["seconds"], said["cpu_seconds"], said["peak_mb"], said["rows"])
    return figure


def compare(log: Log, bases: list[Lite | Server], peer: Figure | None) -> None:
    """Measure one log."""
    head = f"{log.name}: {log.bytes / 1e6:,.1f} MB of JSON"
    print(f"\n{head:36}{'clock':>9}   {'':15}{'CPU':>9}  {'MB/s':>8}{'rows/s':>10}{'MB':>7} beside the Python importer")
    if peer:
        log.line("Python hawk 3.7.2" + (", by its rate before" if peer.is_guess else " to PostgreSQL"), peer)
    unpacked = times(lambda: ours("unpack", log.folder, log.key))
    for base in bases:
        figures, alone = imports(log, base)
        for n_threads, figure in figures.items():
            log.line(f"hawk to {base.name}, {n_threads} thread{'s' if n_threads > 1 else ''}", figure, peer, TARGET)
        log.line(f"  {base.name}, its rows alone", alone)
        log.line("  and unpacking: the machine's limit", alone.plus(unpacked), peer)
    log.line("  unpacking alone", unpacked)
    log.line("  rows made, none written", times(lambda: ours("rows", log.folder, log.key)))


def main() -> None:
    """Make the logs once, then measure."""
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "bench_import"], cwd=ROOT, check=True, capture_output=True)
    if reason := postgres.why_not():
        sys.exit(reason)
    python = hawk_peer.peer_python()
    if python is None:
        print(f"without the Python importer: {hawk_peer.NONE}")
    with hawk_peer.locked(LOGS.with_suffix(".lock")):
        subprocess.run([sys.executable, str(ROOT / "tests/bench/make_import_logs.py"), str(LOGS)], check=True)
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    server = postgres.Postgres(durable=True, settings=SETTINGS)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hawk-bench-"))
    try:
        peer, n_before = None, 0
        for name in os.environ.get("HAWK_BENCH_LOGS", "small medium large").split():
            log = Log(name, folder)
            if python and (name != "large" or LARGE):
                peer = peer_imports(python, server, log)
            elif peer:
                peer = peer.scaled(log.bytes / n_before)
            n_before = log.bytes
            compare(log, [Lite(folder), Server(server, folder)], peer)
    finally:
        server.close()
        shutil.rmtree(folder)
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
