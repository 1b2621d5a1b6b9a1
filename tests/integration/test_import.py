"""What the warehouse holds of a log, against Inspect's own reader; and logs that come, grow and go under a server."""

import json
import math
import os
import pathlib
import shutil
import sqlite3
import subprocess
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))
IMPORT = BUILD / "tests" / "tools" / "warehouse_import"

WHOLE = ["tools.eval", "tools_deflate.eval", "errors.eval", "failed.eval", "limits_messages.eval", "limits_tokens.eval",
         "intermediate.eval", "unscored.eval", "many.eval"]
USAGES = ["input_tokens", "output_tokens", "reasoning_tokens", "total_tokens", "input_tokens_cache_read", "input_tokens_cache_write"]


class Warehouse:
    """A database and a store of logs."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.database = folder / "warehouse.db"
        self.store = folder / "store"

    def put(self, log: pathlib.Path, key: str) -> None:
        """Lay a log into the store in one step, as something that replaces a file does."""
        path = self.store / key
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)

    def imports(self, *keys: str) -> list[str]:
        """Import keys; return a line for each."""
        done = subprocess.run([IMPORT, self.database, self.store, *keys], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def rows(self, query: str, *values) -> list[dict]:
        """The rows of a query."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]


@pytest.fixture
def warehouse(tmp_path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse(tmp_path)


def instant(when) -> int | None:
    """A datetime as microseconds."""
    return None if when is None else round(when.timestamp() * 1_000_000)


def plain(value):
    """A value as JSON has it, NaN and infinities as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def document(model) -> object:
    """A record of Inspect's, or a plain value, as JSON has it."""
    if hasattr(model, "model_dump_json"):
        return plain(json.loads(model.model_dump_json(exclude_none=True)))
    if isinstance(model, list):
        return [document(item) for item in model]
    return plain(model)


def without_null(value):
    """The same without members that are null."""
    if isinstance(value, dict):
        return {k: without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_null(v) for v in value]
    return value


def end_of_work(sample) -> int | None:
    """The instant of the event before the first final score, of a sample limit, or of the last event."""
    last = end = None
    for event in sample.events:
        if event.event == "score" and not event.intermediate and not end:
            end = last
        if event.event == "sample_limit":
            end = event.timestamp
        last = event.timestamp
    return instant(end or last)


def usage_of(sample, name: str) -> int:
    """Tokens of all models."""
    return sum(getattr(usage, name) or 0 for usage in sample.model_usage.values())


def expected_sample(sample) -> dict:
    """The row of a sample, by the rules of the warehouse."""
    tools = sum(event.event == "tool" for event in sample.events)
    times = [e.working_time for e in sample.events if e.event == "model" and e.working_time is not None]
    error = sample.error
    return {
        "id": str(sample.id),
        "epoch": sample.epoch,
        "uuid": sample.uuid,
        "started_at": instant(sample.events[0].timestamp),
        "completed_at": end_of_work(sample),
        "action_count": tools or None,
        "message_count": len(sample.messages) or None,
        "working_time_seconds": sample.working_time or 0,
        "total_time_seconds": sample.total_time or 0,
        "generation_time_seconds": pytest.approx(sum(times)) if times else None,
        "error_message": error.message if error else None,
        "error_traceback": error.traceback if error else None,
        "limit": sample.limit.type if sample.limit else None,
        "status": "error" if error else f"{sample.limit.type}_limit" if sample.limit else "success",
        "is_invalid": 0,
        "is_provisional": 0,
        **{name: usage_of(sample, name) for name in USAGES},
    }


def expected_score(scorer: str, score, is_intermediate: bool) -> dict:
    """The row of a score."""
    number = float(score.value) if isinstance(score.value, int | float) else None
    strange = number is not None and not math.isfinite(number)
    kept = None if strange and math.isnan(number) else number  # SQLite has no NaN
    return {
        "scorer": scorer,
        "value": document(score.value),
        "value_float": kept,
        "value_nonfinite": ("nan" if math.isnan(number) else "inf" if number > 0 else "-inf") if strange else None,
        "answer": score.answer,
        "explanation": score.explanation,
        "meta": document(score.metadata or {}),
        "is_intermediate": int(is_intermediate),
    }


def expected_scores(sample) -> list[dict]:
    """The rows of a sample's scores."""
    rows = [expected_score(name, score, False) for name, score in (sample.scores or {}).items()]
    partial = [event for event in sample.events if event.event == "score" and event.intermediate]
    rows += [expected_score(f"intermediate_{i}", event.score, True) for i, event in enumerate(partial)]
    return sorted(rows, key=lambda row: row["scorer"])


def check_sample(warehouse: Warehouse, sample) -> None:
    """Compare one sample's rows."""
    (row,) = warehouse.rows("SELECT * FROM sample WHERE uuid = ?", sample.uuid)
    expected = expected_sample(sample)
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["input"]) == document(sample.input) or without_null(json.loads(row["input"])) == without_null(document(sample.input))
    assert json.loads(row["meta"]) == document(sample.metadata)
    output = {**document(sample.output), "model": sample.output.model.removeprefix("mockllm/")}
    assert without_null(json.loads(row["output"])) == without_null(output)
    scores = warehouse.rows("SELECT * FROM score WHERE sample_uuid = ? ORDER BY scorer", sample.uuid)
    for score in scores:
        score["value"], score["meta"] = json.loads(score["value"]), json.loads(score["meta"])
    wanted = expected_scores(sample)
    assert [{k: s[k] for k in w} for s, w in zip(scores, wanted, strict=True)] == wanted


