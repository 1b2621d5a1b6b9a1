"""Fills an empty database with a warehouse of a million samples: make_warehouse.py URL [--samples N] [--evals N].

URL is sqlite:/path or postgresql://...; PostgreSQL is spoken to through psql. Rows are loaded below the migrations that
make tables of their own from them, so that those are built as for a database that has grown before an upgrade."""

import argparse
import io
import json
import pathlib
import random
import sqlite3
import subprocess
import time

EMBED = pathlib.Path(__file__).resolve().parent.parent.parent / "src" / "warehouse" / "embed"
BEGIN_US = 1_700_000_000_000_000
YEAR_US = 365 * 86400 * 1_000_000
LIMITS = ["context", "time", "working", "message", "token", "cost", "operator", "custom"]
GROUPS = ["model-access-public", "model-access-red", "model-access-blue", "model-access-green", "model-access-rare"]
FEW_GROUP, ONE_GROUP = "model-access-few", "model-access-one"  # of few eval sets, and of one
EVENTS = 500  # of the first sample of each eval set

# What has another form in the two databases; all else is text or a number in both.
INSTANTS = {"timestamp", "created_at", "updated_at", "first_imported_at", "last_imported_at", "file_last_modified", "started_at", "completed_at", "scored_at"}
FLAGS = {"is_intermediate", "is_provisional"}
LISTS = {"model_groups"}


class SqliteWriter:
    def __init__(self, url: str):
        self.db = sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA temp_store = MEMORY")
        self.folder = EMBED / "sqlite"

    def script(self, text: str) -> None:
        self.db.executescript("BEGIN;" + text + ";COMMIT;")

    def load(self, table: str, columns: list[str], rows) -> None:
        marks = ", ".join("?" * len(columns))
        names = ", ".join(f'"{c}"' for c in columns)
        self.db.execute("BEGIN")
        self.db.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        self.db.execute("COMMIT")

    def load_documents(self, rows) -> None:
        self.script("DELETE FROM search_todo")
        self.load("search_doc", DOC_COLUMNS, rows)

    def finish(self) -> None:
        self.db.execute("ANALYZE")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class PostgresWriter:
    def __init__(self, url: str):
        self.url = url
        self.folder = EMBED / "postgres"

    def psql(self, *args: str, text: bytes) -> None:
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.url, *args], input=text, check=True, stdout=subprocess.DEVNULL)

    def script(self, text: str) -> None:
        self.psql("-1", "-f", "-", text=text.encode())

    @staticmethod
    def form(column: str, value) -> str:
        if value is None:
            return "\\N"
        if column in INSTANTS:
            seconds, micros = divmod(value, 1_000_000)
            return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06d}Z"
        if column in FLAGS:
            return "t" if value else "f"
        if column in LISTS:
            return "{" + ",".join(json.loads(value)) + "}"
        return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")

    def load(self, table: str, columns: list[str], rows) -> None:
        names = ", ".join(f'"{c}"' for c in columns)
        copy = subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.url, "-c", f"COPY {table} ({names}) FROM STDIN"],
                                stdin=subprocess.PIPE)
        out = io.TextIOWrapper(copy.stdin, encoding="utf-8", write_through=False)
        for row in rows:
            out.write("\t".join(self.form(c, v) for c, v in zip(columns, row)) + "\n")
        out.close()
        if copy.wait() != 0:
            raise SystemExit(f"cannot load {table}")

    def load_documents(self, rows) -> None:
        self.script("DELETE FROM search_todo; DROP INDEX IF EXISTS search_doc_by_words; CREATE UNLOGGED TABLE made (no bigint, sample_pk uuid, "
                    "entity int, content int, entity_pk text, anchor text, body text)")
        self.load("made", DOC_COLUMNS, rows)
        self.script("INSERT INTO search_doc (no, sample_pk, entity, content, entity_pk, anchor, body, tsv) SELECT no, sample_pk, entity, "
                    "content, entity_pk, anchor, body, to_tsvector('simple', regexp_replace(body, '[^a-zA-Z0-9]+', ' ', 'g')) || search_places(no) FROM made; "
                    "DROP TABLE made; CREATE INDEX search_doc_by_words ON search_doc USING gin (tsv)")

    def finish(self) -> None:
        self.psql("-c", "VACUUM ANALYZE", text=b"")


