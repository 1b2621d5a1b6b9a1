"""The same logs by our importer and by the one of the Python hawk 3.7.2: equal rows in every table, column by column.

Both read the same objects of one bucket and write to databases of one PostgreSQL; the rows of the peer, which takes minutes,
are kept in the cache of ./dev for as long as it and the logs are the same. Rows are matched by what identifies
them to users (ids, uuids, orders); JSON is compared as JSON. EXCEPTIONS names what differs on purpose; docs/warehouse.md
has the same list. HAWK_ALL_LOGS=1 takes all logs, not one of three of the old versions, limits and names of models.
"""

import concurrent.futures
import dataclasses
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess
from collections.abc import Callable

import hawk_peer
import postgres
import pytest
from bucket import Bucket
from conftest import ROOT
from test_import import IMPORT

STEP = 1 if os.environ.get("HAWK_ALL_LOGS") else 3
"""Of logs of one kind, each or every third: the peer needs the processor for a second for each."""

MADE = ["tools", "tools_deflate", "tools_stored", "tools_wide", "tools_frames", "tools_chunked", "requeued", "crashed", "running", "errors",
        "failed", "limits_messages", "limits_tokens", "intermediate", "unscored", "many"]
LIMITS = ["turn", "time", "working", "message", "token", "cost", "operator", "custom", "context"]
ODD = ["base", "scores", "score_edits", "invalidated", "cancelled", "error_at_end", "orders", "texts", "lone_surrogates", "indented", "times",
       "every_event", "legacy_events", "agents", "specs", "no_samples", "bare_samples", "large_sample",
       *[f"limit_{kind}" for kind in LIMITS[::STEP]], *[f"names_{i}" for i in range(0, 14, STEP)]]
OLD = [f"v{version}_{kind}" for version in ("0.3.58", "0.3.70", "0.3.100", "0.3.140", "0.3.188", "0.3.240")
       for kind in ("agent", "errors", "failed", "messages", "tokens")][::STEP]
ALL = MADE + ODD + OLD

REFUSED = {
    "lone_surrogates": "cannot encode them as UTF-8",
    "tools_chunked": "does not find samples that are in parts",
    "limit_turn": "has no such value in its enum",
    **{name: "wants uuids of samples, which Inspect had later" for name in OLD if "v0.3.58" in name},
}
"""Logs that only the peer refuses, and why."""

OF_SAMPLE = "JOIN sample s ON s.pk = t.sample_pk JOIN eval e ON e.pk = s.eval_pk"
KEYS = {
    "eval": ("t.id", "JOIN eval e ON e.pk = t.pk"),
    "sample": ("t.uuid", "JOIN eval e ON e.pk = t.eval_pk"),
    "score": ("s.uuid, t.scorer", OF_SAMPLE),
    "message": ("s.uuid, t.message_order", OF_SAMPLE),
    "sample_attachment": ("s.uuid, t.attachment_key", OF_SAMPLE),
    "sample_model": ("s.uuid, t.model", OF_SAMPLE),
    "model_role": ("t.role, t.model", "JOIN eval e ON e.pk = t.eval_pk"),
    "event": ("s.uuid, t.event_order", OF_SAMPLE),
    "message_pool": ("s.uuid, t.pool_order", OF_SAMPLE),
    "model_call_pool": ("s.uuid, t.pool_order", OF_SAMPLE),
}
"""What identifies a row of a table, and how its eval is found."""

NEVER_SAME = {
    "pk", "eval_pk", "sample_pk", "scan_pk", "scanner_result_pk", "updated_at", "first_imported_at", "last_imported_at", "search_tsv",
}
"""Columns that tell one database, or one run of an importer, from another; so does created_at of all but evals."""


@dataclasses.dataclass
class Allowed:
    """A difference that is there on purpose."""

    reason: str
    """As docs/warehouse.md has it."""
    is_this: Callable[[str, object, object], bool] = lambda where, ours, theirs: True
    """Whether two values at a place in the column's JSON differ as the reason says."""