def check_eval(warehouse: Warehouse, log, n_samples: int) -> None:
    """Compare the eval's row."""
    (row,) = warehouse.rows("SELECT * FROM eval")
    results = log.results
    expected = {
        "id": log.eval.eval_id,
        "task_id": log.eval.task_id,
        "task_name": log.eval.task,
        "task_version": str(log.eval.task_version) if log.eval.task_version else None,
        "epochs": log.eval.config.epochs,
        "total_samples": results.total_samples if results else (log.eval.dataset.samples or 0) * (log.eval.config.epochs or 1),
        "status": log.status,
        "import_status": "success",
        "model": "model",
        "created_by": (log.eval.metadata or {}).get("created_by"),
        "error_message": log.error.message if log.error else None,
        "started_at": instant_of_text(log.stats.started_at),
        "completed_at": instant_of_text(log.stats.completed_at),
        "created_at": instant_of_text(log.eval.created),
        "model_groups": '["__unresolved__"]',
    }
    if results:
        expected["completed_samples"] = results.completed_samples
    assert {name: row[name] for name in expected} == expected
    assert without_null(json.loads(row["plan"])) == without_null(document(log.plan))
    assert warehouse.rows("SELECT count(*) n FROM sample WHERE eval_pk = ?", row["pk"])[0]["n"] == n_samples


def instant_of_text(text: str) -> int | None:
    """An instant of a log as microseconds."""
    import datetime

    return instant(datetime.datetime.fromisoformat(text)) if text else None


@pytest.mark.parametrize("kind", WHOLE)
def test_the_rows_of_a_log_are_what_inspect_reads(logs, warehouse, kind):
    key = f"evals/set-1/{kind}"
    warehouse.put(logs / kind, key)
    log = read_eval_log(str(logs / kind), resolve_attachments=False)
    assert warehouse.imports(key, key) == [f"done {len(log.samples)}", "unchanged 0"]
    check_eval(warehouse, log, len(log.samples))
    for sample in log.samples:
        check_sample(warehouse, sample)


def test_chunked_samples_give_the_same_rows(logs, warehouse, tmp_path):
    other = Warehouse(tmp_path / "other")
    other.folder.mkdir()
    key = "evals/set-1/tools.eval"
    warehouse.put(logs / "tools.eval", key)
    other.put(logs / "tools_chunked.eval", key)
    assert warehouse.imports(key) == other.imports(key)
    query = ("SELECT uuid, started_at, completed_at, message_count, action_count, total_tokens, error_message, "
             "generation_time_seconds FROM sample ORDER BY uuid")
    assert warehouse.rows(query) == other.rows(query)
    query = "SELECT sample_uuid, scorer, value, answer FROM score ORDER BY 1, 2"
    assert warehouse.rows(query) == other.rows(query)


def test_a_running_log_gives_its_summaries_and_those_of_its_buffer(logs, warehouse):
    key = "evals/set-2/running.eval"
    warehouse.put(logs / "running.eval", key)
    assert warehouse.imports(key)[0].startswith("running ")
    summaries = read_eval_log_sample_summaries(str(logs / "running.eval"))
    rows = {row["id"]: row for row in warehouse.rows("SELECT * FROM sample")}
    assert sorted(rows) == sorted(str(s.id) for s in summaries)
    with zipfile.ZipFile(logs / "running.eval") as archive:
        flushed = [name.removeprefix("samples/").removesuffix("_epoch_1.json") for name in archive.namelist() if name.startswith("samples/")]
    assert flushed and {name for name, row in rows.items() if not row["is_provisional"]} == set(flushed)
    shutil.copytree(logs / "running.buffer", warehouse.store / "evals/set-2/.buffer/running")
    warehouse.imports(key)
    rows = {row["id"]: row for row in warehouse.rows("SELECT * FROM sample")}
    assert set(rows) == {"first", "second", "third", "last"}
    assert rows["last"]["completed_at"] is None
    events = {row["id"]: row["n"] for row in warehouse.rows(
        "SELECT s.id, count(e.pk) n FROM sample s LEFT JOIN event e ON e.sample_pk = s.pk GROUP BY s.id")}
    assert {name for name, n in events.items() if n} == {name for name, row in rows.items() if row["completed_at"]}
    assert warehouse.imports(key) == ["running 1"]  # what is over is not written again
    (eval_row,) = warehouse.rows("SELECT * FROM eval")
    assert (eval_row["status"], eval_row["import_status"], eval_row["total_samples"]) == ("started", "pending", 4)


