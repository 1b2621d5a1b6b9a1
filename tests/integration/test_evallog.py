"""What our reader of logs gives, against Inspect's own reader, on logs that Inspect made."""

import copy
import json
import re
import subprocess
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.log import EvalSample, EvalSampleSummary, read_eval_log, read_eval_log_sample, read_eval_log_sample_summaries
from inspect_ai.log._file import _resolve_sample_for_read
from inspect_ai.log._recorders.buffer.filestore import SampleBufferFilestore
from log_compare import CONTEXT, DUMP, canonical, check_header, check_parts, check_samples, check_summaries, dump, instant, model_json

# crashed.eval has no header; tools_chunked.eval has samples that Inspect itself does not read.
KINDS = [
    "tools.eval", "tools_stored.eval", "tools_deflate.eval", "tools_wide.eval", "tools_frames.eval", "requeued.eval", "tools_json.json",
    "errors.eval", "errors_json.json", "failed.eval", "limits_messages.eval", "limits_tokens.eval", "intermediate.eval",
    "unscored.eval", "many.eval", "crashed.eval", "running.eval",
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_is_that_of_inspect(logs, kind):
    check_header(logs / kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_has_the_values_of_the_header(logs, kind):
    log = read_eval_log(str(logs / kind), header_only=True)
    ours = dump(logs / kind, "record")
    metadata = log.eval.metadata or {}
    steps = ",".join(step.solver for step in log.plan.steps)
    expected = {
        "status": log.status,
        "eval_id": log.eval.eval_id,
        "run_id": log.eval.run_id,
        "created_us": instant(log.eval.created),
        "task": log.eval.task,
        "task_id": log.eval.task_id,
        "task_version": str(log.eval.task_version),
        "model": log.eval.model,
        "tags": sorted(log.tags),
        "dataset_samples": log.eval.dataset.samples,
        "inspect_version": log.eval.packages["inspect_ai"],
        "eval_set_id": metadata.get("eval_set_id"),
        "created_by": metadata.get("created_by"),
        "epochs": log.eval.config.epochs,
        "message_limit": log.eval.config.message_limit,
        "token_limit": log.eval.config.token_limit,
        "working_limit": log.eval.config.working_limit,
        "agent": steps if log.plan.name == "plan" else log.plan.name,
        "total_samples": log.results.total_samples if log.results else 0,
        "completed_samples": log.results.completed_samples if log.results else 0,
        "started_us": instant(log.stats.started_at),
        "completed_us": instant(log.stats.completed_at),
        "error_message": log.error.message if log.error else None,
    }
    ours["tags"] = sorted(ours["tags"] or [])
    assert {key: ours[key] for key in expected} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_summaries_are_those_of_inspect(logs, kind):
    check_summaries(logs / kind)


@pytest.mark.parametrize("kind", KINDS)
def test_all_samples_are_those_of_inspect(logs, kind):
    check_samples(logs / kind)


@pytest.mark.parametrize("kind", ["tools.eval", "tools_json.json", "requeued.eval"])
def test_one_sample_is_found_by_id_and_by_uuid(logs, kind):
    for summary in read_eval_log_sample_summaries(str(logs / kind)):
        theirs = read_eval_log_sample(str(logs / kind), summary.id, summary.epoch)
        by_id = dump(logs / kind, "sample", summary.id, summary.epoch)
        by_uuid = dump(logs / kind, "uuid", summary.uuid)
        assert canonical(by_id) == canonical(by_uuid)
        ours = _resolve_sample_for_read(EvalSample.model_validate(by_id, context=CONTEXT), False)
        assert model_json(ours) == model_json(theirs)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.endswith(".eval")])
def test_a_sample_is_byte_for_byte_the_member(logs, kind):
    with zipfile.ZipFile(logs / kind) as archive:
        names = {name for name in archive.namelist() if name.startswith("samples/")}
        for item in dump(logs / kind, "samples"):
            name = f"samples/{item['id']}_epoch_{item['epoch']}.json"
            done = subprocess.run([DUMP, logs / kind, "sample", item["id"], str(item["epoch"])], capture_output=True, timeout=60)
            assert done.stdout == archive.read(name) + b"\n"
            names.remove(name)
    assert not names