def is_filled_in(*endings: str) -> Callable[[str, object, object], bool]:
    """Differences at these places of JSON where the log says nothing."""
    return lambda where, ours, theirs: ours is None and where.endswith(endings)


FILLED = "what the reader fills in for logs of older versions is not stored"
UNSAID = "a part of a score that an edit leaves as it was is not stored as UNCHANGED"
COUNTED = "of a log without results the samples are counted, 0 in the peer"
BEGAN = "of a sample without events it is what the sample says, NULL in the peer"
FILLED_OUTPUT = Allowed(FILLED, is_filled_in(".completion", ".type"))
UNCHANGED = Allowed(UNSAID, lambda where, ours, theirs: ours is None and theirs == "UNCHANGED")

EXCEPTIONS = {
    ("eval", "model_groups"): Allowed(
        "a model that is in no group is seen by nobody, in the peer by everybody", lambda where, ours, theirs: theirs == []
    ),
    ("eval", "meta"): Allowed("{} when the log has none, JSON null in the peer", lambda where, ours, theirs: (ours, theirs) == ({}, None)),
    ("eval", "total_samples"): Allowed(COUNTED, lambda where, ours, theirs: theirs == 0),
    ("eval", "completed_samples"): Allowed(COUNTED, lambda where, ours, theirs: theirs == 0),
    ("eval", "plan"): Allowed(FILLED, is_filled_in(".params_passed")),
    ("eval", "model_generate_config"): Allowed(FILLED, is_filled_in("")),
    ("sample", "started_at"): Allowed(BEGAN, lambda where, ours, theirs: theirs is None),
    ("sample", "completed_at"): Allowed(BEGAN, lambda where, ours, theirs: theirs is None),
    ("sample", "output"): FILLED_OUTPUT,
    ("score", "history"): UNCHANGED,
    ("message", "data"): FILLED_OUTPUT,
    ("message_pool", "data"): FILLED_OUTPUT,
    ("message_pool", "content_hash"): Allowed("of the message as the log has it, in the peer with every default written out"),
    ("event", "model_output"): FILLED_OUTPUT,
    ("event", "score_edit_data"): UNCHANGED,
    ("event", "score_value"): Allowed(FILLED, lambda where, ours, theirs: (where, ours, theirs) == (".history", None, [])),
    ("event", "event_type"): Allowed("review and sentinel events have their names, event in the peer", lambda where, ours, theirs: theirs == "event"),
    ("event", "working_start"): Allowed(FILLED, is_filled_in("")),
    ("event", "sample_init_data"): Allowed(
        "the sandbox is kept, lost in the peer; messages without an id get none",
        lambda where, ours, theirs: where == ".sandbox" and theirs is None or where.endswith(".id") and ours is None,
    ),
    ("event", "state_changes"): Allowed("the source of a move is `from`, `from_` in the peer", lambda where, ours, theirs: where.endswith((".from", ".from_"))),
    ("event", "subtask_input"): Allowed(
        "a list, as older versions have it, is kept, {} in the peer", lambda where, ours, theirs: isinstance(ours, list) and theirs == {}
    ),
}
"""(table, column): how ours is another on purpose."""


OF_OBJECT = "when the object was written"
"""Kept in place of the instant, which is another in each run."""

Rows = dict[str, dict[tuple, dict]]
"""By table, and by what identifies a row of it."""


class Round:
    """A database for each importer, and what each of them said of its logs."""

    def __init__(self, server: postgres.Postgres, n: int):
        self.server = server
        self.ours, self.theirs = f"ours_{n}", f"theirs_{n}"
        self.keys: dict[str, str] = {}
        """The key in the bucket of each log."""
        self.we_say: dict[str, str] = {}
        self.they_say: dict[str, dict] = {}
        """The peer's error, or its rows."""

    def rows(self, database: str, key: str) -> list[dict]:
        """The rows that come from a log: `of` which table, `k` that identifies them, `row`."""
        return self.server.rows(" UNION ALL ".join(
            f"SELECT '{table}' AS of, json_build_array({identity}) AS k, to_json(t) AS row FROM {table} t {joins} "
            f"WHERE e.location = 's3://hawk-test/{key}'" for table, (identity, joins) in KEYS.items()
        ), database)


