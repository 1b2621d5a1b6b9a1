"""Imports that are killed, or whose database goes away, and taken up again end with the rows of one that was not.

HAWK_KILLS is how often an import is killed on each database (default 3), HAWK_RESTARTS how often PostgreSQL is
restarted under one (default 2).
"""

import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import time
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from test_import import IMPORT
from test_import_rows import OWN, TABLES, samples_of

KILLS = int(os.environ.get("HAWK_KILLS", "3"))
RESTARTS = int(os.environ.get("HAWK_RESTARTS", "2"))
KEY = "evals/set-1/log.eval"
COPIES = 15


@pytest.fixture(scope="module")
def store(logs, tmp_path_factory) -> pathlib.Path:
    """A store with one log, of some hundred samples."""
    store = tmp_path_factory.mktemp("store")
    path = store / KEY
    path.parent.mkdir(parents=True)
    source = logs / "tools.eval"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", 93) as new:
        for copy in range(COPIES):
            for i, sample in enumerate(samples_of(source)):
                sample.update(id=f"{i}-{copy}", uuid=f"uuid-{i}-{copy}")
                new.writestr(f"samples/{i}-{copy}_epoch_1.json", json.dumps(sample))
        new.writestr("summaries.json", "[]")
        new.writestr("header.json", old.read("header.json"))
    return store


class Sqlite:
    """A database in a file."""

    def __init__(self, folder: pathlib.Path):
        self.path = folder / "w.db"
        self.url = str(self.path)

    def empty(self) -> None:
        """Start anew."""
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def columns(self, table: str) -> list[str]:
        """The columns of a table."""
        return self.run(f"SELECT name FROM pragma_table_xinfo('{table}')").split()

    def run(self, query: str) -> str:
        """What a query of one column gives, a row in a line."""
        import sqlite3

        with sqlite3.connect(self.path) as connection:
            return "\n".join(str(row[0]) for row in connection.execute(query))

    def text(self, names: list[str]) -> str:
        """An expression that is all of a row."""
        return " || '|' || ".join(f"coalesce(CAST({name} AS TEXT), '-')" for name in names)


class Server(Sqlite):
    """A database of a PostgreSQL server."""

    def __init__(self, postgresql):
        self.server = postgresql
        self.url = postgresql.url("killed")

    def empty(self) -> None:
        self.server.run("DROP DATABASE IF EXISTS killed WITH (FORCE)")
        self.server.run("CREATE DATABASE killed")

    def columns(self, table: str) -> list[str]:
        return self.run(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY 1").split()

    def run(self, query: str) -> str:
        return self.server.run(query, "killed")


def digest(database: Sqlite) -> dict[str, tuple[int, str]]:
    """Count and hash of the rows of each table, but for keys and the times of imports."""
    found = {}
    for table in TABLES:
        names = [f't."{name}"' for name in database.columns(table) if name not in OWN]
        below = table not in ("eval", "model_role", "sample", "score")
        join = " JOIN sample s ON s.pk = t.sample_pk" if below else ""
        rows = database.run(f"SELECT {database.text([*(['s.uuid'] if below else []), *names])} FROM {table} t{join}")
        lines = sorted(rows.splitlines())
        found[table] = (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())
    return found


def start(database: Sqlite, store: pathlib.Path) -> subprocess.Popen:
    """Begin an import."""
    return subprocess.Popen([IMPORT, database.url, store, KEY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(database: Sqlite, store: pathlib.Path) -> str:
    """Import to the end."""
    importer = start(database, store)
    out, err = importer.communicate(timeout=300)
    assert importer.returncode == 0, err
    return out


def whole(database: Sqlite, store: pathlib.Path) -> tuple[dict, float]:
    """What an import that nothing happens to leaves, and how long it takes."""
    database.empty()
    begun = time.monotonic()
    assert finish(database, store).startswith("done ")
    return digest(database), time.monotonic() - begun


def check_kills(database: Sqlite, store: pathlib.Path) -> None:
    """Kill imports at random points, take them up again, and compare."""
    wanted, seconds = whole(database, store)
    chance = random.Random(11)
    n_taken_up = 0
    for _ in range(KILLS):
        database.empty()
        importer = start(database, store)
        time.sleep(chance.random() * seconds)
        importer.send_signal(signal.SIGKILL)
        importer.communicate()
        line = finish(database, store)
        n_taken_up += line.startswith("done ") and int(line.split()[1]) < wanted["sample"][0]
        assert digest(database) == wanted
    assert KILLS < 20 or n_taken_up > 0


def test_imports_killed_at_any_point_are_taken_up_again_in_sqlite(store, tmp_path):
    check_kills(Sqlite(tmp_path), store)


def test_imports_killed_at_any_point_are_taken_up_again_in_postgresql(store, postgresql):
    check_kills(Server(postgresql), store)


def test_imports_whose_server_is_restarted_are_taken_up_again(store, postgresql):
    database = Server(postgresql)
    wanted, seconds = whole(database, store)
    chance = random.Random(12)
    for _ in range(RESTARTS):
        database.empty()
        importer = start(database, store)
        time.sleep(chance.random() * seconds)
        postgresql.stop("immediate")
        postgresql.start()
        importer.communicate(timeout=300)
        finish(database, store)
        assert digest(database) == wanted
