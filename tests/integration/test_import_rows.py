"""Rows below samples: what was in the log can be made of them again, on SQLite and PostgreSQL alike.

The rules that the importer follows are written down here once more, over the JSON of the logs.
"""

import json
import pathlib
import subprocess
import typing
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai._util.hash import mm3_hash
from inspect_ai.event._event import Event
from inspect_ai.log import condense_events, read_eval_log
from pydantic import TypeAdapter
from test_import import IMPORT, Warehouse, plain

# Which columns the members of events have, but those whose column is "<event>_<member>".
COMMON = {"uuid": "event_uuid", "span_id": "span_id", "timestamp": "timestamp", "working_start": "working_start",
          "pending": "pending", "metadata": "meta"}
TIMES = {"completed": "completed", "working_time": "working_time"}
NAMED = {
    "score": {"score": "score_value"},
    "score_edit": {"score_name": "score_edit_name", "edit": "score_edit_data"},
    "model": {"model": "model_name_raw", "config": "model_gen_config", **TIMES},
    "tool": {"id": "tool_call_id", **TIMES},
    "sandbox": {"completed": "completed"},
    "subtask": TIMES,
    "span_begin": {"id": "span_event_id", "parent_id": "span_parent_id", "type": "span_type", "name": "span_name"},
    "span_end": {"id": "span_event_id"},
    "sample_limit": {"type": "limit_type", "message": "limit_message", "limit": "limit_value"},
    "sample_init": {"sample": "sample_init_data", "state": "sample_init_state"},
    "error": {"error": "error_detail"},
    "input": {"input": "input_text", "input_ansi": "input_ansi"},
    "compaction": {"tokens_before": "tokens_before", "tokens_after": "tokens_after"},
    "anchor": {"anchor_id": "anchor_id"},
    "interrupt": {"interrupted_tool_call_id": "interrupt_tool_call_id", "interrupted_model_event_id": "interrupt_model_event_id"},
    "checkpoint": {"checkpoint_id": "checkpoint_id"},
}
EXTRAS = {"checkpoint": "checkpoint_extra"}
JSON_TEXT = ("score_value score_target score_model_usage score_scorer_args score_role_usage score_edit_data model_tools model_tool_choice "
             "model_gen_config model_output model_call tool_arguments tool_result tool_error tool_truncated tool_view approval_call "
             "approval_modified approval_metadata approval_view sandbox_options subtask_input subtask_result sample_init_data "
             "sample_init_state state_changes store_changes error_detail info_data logger_message input_fields input_content "
             "checkpoint_trigger_metadata checkpoint_host checkpoint_sandboxes meta extra checkpoint_extra").split()
INSTANTS = {"timestamp", "completed", "checkpoint_created_at"}
FLAGS = {"pending", "score_intermediate", "tool_failed"}


def samples_of(log: pathlib.Path) -> list[dict]:
    """The samples of an archive as its JSON has them, in order; of equal names the last counts."""
    with zipfile.ZipFile(log) as archive:
        names = {info.filename: info for info in archive.infolist() if info.filename.startswith("samples/")}
        return [json.loads(archive.read(info)) for info in names.values()]


def tidy(value):
    """A value without what stands for nothing: nulls, and lists and objects that are empty."""
    if isinstance(value, dict):
        return {k: tidy(v) for k, v in value.items() if v is not None and v != [] and v != {}}
    if isinstance(value, list):
        return [tidy(v) for v in value]
    return value


def event_of(row: dict) -> dict:
    """The event that a row was made of, as far as columns have it."""
    kind = row["event_type"]
    event = {"event": kind}
    for column, value in row.items():
        if value is None or column in EXTRAS.values() or column == "extra":
            continue
        member = {v: k for k, v in {**COMMON, **NAMED.get(kind, {})}.items()}.get(column)
        if not member and column.startswith(f"{kind}_"):
            member = column.removeprefix(f"{kind}_")
        if not member:
            continue
        value = json.loads(value) if column in JSON_TEXT else bool(value) if column in FLAGS else value
        event[member] = value
    for column in ("extra", EXTRAS.get(kind, "extra")):
        event.update(json.loads(row[column] or "{}"))
    return event


