"""Our reader of logs beside Inspect's: what evallog_dump prints, and texts that are equal for equal records."""

import json
import os
import pathlib
import subprocess

from inspect_ai._util.constants import get_deserializing_context
from inspect_ai.log import EvalLog, EvalSample, EvalSampleReductions, EvalSampleSummary, read_eval_log, read_eval_log_sample_summaries
from inspect_ai.log._file import _resolve_sample_for_read

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))
DUMP = BUILD / "tests" / "tools" / "evallog_dump"
CONTEXT = get_deserializing_context()


def dump(path: pathlib.Path, *args: object):
    """What evallog_dump prints."""
    done = subprocess.run([DUMP, path, *map(str, args)], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def canonical(value) -> str:
    """Text that is equal for equal values, NaN included."""
    return json.dumps(value, sort_keys=True)


def model_json(model) -> str:
    """The same of a record of Inspect's."""
    return canonical(json.loads(model.model_dump_json()))


def without_made(value, text: str):
    """Drop what Inspect makes up while it reads a log that is older than the field: identities and clocks."""
    if isinstance(value, list):
        return [without_made(item, text) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key for key in ("id", "uuid") if isinstance(value.get(key), str) and f'"{value[key]}"' not in text}
    made |= {key for key in ("working_start",) if f'"{key}"' not in text}
    return {key: without_made(item, text) for key, item in value.items() if key not in made}


def instant(text: str) -> int | None:
    """An instant as microseconds."""
    from datetime import datetime

    return round(datetime.fromisoformat(text).timestamp() * 1e6) if text else None


def check_header(path: pathlib.Path) -> None:
    """The header is that of Inspect."""
    theirs = read_eval_log(str(path), header_only=True)
    ours = EvalLog.model_validate(dump(path, "header"), context=CONTEXT)
    theirs.reductions = ours.reductions = None
    assert model_json(ours) == model_json(theirs)


def check_summaries(path: pathlib.Path) -> None:
    """The summaries are those of Inspect, in their order."""
    theirs = read_eval_log_sample_summaries(str(path))
    ours = dump(path, "summaries")
    records = [EvalSampleSummary.model_validate(item["raw"], context=CONTEXT) for item in ours]
    assert [model_json(record) for record in records] == [model_json(record) for record in theirs]
    for item, record in zip(ours, theirs, strict=True):
        assert item["id"] == str(record.id)
        assert (item["epoch"], item["uuid"], item["completed"]) == (record.epoch, record.uuid, record.completed)
        assert (item["error"], item["limit"]) == (record.error, record.limit)
        assert item["message_count"] == record.message_count
        assert item["started_us"] == instant(record.started_at)


def check_parts(path: pathlib.Path) -> None:
    """The parts of the samples make the samples, without anything missing or twice."""
    places = {"message": "messages", "event": "events", "pool": "messages", "call": "calls"}
    for item, parts in zip(dump(path, "all"), dump(path, "parts"), strict=True):
        expected = {"messages": [], "events": [], "attachments": {}, "events_data": None, **item["sample"]}
        if "transcript" in expected:
            transcript = expected.pop("transcript")
            expected |= {"events": transcript["events"], "attachments": transcript.get("content", {})}
        made = {"messages": [], "events": [], "attachments": {}, "events_data": None}
        if expected["events_data"] is not None:
            made["events_data"] = {"messages": [], "calls": []}
        for kind, key, value in parts:
            if kind in ("member", "attachment"):
                place = made if kind == "member" else made["attachments"]
                assert key not in place
                place[key] = value
            else:
                (made["events_data"] if kind in ("pool", "call") else made)[places[kind]].append(value)
        assert canonical(made) == canonical(expected)


def check_samples(path: pathlib.Path) -> None:
    """All samples are those of Inspect; also `reductions`, which come along."""
    theirs = read_eval_log(str(path))
    expected = {(str(sample.id), sample.epoch): sample for sample in theirs.samples or []}
    for item in dump(path, "all"):
        text = json.dumps(item["sample"], ensure_ascii=False)
        sample = EvalSample.model_validate(item["sample"], context=CONTEXT)
        assert (item["id"], item["epoch"]) == (str(sample.id), sample.epoch)
        pair = [_resolve_sample_for_read(sample, False), expected.pop((item["id"], item["epoch"]))]
        ours, same = [canonical(without_made(json.loads(model.model_dump_json()), text)) for model in pair]
        assert ours == same
    assert not expected
    check_parts(path)
    reductions = [EvalSampleReductions.model_validate(item, context=CONTEXT) for item in dump(path, "reductions") or []]
    assert [model_json(item) for item in reductions] == [model_json(item) for item in theirs.reductions or []]
