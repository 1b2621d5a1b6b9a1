"""Imports of the same log, measured beside the Python hawk 3.7.2 and beside Inspect's own reader, in one run.

The log has 500 samples of 40 messages, 127 MB of JSON; with two at a time there are two such logs. PostgreSQL writes to
disk as it does by default. HAWK_BENCH_LARGE=1 adds a log of 1.2 GB (the Python importer needs many minutes for it).
HAWK_BENCH_TIMES is how often each is run; of several runs the median is printed.
"""

import dataclasses
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

from common import ROOT

import hawk_peer  # isort: skip - common has put its folder on the path
import postgres  # isort: skip
from bucket import Bucket  # isort: skip

from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401 - teaches zipfile about zstd

TIMES = int(os.environ.get("HAWK_BENCH_TIMES", "3"))
TABLES = ["eval", "sample", "score", "message", "sample_attachment", "sample_model", "event", "message_pool", "model_call_pool"]
PROGRAM = ROOT / "build/release/tests/bench/bench_import"
SETTINGS = ("shared_buffers=256MB", "max_wal_size=4GB")


@dataclasses.dataclass
class Figure:
    """What one way to import took."""

    seconds: list[float]
    megabytes_held: float
    n_rows: int = 0


class Logs:
    """The logs to import, as a folder for ours and as a bucket for the peer."""

    def __init__(self, names: list[str]):
        folder = hawk_peer.CACHE / "bench-logs"
        with hawk_peer.locked(folder.with_suffix(".lock")):
            subprocess.run([sys.executable, str(ROOT / "tests/bench/make_medium_log.py"), str(folder)], check=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hawk-bench-"))
        self.paths = [folder / f"{name}.eval" for name in names]
        self.keys = [f"evals/bench/{path.name}" for path in self.paths]
        self.bucket = Bucket()
        for path, key in zip(self.paths, self.keys, strict=True):
            (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self.folder / key)
            self.bucket.put(key, path.read_bytes())
        self.folder.chmod(0o700)

    def megabytes(self, n: int) -> float:
        """The JSON of the samples of the first n logs."""
        sizes = 0
        for path in self.paths[:n]:
            with zipfile.ZipFile(path) as archive:
                sizes += sum(member.file_size for member in archive.infolist() if member.filename.startswith("samples/"))
        return sizes / 1e6

    def close(self) -> None:
        """Take them away."""
        self.bucket.close()
        shutil.rmtree(self.folder)


def count_rows(server: postgres.Postgres, database: str) -> int:
    """All rows that an import left."""
    return sum(int(server.run(f"SELECT count(*) FROM {table}", database)) for table in TABLES)


def run_ours(url: str, logs: Logs, keys: list[str], n_threads: int) -> tuple[float, float]:
    """Import keys; return the seconds and the megabytes held."""
    command = [PROGRAM, url, f"file:{logs.folder}", str(n_threads), *keys]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kilobytes = done.stdout.split()
    return float(seconds), int(kilobytes) / 1000


def ours_to_postgres(server: postgres.Postgres, logs: Logs, keys: list[str], n_threads: int) -> Figure:
    """Our importer into PostgreSQL."""
    figure = Figure([], 0)
    for _ in range(TIMES):
        database = server.make(f"ours{time.monotonic_ns()}")
        seconds, held = run_ours(server.url(database), logs, keys, n_threads)
        figure.seconds.append(seconds)
        figure.megabytes_held = max(figure.megabytes_held, held)
        figure.n_rows = count_rows(server, database)
        server.run(f"DROP DATABASE {database}")
    return figure


def ours_to_sqlite(logs: Logs, keys: list[str], n_threads: int) -> Figure:
    """Our importer into SQLite."""
    figure = Figure([], 0)
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory(prefix="hawk-bench-") as folder:
            seconds, held = run_ours(f"sqlite:{folder}/hawk.db", logs, keys, n_threads)
        figure.seconds.append(seconds)
        figure.megabytes_held = max(figure.megabytes_held, held)
    return figure


def peer_to_postgres(python: pathlib.Path, server: postgres.Postgres, logs: Logs, keys: list[str], n_processes: int) -> Figure:
    """The peer's importer into its own tables; the seconds do not have the start of Python in them."""
    database = server.make(f"peer{time.monotonic_ns()}")
    hawk_peer.make_schema(python, server.tcp_url(database))
    url = server.tcp_url(database)
    shares = [[(url, f"s3://{logs.bucket.name}/{key}") for key in keys[i::n_processes]] for i in range(n_processes)]
    answers: list = [None] * n_processes

    def work(i: int) -> None:
        answers[i] = hawk_peer.import_logs(python, shares[i], logs.bucket.env)

    threads = [threading.Thread(target=work, args=[i]) for i in range(n_processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for imported, _ in answers:
        assert not any(log.error for log in imported), imported
    seconds = max(sum(log.seconds for log in imported) for imported, _ in answers)
    figure = Figure([seconds], sum(kilobytes for _, kilobytes in answers) / 1000, count_rows(server, database))
    server.run(f"DROP DATABASE {database}")
    return figure


def inspect_reads(logs: Logs) -> Figure:
    """Inspect's own reader, of the first log; nothing is written."""
    program = (
        "import resource, sys, time; from inspect_ai.log import read_eval_log; begun = time.perf_counter(); "
        "read_eval_log(sys.argv[1]); print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(logs.paths[0])], capture_output=True, text=True, check=True)
    seconds, kilobytes = done.stdout.split()
    return Figure([float(seconds)], int(kilobytes) / 1000)


def line(what: str, figure: Figure, megabytes: float, reference: Figure | None = None) -> None:
    """Print one figure, and how many times faster it is than the reference."""
    seconds = statistics.median(figure.seconds)
    spread = f"{min(figure.seconds):.2f}-{max(figure.seconds):.2f}" if len(figure.seconds) > 1 else ""
    ratio = f"{statistics.median(reference.seconds) / seconds:.1f}x" if reference else ""
    print(f"{what:44}{seconds:8.2f} s {spread:13}{megabytes / seconds:8.1f} MB/s {figure.megabytes_held:7.0f} MB {figure.n_rows:9} {ratio}", flush=True)


def compare(python: pathlib.Path | None, server: postgres.Postgres, logs: Logs) -> None:
    """Measure each way, with one and with two logs at a time."""
    print(f"{'':44}{'wall':>10} {'':13}{'JSON':>13} {'memory':>10} {'rows':>9} beside the Python importer")
    line("Inspect's reader, nothing written", inspect_reads(logs), logs.megabytes(1))
    for n in range(1, len(logs.keys) + 1):
        keys, megabytes = logs.keys[:n], logs.megabytes(n)
        at_a_time = f"{n} log{'s' if n > 1 else ''} at a time"
        peer = peer_to_postgres(python, server, logs, keys, n) if python else None
        if peer:
            line(f"Python hawk 3.7.2 to PostgreSQL, {at_a_time}", peer, megabytes)
        line(f"hawk to PostgreSQL, {at_a_time}", ours_to_postgres(server, logs, keys, n), megabytes, peer)
        line(f"hawk to SQLite, {at_a_time}", ours_to_sqlite(logs, keys, n), megabytes, peer)


def main() -> None:
    """Measure and print."""
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "bench_import"], cwd=ROOT, check=True, capture_output=True)
    if reason := postgres.why_not():
        sys.exit(reason)
    python = hawk_peer.peer_python()
    if python is None:
        print(f"without the Python importer: {hawk_peer.NONE}")
    server = postgres.Postgres(durable=True, settings=SETTINGS)
    sets = [["medium", "medium2"], *([["large"]] if os.environ.get("HAWK_BENCH_LARGE") else [])]
    try:
        for names in sets:
            logs = Logs(names)
            try:
                compare(python, server, logs)
            finally:
                logs.close()
    finally:
        server.close()


if __name__ == "__main__":
    main()
