"""Lists, searches and exports of a warehouse of a million samples, on SQLite and on PostgreSQL.

Lists and searches are asked of the program itself (bench_queries.c): milliseconds by the clock and of processor time, of
hawk and of the database's process together, for each choice of filters and of readers, in every order, first pages and
pages far behind. Exports are those of a server: seconds, size, and the most memory of its own that the server and the
database's process held.

The warehouses are made once (some minutes) and kept in HAWK_BENCH_FOLDER (/var/tmp/hawk-bench). HAWK_BENCH_SAMPLES is how
many samples, HAWK_BENCH_ROUNDS how often each page is asked for. Arguments choose: sqlite, postgres; lists, searches,
exports.
"""

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

from common import ROOT, new_hawk

import postgres  # isort: skip - common has put its folder on the path

SAMPLES = int(os.environ.get("HAWK_BENCH_SAMPLES", "1000000"))
ROUNDS = os.environ.get("HAWK_BENCH_ROUNDS", "1")
FOLDER = pathlib.Path(os.environ.get("HAWK_BENCH_FOLDER", "/var/tmp/hawk-bench")) / f"warehouse-{SAMPLES}"
PROGRAM = ROOT / "build/release/tests/bench/bench_queries"
SETTINGS = ("max_wal_size=8GB", "maintenance_work_mem=512MB", "checkpoint_timeout=1h")
EXPORTS = [("samples", "csv"), ("samples", "ndjson"), ("samples", "parquet"), ("scores", "csv")]
PARTS = {"lists", "searches", "exports"}
DATABASES = {"sqlite", "postgres"}


def chosen(names: set[str]) -> set[str]:
    """Those of the names that are among the arguments; without any, all."""
    return names & set(sys.argv[1:]) or names


def fill(url: str, marker: pathlib.Path) -> None:
    """Make a warehouse, unless that was done before."""
    if not marker.exists():
        command = [sys.executable, ROOT / "tests/bench/make_warehouse.py", url, "--samples", str(SAMPLES)]
        subprocess.run(command, check=True)
        marker.touch()


def load() -> str:
    """How busy the machine is."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def ask(name: str, url: str) -> None:
    """Print the figures of lists and searches."""
    for part in ("lists", "searches"):
        if part in chosen(PARTS):
            print(f"\n== {part}, {SAMPLES:,} samples, {name}, {load()}", flush=True)
            subprocess.run([PROGRAM, url, ROUNDS, part], check=True)


def own_megabytes(pid: int) -> float:
    """The memory of a process that it shares with no other."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    lists = pathlib.Path(f"/proc/{pid}/task").glob("*/children")  # of each thread
    return [int(child) for file in lists for child in file.read_text().split()]


class Peak:
    """The most memory of its own that each part held while it is entered: the server, the client, the largest program that
    the client has started, the largest process of the database."""

    def __init__(self, server: int, client: int, database: int | None):
        self.parts = {"server": lambda: [server], "client": lambda: [client], "its Parquet writer": lambda: children(client)}
        if database:
            self.parts["database"] = lambda: children(database)
        self.peaks = dict.fromkeys(self.parts, 0.0)
        self.is_over = threading.Event()

    def look(self) -> None:
        """Look now and then."""
        while not self.is_over.wait(0.02):
            for name, pids in self.parts.items():
                with contextlib.suppress(OSError):  # a process that has just ended
                    self.peaks[name] = max(self.peaks[name], *map(own_megabytes, pids()), 0.0)

    def __enter__(self):
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def __str__(self):
        return ", ".join(f"{name} {peak:.1f} MB" for name, peak in self.peaks.items() if peak)


def export(name: str, hawk, log_keys: list[str], database: int | None) -> None:
    """Export each table and say what it cost."""
    for key in log_keys:  # a server takes evals out whose logs are not there
        log = hawk.data / "store" / key
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    hawk.start()
    print(f"\n== exports of {SAMPLES:,} samples, {name}, {load()}; the server holds {own_megabytes(hawk.server.pid):.1f} MB before", flush=True)
    try:
        for table, form in EXPORTS:
            target = hawk.home / f"{table}.{form}"
            begun = time.monotonic()
            with subprocess.Popen([hawk.program, "export", table, "-o", target, "--format", form], env=hawk.env, stderr=subprocess.DEVNULL) as client:
                with Peak(hawk.server.pid, client.pid, database) as peak:
                    if client.wait() != 0:
                        raise SystemExit(f"hawk export {table} --format {form} failed")
            print(f"{table:8} {form:8} {time.monotonic() - begun:7.1f} s  {target.stat().st_size / 1e6:8.1f} MB written; at most {peak}", flush=True)
            target.unlink()
    finally:
        hawk.stop()
        shutil.rmtree(hawk.home)


def on_sqlite() -> None:
    """All of it on SQLite."""
    path = FOLDER / "warehouse.db"
    fill(f"sqlite:{path}", FOLDER / "sqlite.ready")
    ask("SQLite", f"sqlite:{path}")
    if "exports" in chosen(PARTS):
        hawk = new_hawk()
        hawk.data.mkdir(mode=0o700)
        shutil.copyfile(path, hawk.data / "hawk.db")
        with contextlib.closing(sqlite3.connect(path)) as db:
            log_keys = [key for key, in db.execute("SELECT log_key FROM eval")]
        export("SQLite", hawk, log_keys, None)


def on_postgres() -> None:
    """All of it on a PostgreSQL with its usual settings."""
    if reason := postgres.why_not():
        print(reason)
        return
    server = postgres.Postgres(settings=SETTINGS, kept=FOLDER / "postgres")
    try:
        if not (FOLDER / "postgres.ready").exists():
            server.make("warehouse")
        fill(server.url("warehouse"), FOLDER / "postgres.ready")
        ask("PostgreSQL", server.url("warehouse"))
        if "exports" in chosen(PARTS):
            hawk = new_hawk()
            server.run("DROP DATABASE IF EXISTS exported; CREATE DATABASE exported TEMPLATE warehouse STRATEGY FILE_COPY")
            hawk.env["HAWK_API_DATABASE_URL"] = server.url("exported")
            export("PostgreSQL", hawk, server.run("SELECT log_key FROM eval", "warehouse").split(), server.pid())
            server.run("DROP DATABASE exported")
    finally:
        server.close()


def main() -> None:
    """Build the program, measure what is chosen."""
    if wrong := set(sys.argv[1:]) - PARTS - DATABASES:
        raise SystemExit(f"{', '.join(sorted(wrong))}: choose among {', '.join(sorted(PARTS | DATABASES))}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "hawk", "bench_queries"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    os.environ.setdefault("HAWK_BIN", str(ROOT / "build/release/hawk"))
    if "sqlite" in chosen(DATABASES):
        on_sqlite()
    if "postgres" in chosen(DATABASES):
        on_postgres()


main()
