"""What is said to a run while it is at its samples: stop it within a time, pause it, run a sample again, score it."""

import json
import pathlib
import re
import time

import pytest
from faults import config_of, explained, lines, live, marked, submit
from inspect_ai.log import read_eval_log

OLD = {"packages": ["inspect-ai==0.3.188"]}


@pytest.fixture(scope="module")
def hawk(shared):
    """The server of this file."""
    return shared


def wait_for_samples(hawk, job_id: str, n: int = 1) -> None:
    """Wait until so many samples of the first task run."""
    hawk.wait_for(lambda: live(hawk, job_id).get("running", 0) >= n)


@pytest.mark.parametrize("kind", ["block", "swallow"])
def test_a_stop_within_a_time_ends_wedged_samples_and_leaves_no_process(hawk, tmp_path, kind):
    """One task's samples can be scored, the other's neither let the event loop turn nor heed a cancellation: hawk says
    what became of each, and nothing of the run is left."""
    job = submit(hawk, f"wedged-{kind}", config_of({"kind": kind, "seconds": 600, "path": tmp_path / "wedged"},
                                                   {"kind": "wait", "seconds": 600, "path": tmp_path / "waits"}))
    hawk.wait_for(lambda: lines(tmp_path / "wedged") and len(lines(tmp_path / "waits")) == 2)
    hawk.wait_for(lambda: live(hawk, job, 1).get("running") == 2)
    done = hawk.run("stop", job, "--within", "12s", timeout=30)
    assert explained(hawk, job)["state"] == "cancelled"
    assert not marked(hawk, job)
    logs = [read_eval_log(str(path)) for path in (hawk.data / "store/evals" / job).glob("*.eval")]
    assert sorted(log.status for log in logs) == ["cancelled", "success"]
    assert "2 were scored" in done.stdout and "killed" in done.stdout, done.stdout


def phases(hawk, job_id: str) -> list[str]:
    """The phases of all samples, and how many run by the count of them."""
    data = hawk.get(f"/monitoring/jobs/{job_id}/eval-set-status")[1]["data"]
    return [*sorted(sample["phase"] for task in data["tasks"] for sample in task["samples"]), data["progress"]["running"]]


def test_samples_say_whether_they_begin_or_are_scored(hawk):
    """Those that wait for their sandbox, which are in no log yet, and those whose scorer takes its time; both run."""
    job = submit(hawk, "phases", config_of({"sandbox": "slow_box"}, {"scores": 600}))
    hawk.wait_for(lambda: phases(hawk, job) == ["init", "init", "scoring", "scoring", 4])
    hawk.run("stop", job, "--within", "5s")


def test_samples_say_that_they_wait_for_approval(hawk):
    """Of a tool call."""
    approval = {"approvers": [{"name": "faulty/waiting_approver", "tools": ["*"]}]}
    job = submit(hawk, "approved", config_of({}, model="tool", approval=approval))
    hawk.wait_for(lambda: phases(hawk, job) == ["awaiting_approval", "awaiting_approval", 2])
    hawk.run("stop", job, "--within", "5s")


def test_a_stop_within_a_time_needs_no_force_where_samples_heed_it(hawk):
    """It is over as soon as they are scored, and is complete."""
    job = submit(hawk, "obeys", config_of({"kind": "wait", "seconds": 600}))
    wait_for_samples(hawk, job, 2)
    done = hawk.run("stop", job, "--within", "1m", "--score", timeout=60)
    assert "2 were scored, 0 ended with an error, 0 were killed, 0 have not run" in done.stdout
    assert explained(hawk, job)["state"] == "complete"


def test_a_time_to_stop_within_holds_though_the_server_dies(home):
    """The next server takes the deadlines over."""
    hawk = home.start()
    job = submit(hawk, "late", config_of({"kind": "swallow"}))
    wait_for_samples(hawk, job)
    assert hawk.request("POST", f"/eval_sets/{job}/stop", {"action": "score", "within_seconds": 5})[0] == 200
    hawk.kill()
    hawk.start()
    assert hawk.wait_job(job, 30)["status"] == "failed"
    assert explained(hawk, job)["state"] == "cancelled"
    hawk.wait_for(lambda: not marked(hawk, job))


