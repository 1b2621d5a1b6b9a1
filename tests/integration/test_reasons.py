"""Each cause for which a run is not done, brought about on purpose, and what is said of it. The causes share a few runs,
which go on at once."""

import json
import os
import signal

import pytest
from conftest import Hawk
from faults import config_of, explained, live, submit

WAITS = {"kind": "wait", "seconds": 600}
NEVER_STUCK = ["short", "models", "approval"]


@pytest.fixture(scope="module")
def hawk(tmp_path_factory, cache):
    """A server that runs all of the runs but one at once."""
    it = Hawk(tmp_path_factory.mktemp("reasons"), cache)
    it.env |= {"HAWK_NO_PROGRESS_SECONDS": "8", "HAWK_SAME_FAILURES": "50"}
    try:
        begin(it.start("--max-running", "4"))
        yield it
    finally:
        it.end_runners()
        it.stop()


def begin(it) -> None:
    """Submit the runs."""
    many = [WAITS, {"kind": "block", "seconds": 300}, {"kind": "narrow", "seconds": 600}, {"kind": "wait", "sandbox": "slow_box"},
            {"kind": "error_or_wait", "samples": 7, "every": 2, "seconds": 600}, {"kind": "segfault"}]
    submit(it, "uninstallable", config_of({}, packages=["hawk-no-such-package==1"]))
    submit(it, "many", config_of(*many))
    models = config_of({})
    models["models"][0]["items"] = [{"name": name} for name in ("slow", "429", "500")]
    submit(it, "models", models)
    approvers = {"approvers": [{"name": "faulty/waiting_approver", "tools": ["*"]}]}
    submit(it, "approval", config_of({}, model="tool", approval=approvers))
    submit(it, "short", config_of({"kind": "wait", "seconds": 2, "samples": 1000}, max_samples=4))
    submit(it, "waits", config_of(WAITS), "low")


def freeze(hawk) -> None:
    """Stop the process of the first task of `many` by a signal."""
    hawk.wait_for(lambda: live(hawk, "many").get("running"))
    os.kill(live(hawk, "many")["pid"], signal.SIGSTOP)


def press(hawk) -> None:
    """Say that memory is short, as the runner does."""
    hawk.wait_for(lambda: live(hawk, "short").get("running", 0) == 4)
    (hawk.data / "jobs/short/.slots/pressure").write_text("1\n")


def pause(hawk) -> None:
    """Pause `short`."""
    (hawk.data / "jobs/short/.slots/pressure").write_text("0\n")
    hawk.run("pause", "short")


def stop(hawk) -> None:
    """Ask `many` to stop, which two of its tasks do not heed."""
    hawk.run("stop", "many")


def kill(hawk) -> None:
    """Kill the runner of `models`; two runs have its turn after that: one whose samples all fail, which Inspect calls a
    success, and one with a task that there is none of."""
    submit(hawk, "all-fail", config_of({"kind": "error"}, fail_on_error=False))
    config = config_of({})
    config["tasks"][0]["items"] = [{"name": "no_such_task"}]
    submit(hawk, "misnamed", config)
    os.kill(json.loads((hawk.data / "jobs/models/runner.json").read_text())["pid"], signal.SIGKILL)


CAUSES = {
    "its turn": (None, "waits", "pending", "queue.turn", "position 1 of 1"),
    "a package that cannot be had": (None, "uninstallable", "failed", "install.failed", "hawk-no-such-package"),
    "a model that is slow": (None, "models", "running", "model.waiting", "faulty/slow"),
    "a model that is rate limited": (None, "models", "running", "model.rate_limited", "faulty/429"),
    "a model that errs": (None, "models", "running", "model.failing", "500"),
    "the same failure again": (None, "models", "running", "task.failed", "InternalServerError"),
    "somebody's approval": (None, "approval", "running", "approval.waiting", "ring"),
    "nothing happening": (None, "approval", "running", "progress.none", "nothing has happened"),
    "a sandbox": (None, "many", "running", "sandbox.waiting", "slow_box"),
    "a limit": (None, "many", "running", "limit.waiting", "narrow gate"),
    "an event loop that is blocked": (None, "many", "running", "worker.blocked", "has not answered"),
    "samples that fail alike": (None, "many", "running", "samples.failing", "the sky is falling"),
    "a process that always dies": (None, "many", "running", "task.given_up", "signal 11"),
    "nothing at all": (None, "short", "running", "run.running", "at work"),
    "memory": (press, "short", "running", "memory.short", "until memory is free"),
    "a pause": (pause, "short", "running", "run.paused", "hawk resume-run short"),
    "a process that is frozen": (freeze, "many", "stuck", "worker.frozen", "kill -CONT"),
    "a stop that is not heeded": (stop, "many", "stuck", "stop.asked", "samples are ending"),
    "a runner that was killed": (kill, "models", "failed", "run.killed", "runner was killed"),
    "samples that all failed": (None, "all-fail", "failed", "run.failed", "all 2 samples ended with an error"),
    "a task that there is none of": (None, "misnamed", "failed", "load.failed", "no_such_task"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_is_named(hawk, cause):
    """In the evidence with its code, in words, and by the status; what only waits is never called stuck."""
    bring_about, job, status, code, words = CAUSES[cause]
    if bring_about:
        bring_about(hawk)

    def named():
        got = explained(hawk, job)
        assert not (job in NEVER_STUCK and got["status"] == "stuck")
        is_told = any(item["reason"] == code and words in item["text"] for item in got["evidence"])
        return is_told and got["status"] == status and got["text"]

    assert hawk.wait_for(named, 90).startswith(job)


def test_doctor_lists_what_is_wrong(hawk):
    """With the job, what it is and how to mend it; and leaves with 1."""
    done = hawk.run("doctor", check=False)
    assert done.returncode == 1
    assert "many: the process" in done.stdout and "hawk stop many --within 5m" in done.stdout