def write_log_of(path: pathlib.Path, samples: list[tuple[str, str]], is_whole: bool) -> None:
    """A log of samples, each an id and a uuid, that was cancelled or is still being written."""
    head = {"version": 2, "status": "cancelled", "eval": {"eval_id": "e", "task": "t", "model": "m", "dataset": {"samples": len(samples)}}}
    with zipfile.ZipFile(path, "w") as archive:
        for id, uuid in samples:
            sample = {"id": id, "epoch": 1, "uuid": uuid, "input": "x", "target": "", "completed_at": "2025-06-01T10:00:00+00:00",
                      "messages": [{"role": "user", "content": id}], "scores": {"match": {"value": 1}}, "events": []}
            archive.writestr(f"samples/{id}_epoch_1.json", json.dumps(sample))
        archive.writestr("_journal/start.json", json.dumps(head))
        if is_whole:
            archive.writestr("header.json", json.dumps(head))


@pytest.mark.parametrize("is_whole", [True, False])
def test_samples_of_one_uuid_are_one_sample_the_last_wherever_they_are_counted(warehouse, tmp_path, is_whole):
    write_log_of(tmp_path / "made.eval", [("a", "one"), ("b", "one"), ("c", "other")], is_whole)
    warehouse.put(tmp_path / "made.eval", "evals/set-1/made.eval")
    assert warehouse.imports("evals/set-1/made.eval") == ["done 2" if is_whole else "running 2"]
    assert warehouse.rows("SELECT s.id, m.data ->> 'content' AS said FROM sample s JOIN message m ON m.sample_pk = s.pk ORDER BY s.id") == [
        {"id": "b", "said": "b"}, {"id": "c", "said": "c"}]
    assert warehouse.rows("SELECT (SELECT count(*) FROM score) AS scores, (SELECT count(*) FROM listing_sample) AS listed, "
                          "completed_samples FROM eval") == [{"scores": 2, "listed": 2, "completed_samples": 2}]


def test_a_log_cut_off_at_any_place_is_refused_in_words(logs, warehouse):
    whole = (logs / "errors.eval").read_bytes()
    for n in range(0, len(whole), len(whole) // 9):
        (warehouse.folder / "cut").write_bytes(whole[:n])
        warehouse.put(warehouse.folder / "cut", "evals/set-1/cut.eval")
        (line,) = warehouse.imports("evals/set-1/cut.eval")
        assert line.startswith("error: cannot import evals/set-1/cut.eval: ")


# --- under a server ---


def listed(hawk, eval_set_id: str) -> list[dict]:
    """The samples that the API lists."""
    status, answer = hawk.get(f"/meta/samples?eval_set_id={eval_set_id}&limit=500")
    assert status == 200
    return answer["items"]


def test_a_log_that_appears_is_listed_and_one_that_goes_is_not(logs, hawk):
    under = Warehouse(hawk.data)
    under.put(logs / "tools.eval", "evals/set-1/tools.eval")
    hawk.wait_for(lambda: len(listed(hawk, "set-1")) == len(read_eval_log_sample_summaries(str(logs / "tools.eval"))), 20)
    (under.store / "evals/set-1/tools.eval").unlink()
    hawk.wait_for(lambda: not listed(hawk, "set-1"), 20)


def test_logs_that_changed_while_the_server_was_dead_are_found(logs, hawk):
    under = Warehouse(hawk.data)
    under.put(logs / "unscored.eval", "evals/set-1/a.eval")
    hawk.wait_for(lambda: len(listed(hawk, "set-1")) == 1, 20)
    hawk.kill()
    (under.store / "evals/set-1/a.eval").unlink()
    under.put(logs / "many.eval", "evals/set-2/b.eval")
    (under.folder / "bad").write_bytes(b"no log")
    under.put(under.folder / "bad", "evals/set-3/bad.eval")
    hawk.start()
    hawk.wait_for(lambda: len(listed(hawk, "set-2")) == 120, 20)
    hawk.wait_for(lambda: not listed(hawk, "set-1"), 20)
    assert listed(hawk, "set-3") == []


def test_a_log_that_grows_is_followed_to_its_end(logs, hawk):
    under = Warehouse(hawk.data)
    under.put(logs / "running.eval", "evals/set-2/log.eval")
    hawk.wait_for(lambda: listed(hawk, "set-2"), 20)
    shutil.copytree(logs / "running.buffer", under.store / "evals/set-2/.buffer/log")
    rows = hawk.wait_for(lambda: [row for row in listed(hawk, "set-2") if row["id"] == "last"], 20)
    assert rows[0]["is_provisional"]
    shutil.rmtree(under.store / "evals/set-2/.buffer")
    under.put(logs / "many.eval", "evals/set-2/log.eval")
    hawk.wait_for(lambda: [row["is_provisional"] for row in listed(hawk, "set-2")] == [False] * 120, 20)