@pytest.mark.parametrize("more", [{}, OLD])
def test_a_paused_run_begins_no_sample_until_it_goes_on(hawk, tmp_path, more):
    """Those that run go on to their end; then nothing happens."""
    job = submit(hawk, f"paused-{len(more)}", config_of({"kind": "wait", "seconds": 2, "samples": 5, "path": tmp_path / "trace"},
                                                       max_samples=1, **more))
    wait_for_samples(hawk, job)
    hawk.run("pause", job)
    hawk.wait_for(lambda: live(hawk, job).get("paused"))
    hawk.wait_for(lambda: [what for _, what, _ in lines(tmp_path / "trace")][-1] == "end")
    assert explained(hawk, job)["reason"] == "run.paused"
    begun = len(lines(tmp_path / "trace"))
    hawk.wait_for(lambda: live(hawk, job)["at"] > time.time() - 1 and live(hawk, job)["ended"] == begun / 2)
    assert len(lines(tmp_path / "trace")) == begun < 10
    hawk.run("resume-run", job)
    assert hawk.wait_job(job)["status"] == "complete"
    assert len(lines(tmp_path / "trace")) == 10


def failed_uuid(hawk, job_id: str) -> str | None:
    """The uuid of a sample that has failed."""
    tasks = hawk.get(f"/monitoring/jobs/{job_id}/eval-set-status")[1]["data"]["tasks"]
    return next((sample["uuid"] for task in tasks for sample in task["samples"] if sample["phase"] == "errored"), None)


def test_a_failed_sample_of_a_running_task_is_run_again(hawk, tmp_path):
    """By its uuid, and all that failed by `retry`; while another sample keeps the task running."""
    trace = tmp_path / "trace"
    config = config_of({"kind": "error", "samples": 3, "every": 2, "path": trace}, {"kind": "wait", "seconds": 600}, model="ok")
    config["tasks"][0]["items"][0]["args"] |= {"kind": "error_or_wait", "seconds": 600}
    job = submit(hawk, "again", config)
    uuid = hawk.wait_for(lambda: failed_uuid(hawk, job))
    said = hawk.run("requeue", job, "--sample", uuid).stdout
    assert "it runs again" in said
    hawk.wait_for(lambda: [line[2] for line in lines(trace)].count("2.1") == 2)
    hawk.wait_for(lambda: "1 failed sample runs again" in hawk.run("retry", job).stdout)
    hawk.wait_for(lambda: [line[2] for line in lines(trace)].count("2.1") == 3)
    scored = hawk.json("score", job)
    assert {answer["ok"] for answer in scored} == {True}
    hawk.run("stop", job, "--within", "20s")


def test_an_old_inspect_says_what_it_cannot_do(hawk):
    """0.3.188 has no control channel to put a sample back in line."""
    job = submit(hawk, "old", config_of({"kind": "wait", "seconds": 600}, **OLD))
    wait_for_samples(hawk, job)
    uuid = live(hawk, job)["samples"][0]["uuid"]
    done = hawk.run("requeue", job, "--sample", uuid, check=False)
    assert done.returncode != 0 and "Inspect 0.3.188 cannot requeue" in done.stderr
    hawk.run("stop", job, "--within", "20s")


def test_a_command_to_a_run_that_is_over_says_so(hawk):
    """The error names its state."""
    job = submit(hawk, "over", config_of({"samples": 1}))
    hawk.wait_job(job)
    done = hawk.run("pause", job, check=False)
    assert done.returncode != 0 and "it is complete" in done.stderr


def test_stacktrace_and_trace_tell_of_a_wedged_sample(hawk, tmp_path):
    """Though the event loop does not turn; as text and as JSON, and only while samples run."""
    job = submit(hawk, "where", config_of({"kind": "block", "seconds": 600, "path": tmp_path / "wedged"}))
    hawk.wait_for(lambda: lines(tmp_path / "wedged"))
    text = hawk.run("stacktrace", job).stdout
    assert 'Thread' in text and '"MainThread"' in text and "faulty" in text, text
    threads = hawk.json("stacktrace", job)
    (main,) = [thread for thread in threads if thread["thread_name"] == "MainThread"]
    assert any("faulty" in frame["filename"] and frame["line"] > 0 for frame in main["frames"])
    assert [thread for thread in threads if thread["is_task"] and thread["frames"]]
    raw = hawk.run("trace", job, "-n", "2", "--raw").stdout.splitlines()
    assert len(raw) == 2 and all("timestamp" in json.loads(line) for line in raw)
    assert len(re.findall(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\] \[", hawk.run("trace", job, "-n", "2").stdout, re.MULTILINE)) == 2
    assert hawk.get(f"/monitoring/jobs/{job}/stacktrace?native=true")[0] == 400
    hawk.run("stop", job, "--within", "5s", timeout=30)
    assert hawk.get(f"/monitoring/jobs/{job}/stacktrace")[0] == 409