def by_table(rows: list[dict]) -> Rows:
    """Rows, found by table and identity."""
    found: Rows = {table: {} for table in KEYS}
    for row in rows:
        found[row["of"]][tuple(row["k"])] = row["row"]
    return found


def header_of(path: pathlib.Path) -> tuple[str, str]:
    """What tells one eval from another, and the eval set that it says it is in."""
    from inspect_ai.log import read_eval_log

    try:
        log = read_eval_log(str(path), header_only=True)
    except KeyError:
        return path.name, "odd"
    return log.eval.eval_id, (log.eval.metadata or {}).get("eval_set_id", "odd")


def rounds_of(server: postgres.Postgres, paths: dict[str, pathlib.Path]) -> list[Round]:
    """Spread the logs over databases, so that none has two logs of one eval."""
    rounds: list[tuple[Round, set]] = []
    for name, path in paths.items():
        own, eval_set = header_of(path)
        for one, has in rounds:
            if own not in has:
                break
        else:
            one, has = Round(server, len(rounds)), set()
            rounds.append((one, has))
        has.add(own)
        one.keys[name] = f"evals/{eval_set}/{name}.eval"
    return [one for one, _ in rounds]


def import_ours(one: Round, bucket: Bucket) -> None:
    """Import a round's logs with our importer."""
    one.server.make(one.ours)
    command = [IMPORT, one.server.url(one.ours), f"s3://{bucket.name}", *one.keys.values()]
    done = subprocess.run(command, env=bucket.environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    one.we_say = dict(zip(one.keys, done.stdout.splitlines(), strict=True))


def import_theirs(peer: pathlib.Path, rounds: list[Round], bucket: Bucket) -> dict[str, dict]:
    """Import all rounds' logs with the peer's importer; return what it says of each, its error or its rows."""
    server = rounds[0].server
    hawk_peer.make_schema(peer, server.tcp_url(server.make("empty")))
    for one in rounds:
        server.run(f"CREATE DATABASE {one.theirs} TEMPLATE empty")
    wanted = [(one, name, key) for one in rounds for name, key in one.keys.items()]
    logs = [(server.tcp_url(one.theirs), f"s3://{bucket.name}/{key}") for one, _, key in wanted]
    answers, _ = hawk_peer.import_logs(peer, logs, bucket.env)
    said = {}
    for (one, name, key), answer in zip(wanted, answers, strict=True):
        said[name] = {"error": answer.error} if answer.error else {"rows": one.rows(one.theirs, key)}
        with_date(said[name], bucket.modified(key), OF_OBJECT)
    return said


def with_date(answer: dict, old: str, new: str) -> None:
    """Put another instant where the peer says that the object is of this one."""
    for row in answer.get("rows", []):
        if row["of"] == "eval" and is_equal(row["row"]["file_last_modified"], old):
            row["row"]["file_last_modified"] = new


def said_by_peer(peer: pathlib.Path, rounds: list[Round], bucket: Bucket, paths: dict[str, pathlib.Path]) -> dict[str, dict]:
    """What the peer says of each log. It is kept, unless an import went wrong that should not."""
    mark = hashlib.sha256(repr((KEYS, OF_OBJECT, [one.keys for one in rounds])).encode())
    for path in (hawk_peer.LOCK, hawk_peer.HERE / "hawk_import.py", *paths.values()):
        mark.update(hashlib.sha256(path.read_bytes()).digest())
    kept = hawk_peer.CACHE / f"peer-rows-{mark.hexdigest()[:16]}.json.gz"
    with hawk_peer.locked(kept.with_suffix(".lock")):
        if kept.exists():
            return json.loads(gzip.decompress(kept.read_bytes()))
        said = import_theirs(peer, rounds, bucket)
        if {name for name, answer in said.items() if "error" in answer} == REFUSED.keys():
            part = kept.with_suffix(".part")
            part.write_bytes(gzip.compress(json.dumps(said).encode()))
            part.rename(kept)
    return said


@pytest.fixture(scope="module")
def rounds(logs, odd_logs, old_logs, peer, postgresql, bucket) -> dict[str, Round]:
    """All logs, imported by both; the round of each log."""
    folders = {**dict.fromkeys(MADE, logs), **dict.fromkeys(ODD, odd_logs), **dict.fromkeys(OLD, old_logs)}
    paths = {name: folder / f"{name}.eval" for name, folder in folders.items()}
    made = rounds_of(postgresql, paths)
    for one in made:
        for name, key in one.keys.items():
            bucket.put(key, paths[name].read_bytes())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(said_by_peer, peer, made, bucket, paths)
        for one in made:
            import_ours(one, bucket)
        for one in made:
            one.they_say = {name: theirs.result()[name] for name in one.keys}
            for name, key in one.keys.items():
                with_date(one.they_say[name], OF_OBJECT, bucket.modified(key))
    return {name: one for one in made for name in one.keys}


def differences(table: str, ours: dict, theirs: dict) -> list[str]:
    """Where the rows of a table differ."""
    lines = [f"{table} {key}: only ours has it" for key in ours.keys() - theirs.keys()]
    lines += [f"{table} {key}: only the peer has it" for key in theirs.keys() - ours.keys()]
    for key in sorted(ours.keys() & theirs.keys(), key=str):
        for column, value in theirs[key].items():
            if column in NEVER_SAME or (column == "created_at" and table != "eval"):
                continue
            own = ours[key].get(column, "(no such column)")
            for where, a, b in unlike(own, value):
                if not is_allowed(table, column, where, a, b):
                    lines.append(f"{table}.{column} {key} {where}: ours {str(a)[:200]!r}, the peer's {str(b)[:200]!r}")
    return lines


def is_allowed(table: str, column: str, where: str, ours, theirs) -> bool:
    """Whether a difference is one of the exceptions."""
    allowed = EXCEPTIONS.get((table, column))
    return allowed is not None and allowed.is_this(where, ours, theirs)


def unlike(a, b, path: str = ""):
    """Yield the places where two values differ, with both values. A member that is null is as one that is not there: the
    peer writes all defaults out, ours keeps what the log says."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from unlike(a.get(key), b.get(key), f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from unlike(x, y, f"{path}[{i}]")
    elif not is_equal(a, b):
        yield path, a, b


def is_equal(a, b) -> bool:
    """Equality of plain values; numbers by value, texts of instants by instant."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if a == b:
        return True
    return isinstance(a, str) and isinstance(b, str) and instant(a) is not None and instant(a) == instant(b)


def instant(text: str) -> datetime.datetime | None:
    """The instant that a text says, None for other texts."""
    try:
        return datetime.datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        return None


@pytest.mark.parametrize("name", [name for name in ALL if name not in REFUSED])
def test_both_importers_make_the_same_rows(rounds, name):
    one = rounds[name]
    key = one.keys[name]
    assert not one.we_say[name].startswith("error"), one.we_say[name]
    assert "error" not in one.they_say[name], one.they_say[name]
    ours, theirs = by_table(one.rows(one.ours, key)), by_table(one.they_say[name]["rows"])
    lines = [line for table in KEYS for line in differences(table, ours[table], theirs[table])]
    assert not lines, f"{len(lines)} differences\n" + "\n".join(lines[:60])


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_the_peer_refuses_is_imported(rounds, name):
    one = rounds[name]
    assert "error" in one.they_say[name]
    assert re.fullmatch(r"done [1-9]\d*", one.we_say[name])


def test_each_exception_is_in_the_document():
    document = (ROOT / "docs/warehouse.md").read_text()
    missing = [f"{table}.{column}" for table, column in EXCEPTIONS if f"`{table}.{column}`" not in document]
    assert not missing
