"""What a person sees of runs that lose processes, are stopped, or deleted."""

import json
import os
import signal

import pytest
from conftest import Hawk
from faults import config_of, live, submit

WAITS = {"kind": "wait", "seconds": 600, "samples": 3}


@pytest.fixture(scope="module")
def hawk(tmp_path_factory, cache):
    """A server that starts lost runs again, but only after a while."""
    it = Hawk(tmp_path_factory.mktemp("seen"), cache)
    it.env["HAWK_API_RUNNER_RETRY_WAITS"] = "600"
    try:
        yield it.start()
    finally:
        it.end_runners()
        it.stop()


def progress(hawk, job_id: str) -> dict[str, int]:
    """How many samples of a run are at what, without those that are none."""
    counts = hawk.get(f"/monitoring/jobs/{job_id}/eval-set-status")[1]["data"]["progress"]
    return {what: n for what, n in counts.items() if n}


@pytest.fixture(scope="module")
def lost(hawk):
    """A run whose worker was killed twice; it is at its third attempt."""
    job = submit(hawk, "lost", config_of(WAITS))
    gone = set()
    for _ in range(3):
        now = hawk.wait_for(lambda: (it := live(hawk, job)) and it["pid"] not in gone and it["running"] == 3 and it)
        hawk.wait_for(lambda: len(buffered(hawk, job)) == len(gone) + 1)
        if len(gone) < 2:
            os.kill(now["pid"], signal.SIGKILL)
        gone.add(now["pid"])
    return job


def buffered(hawk, job_id: str) -> list:
    """The logs of a run of which the live buffer tells of samples."""
    manifests = (hawk.data / "store/evals" / job_id / ".buffer").glob("*/manifest.json")
    return [path for path in manifests if len(json.loads(path.read_text())["samples"]) == 3]


def test_samples_that_run_again_are_not_counted_as_failed(hawk, lost):
    """Each is counted as what it is now, not as what became of it with the process that was killed."""
    hawk.wait_for(lambda: progress(hawk, lost) == {"total": 3, "running": 3})
    assert "0/3 samples, 3 running\n" in hawk.run("watch", lost, "--no-follow").stdout


def test_samples_that_run_again_are_listed_as_running(hawk, lost):
    """As watch has it, not as what became of them before."""
    hawk.wait_for(lambda: [row[3] for row in rows(hawk, "samples", lost)] == ["running"] * 3)


def test_samples_of_a_lost_runner_wait(hawk, lost):
    """While nobody runs them, and will."""
    os.kill(json.loads((hawk.data / "jobs" / lost / "runner.json").read_text())["pid"], signal.SIGKILL)
    hawk.wait_for(lambda: progress(hawk, lost) == {"total": 3, "waiting": 3})
    hawk.wait_for(lambda: [row[3] for row in rows(hawk, "samples", lost)] == ["waiting"] * 3)


def rows(hawk, *args: str) -> list[list[str]]:
    """The rows of a table that a list prints."""
    return [line.split() for line in hawk.run("list", *args).stdout.splitlines() if line and not line.startswith(("Eval Set", "--", "Task", "UUID"))]


def test_samples_that_ran_again_are_listed_once(hawk, lost):
    """Their earlier attempts with --attempts only, which says so; the same as JSON and line by line."""
    hawk.wait_for(lambda: len(rows(hawk, "samples", lost, "--attempts")) > 3)
    listed = rows(hawk, "samples", lost)
    assert sorted(row[1] for row in listed) == ["1", "2", "3"]
    everything = rows(hawk, "samples", lost, "--attempts")
    assert len(everything) > 3 and sum(row[-2:] == ["(tried", "again)"] for row in everything) == len(everything) - 3
    assert "of earlier attempts; --attempts shows them" in hawk.run("list", "samples", lost).stderr
    assert {item["uuid"] for item in hawk.json("list", "samples", lost)["items"]} == {row[0] for row in listed}
    assert len(hawk.run("list", "samples", lost, "--stream").stdout.splitlines()) == 3


def test_evals_that_were_gone_on_from_are_not_listed(hawk, lost):
    """But with --attempts."""
    assert len(rows(hawk, "evals", lost)) == 1
    everything = rows(hawk, "evals", lost, "--attempts")
    assert len(everything) == 3 and [row[-3:-1] == ["(tried", "again)"] for row in everything] == [False, True, True]


def test_logs_of_a_lost_runner_say_what_was_done_and_why_they_end(hawk, lost):
    """On standard error, because it is no line of the log; the lines are those of the attempt."""
    done = hawk.run("logs", lost)
    assert "attempt 1: running" in done.stdout
    assert "its runner was killed while it ran (signal 9); it is started again" in done.stderr


def test_a_run_that_was_stopped_says_who_did_that(hawk, lost):
    """Before it could be scored, and with what its samples had."""
    hawk.run("stop", lost)
    assert hawk.wait_job(lost)["status"] == "failed"
    assert f"lost was cancelled: it was stopped by {hawk.get('/auth/me')[1]['sub']} at 2" in hawk.run("explain", lost).stdout


@pytest.fixture(scope="module")
def scored(hawk):
    """A run that was stopped at its samples."""
    job = submit(hawk, "scored", config_of(WAITS))
    hawk.wait_for(lambda: live(hawk, job).get("running") == 3)
    hawk.run("stop", job, "--within", "1m")
    return job


def test_a_run_that_was_stopped_and_scored_says_so(hawk, scored):
    """Though it is complete."""
    said = hawk.run("explain", scored).stdout
    assert "is complete: it was stopped by " in said and "samples that had not ended were scored with what they had" in said


def test_resuming_what_is_complete_says_that_nothing_is_run(hawk, scored):
    """And what runs it again."""
    said = hawk.run("eval-set", "resume", scored).stderr
    assert "it was stopped by" in said and "resuming runs none of them; 'hawk rerun scored'" in said


def test_what_is_deleted_is_said_to_be(hawk, scored):
    """As lists say."""
    hawk.wait_job(scored)
    hawk.run("delete", scored, "-y")
    assert hawk.run("explain", scored).stdout.startswith("scored is deleted: ")


@pytest.fixture(scope="module")
def namesakes(hawk):
    """A run of four tasks of one name, two of which have failed."""
    config = config_of({"kind": "wait", "seconds": 600, "samples": 2}, {"kind": "error", "seconds": 600, "samples": 2})
    config["models"][0]["items"].append({"name": "429"})
    job = submit(hawk, "namesakes", config)
    hawk.wait_for(lambda: hawk.run("explain", job).stdout.count("ended with error") == 2)
    yield job
    hawk.run("stop", job, "--within", "5s")


def test_tasks_of_one_name_are_told_apart(hawk, namesakes):
    """By model and by the arguments that differ, in the rows of watch and in what is said of failures."""
    said = hawk.run("explain", namesakes).stdout
    assert "ask faulty/fault of faulty/ok ended with error" in said and "ask faulty/fault of faulty/429 ended with error" in said
    shown = hawk.run("watch", namesakes, "--no-follow").stdout
    assert "  fault faulty/ok, kind=wait " in shown and "  fault faulty/429, kind=error [" in shown


def test_doctor_says_what_since_when_and_what_to_do(hawk, namesakes):
    """Of each finding."""
    said = hawk.run("doctor", check=False).stdout
    assert "namesakes: task faulty/fault of faulty/ok ended with error" in said
    assert "\n    since:  20" in said and "\n    to do:  run what failed again with: hawk retry namesakes\n" in said