def uuid(kind: int, number: int) -> str:
    """Like those of version 7: in order, so that rows lie as they would after an import."""
    return f"0190{kind:04x}-{number >> 32 & 0xffff:04x}-7000-8000-{number & 0xffffffff:012x}"


class Evals:
    """The evals, and for each what its samples are like."""

    def __init__(self, n: int, n_samples: int):
        pick = random.Random(1)
        n_sets = max(1, n // 5)
        self.rows, self.facts = [], []
        for i in range(n):
            created = BEGIN_US + YEAR_US * i // n
            task = min(int(pick.paretovariate(1)) - 1, 39)
            model = min(int(pick.expovariate(0.35)), 11)
            which = i * n_sets // n
            groups = [GROUPS[0]] if which % 3 else [GROUPS[0], GROUPS[1 + min(int(pick.expovariate(1)), 3)]]
            if which % 40 == 7:
                groups = [FEW_GROUP] if which != 207 else [ONE_GROUP]
            count = n_samples // n
            eval_set, name = f"bench-set-{which:04d}", f"task_{task:02d}"
            location = f"/var/lib/hawk/store/evals/{eval_set}/2026-01-01T00-00-00_{name}_{i:06d}.eval"
            self.facts.append((task, model, created, count, eval_set, name, f"model-{model:02d}", location))
            self.rows.append((uuid(1, i), created, created, created, created, eval_set, f"eval{i:08d}", f"id-{name}", name,
                              str(task % 3) if task % 4 else None, count, count, location, f"evals/{eval_set}/{name}_{i:06d}.eval",
                              100000, f"etag:{i}", created, f"person-{min(int(pick.expovariate(0.2)), 19):02d}", "success", "success",
                              f"model-{model:02d}", json.dumps(groups)))

    COLUMNS = ["pk", "created_at", "updated_at", "first_imported_at", "last_imported_at", "eval_set_id", "id", "task_id", "task_name",
               "task_version", "total_samples", "completed_samples", "location", "log_key", "file_size_bytes", "file_hash",
               "file_last_modified", "created_by", "status", "import_status", "model", "model_groups"]


SAMPLE_COLUMNS = ["pk", "created_at", "updated_at", "first_imported_at", "last_imported_at", "eval_pk", "id", "uuid", "epoch", "started_at",
                  "completed_at", "input", "output", "input_tokens", "output_tokens", "reasoning_tokens", "total_tokens", "action_count",
                  "message_count", "working_time_seconds", "total_time_seconds", "generation_time_seconds", "error_message", "limit",
                  "search_text"]


def samples(evals: Evals):
    """Long tasks take more tokens than short ones whatever the model, slow models more time; every eval has its hours."""
    pick = random.Random(2)
    filler = "Please work out the following and say how you got there. " * 8
    number = 0
    for i, (task, model, created, count, eval_set, name, model_name, location) in enumerate(evals.facts):
        for k in range(count):
            tokens = int(pick.lognormvariate(6 + task * 0.15, 0.8))
            out = int(tokens * pick.uniform(0.05, 0.3))
            seconds = pick.lognormvariate(1 + model * 0.2, 0.5)
            started = created + int(pick.uniform(0, 3600) * 1e6)
            fate = pick.random()
            error = f"RuntimeError: sandbox {pick.randrange(1000)} did not answer" if fate < 0.05 else None
            limit = LIMITS[min(int(pick.expovariate(1)), 7)] if 0.05 <= fate < 0.10 else None
            done = started + int(seconds * 1e6) if pick.random() < 0.99 else None
            sample_id = f"{name}-{k // 2:05d}"
            yield (uuid(2, number), created, created, created, created, uuid(1, i), sample_id, f"{pick.getrandbits(110):022x}"[:22], k % 2 + 1,
                   started, done, json.dumps(filler + str(number)), '{"model":"m","choices":[]}', tokens, out,
                   out // 2 if model % 2 else None, tokens + out, task if pick.random() < 0.5 else None, pick.randrange(2, 80),
                   seconds * 0.8, seconds, seconds * 0.5, error, limit,
                   f"{sample_id} {name} eval{i:08d} {eval_set} {location} {model_name}")
            number += 1


EVENT_COLUMNS = ["pk", "created_at", "updated_at", "sample_pk", "event_order", "event_type", "event_uuid", "timestamp", "info_source",
                 "info_data"]


def events(evals: Evals):
    """One sample of each eval set has events, all others have none."""
    number = 0
    at = 0
    last_set = None
    for _task, _model, created, count, eval_set, *_rest in evals.facts:
        for k in range(EVENTS if eval_set != last_set else 0):
            text = json.dumps({"step": k, "said": "what an agent says of what it does now " * 5})
            yield (uuid(5, number), created, created, uuid(2, at), k, "info", f"event{number:09d}", created + k, "agent", text)
            number += 1
        last_set = eval_set
        at += count


DOC_COLUMNS = ["no", "sample_pk", "entity", "content", "entity_pk", "anchor", "body"]


def documents(evals: Evals, n_each: int):
    """Some documents of each sample: common words in all, one word for each task, one of old evals only, a rare one."""
    pick = random.Random(4)
    number = 0
    for i, (task, *_rest, count, _set, _name, _model, _location) in enumerate(evals.facts):
        old = " of old origin" if i < len(evals.facts) // 10 else ""
        for k in range(count * n_each):
            which = pick.random()
            rare = " a blue zephyr in the trees" if which < 0.000005 else " one zephyr" if which < 0.00002 else ""
            question = " question" if k % 3 == 0 else ""
            body = (f"Please work out the following{question} number {pick.randrange(100000)} with kettle{task}{old} "
                    f"and tool{pick.randrange(500)} because item{pick.randrange(20000)} says so{rare}: the answer is {pick.randrange(1000)}.")
            yield ((i + 1) << 32 | k, uuid(2, number + k // n_each), 2, 4, uuid(4, 0), None, body)
        number += count


SCORE_COLUMNS = ["pk", "created_at", "updated_at", "sample_pk", "value", "value_float", "explanation", "answer", "scorer", "is_intermediate",
                 "scored_at"]


def scores(evals: Evals):
    pick = random.Random(3)
    number = 0
    at = 0
    for i, (task, model, created, count, *_rest) in enumerate(evals.facts):
        for _ in range(count):
            if pick.random() < 0.94:
                right = pick.random() < 0.9 - task * 0.015
                rows = [("match", '"C"' if right else '"I"', None)]
                if i % 4:
                    grade = round(min(max(pick.gauss(0.75 if right else 0.3, 0.2), 0), 1), 4)
                    rows += [("grade", json.dumps(grade), grade), ("includes", "1" if right else "0", 1.0 if right else 0.0)]
                elif i % 8 == 0:
                    grade = round(pick.random(), 6)
                    rows = [("accuracy", json.dumps(grade), grade)]
                for scorer, value, real in rows:
                    yield (uuid(3, number), created, created, uuid(2, at), value, real, None, None, scorer, 0, created)
                    number += 1
            at += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--evals", type=int, default=2000)
    parser.add_argument("--documents", type=int, default=3, help="for each sample")
    parser.add_argument("--only-documents", action="store_true", help="the rest is there")
    options = parser.parse_args()
    writer = SqliteWriter(options.url) if options.url.startswith("sqlite:") else PostgresWriter(options.url)
    evals = Evals(options.evals, options.samples)
    steps = sorted(p for p in writer.folder.glob("*.sql") if "import_queue" not in p.name)
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - begun:7.1f} s  {what}", flush=True)

    if options.only_documents:
        writer.load_documents(documents(evals, options.documents))
        writer.finish()
        say("documents")
        return
    instant = "bigint" if isinstance(writer, PostgresWriter) else "INTEGER"
    writer.script(f"CREATE TABLE schema_version (component text NOT NULL, number {instant} NOT NULL, applied_at {instant} NOT NULL, "
                  "PRIMARY KEY (component, number))" + (" STRICT" if isinstance(writer, SqliteWriter) else ""))
    writer.script(steps[0].read_text())
    writer.load("eval", Evals.COLUMNS, evals.rows)
    writer.load("sample", SAMPLE_COLUMNS, samples(evals))
    say("samples")
    writer.load("score", SCORE_COLUMNS, scores(evals))
    say("scores")
    writer.load("event", EVENT_COLUMNS, events(evals))
    say("events")
    for step in steps[1:]:
        writer.script(step.read_text())
        say(step.name)
    for i in range(len(steps)):
        writer.script(f"INSERT INTO schema_version VALUES ('warehouse', {i + 1}, 0)")
    if options.documents:
        writer.load_documents(documents(evals, options.documents))
        say("documents")
    writer.finish()
    say("done")


if __name__ == "__main__":
    main()