def expected_event(event: dict) -> dict:
    """The event as rows have it: messages of models are in pools."""
    event = {k: v for k, v in plain(event).items()}
    for name in ("timestamp", "completed", "created_at"):
        if isinstance(event.get(name), str) and (name != "created_at" or event["event"] == "checkpoint"):
            event[name] = micros(event[name])
    if event["event"] == "tool":
        event.pop("type", None)
    if event["event"] == "score" and event.get("model_usage"):
        event["model_usage"] = {name.removeprefix("mockllm/"): usage for name, usage in event["model_usage"].items()}
    if event["event"] == "model":
        event.pop("input", None)
        event.pop("input_refs", None)
        if event.get("call"):
            event["call"] = {k: v for k, v in event["call"].items() if k not in ("call_refs", "call_key")}
    return event


def micros(text: str) -> int:
    """An instant of a log as microseconds."""
    import datetime

    return round(datetime.datetime.fromisoformat(text).timestamp() * 1_000_000)


def check_events(warehouse: Warehouse, sample: dict) -> None:
    """Every event can be made again from its row."""
    rows = warehouse.rows("SELECT e.* FROM event e JOIN sample s ON s.pk = e.sample_pk WHERE s.uuid = ? ORDER BY event_order", sample["uuid"])
    events = [event for event in sample["events"] if event["event"] != "step"]
    assert [row["event_order"] for row in rows] == list(range(len(events)))
    for row, event in zip(rows, events, strict=True):
        made = event_of(row)
        if row["event_type"] == "model":
            made.pop("input_refs", None)
            made.pop("call_refs", None)
            made.pop("call_key", None)
            made.pop("name", None)
            assert json.loads(row["model_input_refs"] or "[]") == (event.get("input_refs") or [])
            assert json.loads(row["model_call_refs"] or "[]") == ((event.get("call") or {}).get("call_refs") or [])
        assert tidy(made) == tidy(expected_event(event))


def content_hash(data) -> str:
    """What a pool's entry is called."""
    return mm3_hash(json.dumps(data, sort_keys=True))


def first_event(events: list[dict], place: int) -> int | None:
    """The order of the first event that refers to a place of the pool."""
    order = 0
    for event in events:
        if any(start <= place < end for start, end in event.get("input_refs") or []):
            return order
        order += event["event"] != "step"
    return None


def check_pools(warehouse: Warehouse, sample: dict) -> None:
    """Pools are those of the log."""
    data = sample.get("events_data") or {"messages": [], "calls": []}
    for table, entries in (("message_pool", data["messages"]), ("model_call_pool", data["calls"])):
        query = f"SELECT p.* FROM {table} p JOIN sample s ON s.pk = p.sample_pk WHERE s.uuid = ? ORDER BY pool_order"
        rows = warehouse.rows(query, sample["uuid"])
        assert [json.loads(row["data"]) for row in rows] == [plain(entry) for entry in entries]
        assert [row["pool_order"] for row in rows] == list(range(len(entries)))
        if table == "message_pool":
            assert [row["earliest_event_order"] for row in rows] == [first_event(sample["events"], i) for i in range(len(entries))]
        else:
            assert [row["content_hash"] for row in rows] == [content_hash(entry) for entry in entries]


def resolved(value, attachments: dict[str, str]):
    """A value with the texts that it refers to in their places."""
    if isinstance(value, dict):
        return {k: resolved(v, attachments) for k, v in value.items()}
    if isinstance(value, list):
        return [resolved(v, attachments) for v in value]
    if isinstance(value, str) and value.startswith("attachment://"):
        return attachments.get(value.removeprefix("attachment://"), value)
    return value


def texts_of(value) -> list[str]:
    """All strings in a value."""
    if isinstance(value, dict):
        return [text for v in value.values() for text in texts_of(v)]
    if isinstance(value, list):
        return [text for v in value for text in texts_of(v)]
    return [value] if isinstance(value, str) else []


def check_messages(warehouse: Warehouse, sample: dict) -> None:
    """Messages are those of the log, their long texts beside them, each under its hash."""
    rows = warehouse.rows("SELECT m.* FROM message m JOIN sample s ON s.pk = m.sample_pk WHERE s.uuid = ? ORDER BY message_order",
                          sample["uuid"])
    kept = {row["attachment_key"]: row for row in warehouse.rows(
        "SELECT a.* FROM sample_attachment a JOIN sample s ON s.pk = a.sample_pk WHERE s.uuid = ?", sample["uuid"])}
    contents = {key: row["content"] for key, row in kept.items()}
    attachments = {key: text.replace("\0", "") for key, text in sample["attachments"].items()}
    assert contents.items() >= attachments.items()
    for key, row in kept.items():
        assert row["byte_len"] == len(row["content"].encode())
        assert row["sanitized"] or len(key) != 32 or key == mm3_hash(row["content"])
    messages = [json.loads(row["data"]) for row in rows]
    assert [row["message_order"] for row in rows] == list(range(len(sample["messages"])))
    assert resolved(messages, contents) == resolved(plain(sample["messages"]), contents)
    for message in messages:
        content = message["content"]
        assert all(len(text) <= 100 for text in ([content] if isinstance(content, str) else [part.get("text", "") for part in content]))