def inline(value, attachments):
    """Put attachments in their places."""
    if isinstance(value, dict):
        return {key: inline(item, attachments) for key, item in value.items()}
    if isinstance(value, list):
        return [inline(item, attachments) for item in value]
    if isinstance(value, str):
        return re.sub(r"attachment://([0-9a-f]+)", lambda m: attachments.get(m.group(1), m.group(0)), value)
    return value


def resolved(document: dict) -> dict:
    """A sample as one reads it: pools and attachments put in their places."""
    document = copy.deepcopy(document)
    attachments = document.pop("attachments")
    sample = EvalSample.model_validate(inline(document, attachments), context=CONTEXT)
    return json.loads(_resolve_sample_for_read(sample, False).model_dump_json())


def test_a_sample_in_chunks_is_the_same_sample(logs):
    check_parts(logs / "tools_chunked.eval")
    whole = {(item["id"], item["epoch"]): item["sample"] for item in dump(logs / "tools.eval", "all")}
    chunked = dump(logs / "tools_chunked.eval", "all")
    assert {(item["id"], item["epoch"]) for item in chunked} == set(whole)
    for item in chunked:
        assert item["is_chunked"]
        assert canonical(resolved(item["sample"])) == canonical(resolved(whole[item["id"], item["epoch"]]))


@pytest.fixture(scope="session")
def buffer(logs, tmp_path_factory):
    """The shared buffer where Inspect looks for it."""
    place = tmp_path_factory.mktemp("live") / ".buffer"
    place.mkdir()
    (place / "running").symlink_to(logs / "running.buffer")
    return SampleBufferFilestore(str(place.parent / "running.eval"), create=False)


def test_the_running_samples_are_those_of_inspects_view_server(logs, buffer):
    theirs = buffer.get_samples()
    ours = dump(logs / "running.buffer", "live-samples", theirs.etag)
    assert ours["etag"] == theirs.etag
    assert isinstance(ours["refresh"], int)
    assert set(ours) == set(theirs.model_dump())
    metrics = json.loads(json.dumps([metric.model_dump(exclude_none=True) for metric in theirs.metrics]))
    assert canonical(ours["metrics"]) == canonical(metrics)
    records = [EvalSampleSummary.model_validate(item, context=CONTEXT) for item in ours["samples"]]
    assert [model_json(record) for record in records] == [model_json(record) for record in theirs.samples]
    assert records


def test_the_data_of_a_running_sample_is_that_of_inspects_view_server(logs, buffer):
    seen_events = 0
    for summary in buffer.get_samples().samples:
        for cursors in [(0, 0, 0, 0), (2, 0, 1, 0), (3, 1, 1, 1), (10**6,) * 4]:
            theirs = buffer.get_sample_data(str(summary.id), summary.epoch, *cursors)
            ours = dump(logs / "running.buffer", "live-data", summary.id, summary.epoch, *cursors)
            assert canonical(ours) == canonical(theirs.model_dump(mode="json"))
            seen_events += len(ours["events"])
    assert seen_events > 0


def test_the_segments_of_a_running_sample_are_those_of_inspects_view_server(logs, buffer):
    for summary in buffer.get_samples().samples:
        for cursors, most, tail in [((0,) * 4, -1, False), ((0,) * 4, 1, False), ((0,) * 4, 1, True), ((2, 1, 1, 1), 5, False)]:
            theirs = buffer.get_pending_segments(
                str(summary.id), summary.epoch, after_event_id=cursors[0], after_attachment_id=cursors[1],
                after_message_pool_id=cursors[2], after_call_pool_id=cursors[3], max_segments=most, tail=tail,
            )
            ours = dump(logs / "running.buffer", "live-segments", summary.id, summary.epoch, *cursors, most, *(["tail"] if tail else []))
            assert [(s["id"], s["member_name"]) for s in ours["segments"]] == [(s.id, s.member_name) for s in theirs.segments]
            assert (ours["complete"], ours["has_more"]) == (theirs.complete, theirs.has_more)


def test_a_sample_that_does_not_run_is_not_found(logs):
    done = subprocess.run([DUMP, logs / "running.buffer", "live-data", "nobody", "1"], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(b"not_found")
