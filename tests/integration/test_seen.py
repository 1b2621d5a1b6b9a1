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
    hawk.wait_for(lambda: progress(hawk, lost) == {"total": 3, "running": 3}, 10)
    assert "0/3 samples, 3 running\n" in hawk.run("watch", lost, "--no-follow").stdout


def test_samples_of_a_lost_runner_wait(hawk, lost):
    """While nobody runs them, and will."""
    os.kill(json.loads((hawk.data / "jobs" / lost / "runner.json").read_text())["pid"], signal.SIGKILL)
    hawk.wait_for(lambda: progress(hawk, lost) == {"total": 3, "waiting": 3}, 10)