def check_log(warehouse: Warehouse, log: pathlib.Path) -> None:
    """Import a log and hold all its samples against what it has."""
    warehouse.put(log, "evals/set-1/log.eval")
    (line,) = warehouse.imports("evals/set-1/log.eval")
    samples = samples_of(log)
    assert line == f"done {len(samples)}"
    for sample in samples:
        check_events(warehouse, sample)
        check_pools(warehouse, sample)
        check_messages(warehouse, sample)


@pytest.fixture
def warehouse(tmp_path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse(tmp_path)


@pytest.mark.parametrize("kind", ["tools.eval", "errors.eval", "limits_messages.eval", "intermediate.eval", "many.eval"])
def test_rows_below_a_sample_hold_all_that_the_log_has(logs, warehouse, kind):
    check_log(warehouse, logs / kind)


def example(schema: dict, definitions: dict, seed: int = 0, depth: int = 6):
    """A value that a JSON schema describes, with everything in it that may be there, down to a depth."""
    if depth == 0:
        return "deep"
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions, seed, depth)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            options = [option for option in schema[choice] if option.get("type") != "null"]
            return example(options[seed % len(options)], definitions, seed, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        made = {name: example(part, definitions, seed, depth - 1) for name, part in schema.get("properties", {}).items()}
        return made or {"some": "thing"}
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {"type": "string"})] * 2
        return [example(item, definitions, seed, depth - 1) for item in items]
    if schema.get("format") == "date-time":
        return "2025-06-01T10:00:00.123456+00:00"
    return {"string": "text", "integer": 3, "number": 2.5, "boolean": True, "null": None}.get(kind, "any")


def example_events(seed: int) -> list[dict]:
    """An event of every kind that Inspect has, with every member that it may have."""
    events = []
    for number, kind in enumerate(typing.get_args(Event)):
        schema = TypeAdapter(kind).json_schema()
        event = example(schema, schema.get("$defs", {}), seed)
        event["timestamp"] = f"2025-06-01T10:00:{number:02}+00:00"
        event["uuid"] = f"uuid{number}"
        events.append(event)
    return events


@pytest.mark.parametrize("seed", [0, 1])
def test_every_member_of_every_kind_of_event_is_kept(warehouse, tmp_path, seed):
    events = example_events(seed)
    for event in events:
        if event["event"] == "model":
            event.update(input=[], input_refs=[[0, 1]])
            event["call"].update(request={"model": "gpt"}, call_refs=[[0, 1]], call_key="messages")
        if event["event"] in ("tool", "subtask"):
            event["events"] = []
    pools = {"messages": [{"role": "user", "content": "x"}], "calls": [{"role": "user"}]}
    sample = {"id": "s", "epoch": 1, "uuid": "u", "input": "x", "target": "", "messages": [], "attachments": {}, "events": events,
              "events_data": pools}
    with zipfile.ZipFile(tmp_path / "made.eval", "w") as archive:
        archive.writestr("samples/s_epoch_1.json", json.dumps(sample))
        archive.writestr("summaries.json", "[]")
        archive.writestr("header.json", json.dumps({"version": 2, "status": "success", "eval": {"eval_id": "e", "model": "m"}}))
    check_log(warehouse, tmp_path / "made.eval")


