"""The same eval set by hawk's runner and by Inspect's own command line: equal scores, and logs equal but for ids and
times."""

import json
import pathlib
import re
import subprocess

import pytest
from conftest import venv_of
from test_runner import EXAMPLES, Job

SETTINGS = {"continue_on_fail": True, "max_samples": 1000, "max_tasks": 1000, "max_sandboxes": 7, "log_shared": 60}
FLAGS = ["--continue-on-fail", "--max-samples=1000", "--max-tasks=1000", "--max-sandboxes=7", "--log-shared=60"]

CASES = {
    "hello": (["hello"], "steady", {}, []),
    "several": (
        ["hello", "sums", "agent"],
        "wobbly",
        {"limit": 2, "epochs": 2, "message_limit": 12, "temperature": 0.5, "tags": ["one", "two"]},
        ["--limit=2", "--epochs=2", "--message-limit=12", "--temperature=0.5", "--tags=one,two"],
    ),
    "errors": (["failing"], "steady", {"retry_attempts": 0}, ["--retry-attempts=0"]),
}

IDS_AND_TIMES = re.compile(
    r"^(id|uuid|.*_id|created|.*_at|timestamp|.*time|pid|span_id|parent_id|event_uuid|modified|location|working_start"
    r"|begin_step|updated|cache_key|trace_id|completed)$"
)
"""Keys whose values are another for each run."""


def neutral(value, path=""):
    """Return a value of a log without ids and times: sample ids and everything else that the config decides stays."""
    if isinstance(value, dict):
        if str(value.get("path", "")).endswith("time"):
            value = {**value, "value": None}
        return {
            key: neutral(item, f"{path}.{key}")
            for key, item in value.items()
            if not IDS_AND_TIMES.match(key) or path.endswith(("sample_ids", "samples[].sample")) or key == "sample_id"
        }
    if isinstance(value, list):
        return [neutral(item, f"{path}[]") for item in value]
    if isinstance(value, str):
        return neutral_text(value)
    return value


def neutral_text(text: str) -> str:
    """Return a text without the folders, object addresses and temporary names of one run."""
    text = re.sub(r"0x[0-9a-f]{8,}", "0x", text)
    text = re.sub(r"/tmp/[^\s\"']*", "/tmp/", text)
    return re.sub(r"[0-9A-Za-z]{22}", "ID", text)


def read(folder: pathlib.Path) -> dict[str, dict]:
    """Return the neutral logs of a folder by task name."""
    from inspect_ai.log import read_eval_log

    logs = {}
    for path in folder.glob("*.eval"):
        log = read_eval_log(str(path), resolve_attachments=True)
        value = json.loads(log.model_dump_json())
        value["eval"]["tags"] = sorted(value["eval"]["tags"] or [])  # the command line makes a set of them
        value["samples"].sort(key=lambda sample: (str(sample["id"]), sample["epoch"]))
        for sample in value["samples"]:
            sample["sample_id"] = sample["id"]
        assert log.eval.task not in logs
        logs[log.eval.task] = neutral(value)
    return logs


def scores(folder: pathlib.Path) -> dict:
    """Return every score, by task, sample and epoch."""
    from inspect_ai.log import read_eval_log

    logs = [read_eval_log(str(path)) for path in folder.glob("*.eval")]
    return {
        (log.eval.task, str(sample.id), sample.epoch, name): score.value
        for log in logs
        for sample in log.samples
        for name, score in (sample.scores or {}).items()
    }


def differences(a, b, path="") -> list[str]:
    """Return where two values differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        return [
            line
            for key in sorted(set(a) | set(b))
            for line in differences(a.get(key, "(missing)"), b.get(key, "(missing)"), f"{path}.{key}")
        ]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [line for i, (x, y) in enumerate(zip(a, b)) for line in differences(x, y, f"{path}[{i}]")]
    return [] if a == b else [f"{path}: {str(a)[:200]} != {str(b)[:200]}"]


@pytest.mark.parametrize("case", CASES)
def test_logs_are_those_of_inspect(tmp_path, cache, case):
    """Nothing is missing in our logs, nothing is odd; and for several tasks the same when all run in one process."""
    tasks, model, settings, flags = CASES[case]
    group = {"package": str(EXAMPLES), "name": "hawk_examples"}
    config = {
        "tasks": [{**group, "items": [{"name": task} for task in tasks]}],
        "models": [{**group, "items": [{"name": model}]}],
        **settings,
    }
    job = Job(tmp_path / "ours", cache, config, **SETTINGS)
    end = job.run()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    metadata = ["--metadata=eval_set_id=ours", "--metadata=created_by=me"]
    done = subprocess.run(
        [str(venv_of(job.logs, cache) / "bin/inspect"), "eval-set", *[f"hawk_examples/{task}" for task in tasks],
         f"--model=hawk_examples/{model}", f"--log-dir={theirs}/logs", *FLAGS, *metadata, *flags],
        cwd=theirs, env={**job.env, "INSPECT_DISPLAY": "none"}, capture_output=True, text=True, timeout=300,
    )
    assert (done.returncode == 0) == (end["exit_code"] == 0), (done, end)
    assert_same(job, theirs / "logs", tasks)
    if len(tasks) > 1:
        classic = Job(tmp_path / "classic/ours", cache, config, **SETTINGS)
        assert classic.run(HAWK_ONE_PROCESS="1")["exit_code"] == end["exit_code"]
        assert "all tasks run in one process" in classic.text()
        assert_same(classic, theirs / "logs", tasks)


def assert_same(job: Job, theirs: pathlib.Path, tasks: list[str]) -> None:
    """The logs of a job have the scores of those in a folder, and say the same."""
    assert scores(job.logs) == scores(theirs)
    ours, plain = read(job.logs), read(theirs)
    assert set(ours) == set(plain) == {f"hawk_examples/{task}" for task in tasks}
    assert "\n".join(differences(ours, plain)) == ""