def test_a_log_from_before_pools_gets_the_pools_that_inspect_would_make(logs, warehouse, tmp_path):
    log = read_eval_log(str(logs / "tools.eval"), resolve_attachments="full")
    path = tmp_path / "old.eval"
    with zipfile.ZipFile(logs / "tools.eval") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if not name.startswith("samples/"):
                new.writestr(name, old.read(name))
        for i, sample in enumerate(log.samples):
            document = sample.model_dump(mode="json", exclude_none=True)
            document.pop("events_data", None)
            new.writestr(f"samples/{i}_epoch_1.json", json.dumps(document))
    warehouse.put(path, "evals/set-1/log.eval")
    assert warehouse.imports("evals/set-1/log.eval") == [f"done {len(log.samples)}"]
    for sample in log.samples:
        events, pools = condense_events(sample.events)
        rows = warehouse.rows("SELECT e.* FROM event e JOIN sample s ON s.pk = e.sample_pk WHERE s.uuid = ? AND event_type = 'model' "
                              "ORDER BY event_order", sample.uuid)
        models = [event for event in events if event.event == "model"]
        assert [json.loads(row["model_input_refs"] or "[]") for row in rows] == [[list(r) for r in e.input_refs or []] for e in models]
        assert [json.loads(row["model_call_refs"] or "[]") for row in rows] == [[list(r) for r in e.call.call_refs or []] for e in models]
        assert [row["model_call_key"] for row in rows] == [event.call.call_key for event in models]
        for table, entries in (("message_pool", [m.model_dump(mode="json", exclude_none=True) for m in pools["messages"]]),
                               ("model_call_pool", pools["calls"])):
            made = warehouse.rows(f"SELECT p.* FROM {table} p JOIN sample s ON s.pk = p.sample_pk WHERE s.uuid = ? ORDER BY pool_order",
                                  sample.uuid)
            assert [tidy(json.loads(row["data"])) for row in made] == [tidy(entry) for entry in entries]


TABLES = ["eval", "model_role", "sample", "score", "message", "sample_attachment", "sample_model", "event", "message_pool",
          "model_call_pool"]
OWN = {"pk", "created_at", "updated_at", "first_imported_at", "last_imported_at", "eval_pk", "sample_pk", "scan_pk", "scanner_result_pk"}


def columns_of(warehouse: Warehouse, table: str) -> list[str]:
    """The columns of a table that say the same whoever imports, in order."""
    return [row["name"] for row in warehouse.rows(f"SELECT name FROM pragma_table_xinfo('{table}')") if row["name"] not in OWN]


def test_both_databases_hold_the_same_rows(logs, odd_logs, warehouse, postgresql):
    keys = []
    for folder in (logs, odd_logs):
        for log in sorted(folder.glob("*.eval")):
            keys.append(f"evals/set-{folder.name}/{log.name}")
            warehouse.put(log, keys[-1])
    ours = warehouse.imports(*keys)
    done = subprocess.run([IMPORT, postgresql.url(), warehouse.store, *keys], capture_output=True, text=True, timeout=600)
    assert done.stdout.splitlines() == ours, done.stderr
    for table in TABLES:
        names = columns_of(warehouse, table)
        below = table not in ("eval", "model_role", "sample", "score")
        join = " t JOIN sample s ON s.pk = t.sample_pk" if below else " t"
        listed = ("s.uuid AS sample_uuid, " if below else "") + ", ".join(f't."{name}"' for name in names)
        documents = postgresql.run(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' AND "
                                   "data_type IN ('jsonb', 'ARRAY')").split()
        sqlite = warehouse.rows(f"SELECT {listed} FROM {table}{join}")
        for row in sqlite:
            row.update({name: json.loads(row[name]) for name in documents if row.get(name) is not None})
        text = postgresql.run(f"SELECT row_to_json(x) FROM (SELECT {listed} FROM {table}{join}) x")
        theirs = [json.loads(line) for line in text.splitlines()]
        assert sorted(map(comparable, sqlite)) == sorted(map(comparable, theirs)), table


def comparable(row: dict) -> str:
    """A row of either database as text. SQLite has no NaN, and JSON no infinity."""
    if isinstance(row.get("value_float"), str):
        row["value_float"] = None if row["value_float"] == "NaN" else float(row["value_float"])
    return json.dumps({name: same(value) for name, value in row.items()}, sort_keys=True)


def same(value):
    """A value in one form: flags as numbers, instants as microseconds, whole numbers as such."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and len(value) > 18 and value[4:5] == "-" and value[10:11] == "T" and value[19:20] in "+.Z":
        return float(micros(value))
    if isinstance(value, dict):
        return {k: same(v) for k, v in value.items()}
    if isinstance(value, list):
        return [same(v) for v in value]
    if isinstance(value, int | float):
        return int(value) if abs(value) < 1e15 and value == int(value) else float(value)
    return value
