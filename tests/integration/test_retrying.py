"""What is said while something is tried again by itself, and that a pause outlasts it."""

import json
import os
import signal

import pytest
from conftest import Hawk
from faults import config_of, explained, lines, live, submit
from webhook import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def webhook():
    """A running receiver."""
    it = Webhook(SECRET)
    yield it
    it.close()


@pytest.fixture(scope="module")
def hawk(tmp_path_factory, cache, webhook):
    """A server that starts lost runs again, and installers that go on for long."""
    it = Hawk(tmp_path_factory.mktemp("retrying"), cache)
    it.env |= {"HAWK_API_RUNNER_RETRY_WAITS": "2 600", "HAWK_INSTALL_WAITS": "600", "HAWK_API_WEBHOOK_URL": webhook.url,
               "HAWK_API_WEBHOOK_SECRET": SECRET, "HAWK_API_WEBHOOK_EVENTS": "job.retrying"}
    yield it.start()
    it.stop()


def kill_runner(hawk, job_id: str) -> None:
    """kill -9 the runner of a job."""
    os.kill(json.loads((hawk.data / "jobs" / job_id / "runner.json").read_text())["pid"], signal.SIGKILL)


def told(hawk, job_id: str, code: str) -> str | None:
    """What is said of a job with this code, None when it is not."""
    return next((item["text"] for item in explained(hawk, job_id)["evidence"] if item["reason"] == code), None)


@pytest.fixture(scope="module")
def lost(hawk, tmp_path_factory):
    """A paused run whose runner has been killed: its name, its trace, how many samples had begun, what was said before the next attempt."""
    trace = tmp_path_factory.mktemp("lost") / "trace"
    job = submit(hawk, "lost", config_of({"kind": "wait", "seconds": 0.5, "samples": 20, "path": trace}, max_samples=1))
    hawk.wait_for(lambda: live(hawk, job).get("running"))
    hawk.run("pause", job)
    # The sample whose turn it was as the pause came is held before it begins, those behind it by Inspect.
    hawk.wait_for(lambda: (now := live(hawk, job)).get("paused") and all(wait["kind"] == "held" for wait in now["waits"]))
    first = live(hawk, job)["pid"]
    kill_runner(hawk, job)
    said = hawk.wait_for(lambda: (told(hawk, job, "run.retrying"), told(hawk, job, "run.paused")) if told(hawk, job, "run.retrying") else None)
    begun = len(lines(trace))
    hawk.wait_for(lambda: live(hawk, job).get("pid") not in (None, first))
    return job, trace, begun, said


def test_a_run_that_lost_its_runner_says_when_it_is_started_again(lost):
    """And how often."""
    _, _, _, (said, paused) = lost
    assert "its runner was killed while it ran" in said and "it is started again, 1 of 2 times, after a wait of 2 s" in said
    assert "hawk resume-run lost" in paused


def test_an_operator_is_told_once_that_a_run_is_started_again(hawk, webhook, lost):
    """With its attempt and the reason."""
    hawk.wait_for(webhook.taken)
    (message,) = webhook.taken()
    data = message["body"]["data"]
    assert (message["body"]["type"], data["job_id"], data["reason_code"], data["attempt"]) == ("job.retrying", "lost", "run.retrying", 2)
    assert "its runner was killed" in data["reason"]


def test_a_paused_run_that_lost_its_runner_comes_back_paused(hawk, lost):
    """No sample begins until it is told to go on, then all do."""
    job, trace, begun, _ = lost
    logs = hawk.data / "store/evals" / job
    # Its process is there before the log is recovered, and that before the log that goes on.
    recovered = hawk.wait_for(lambda: max((path.stem for path in logs.glob("*-recovered.eval")), default=None))
    (newest,) = hawk.wait_for(lambda: [path for path in logs.glob("*.eval") if path.stem > recovered])
    hawk.wait_for(lambda: live(hawk, job)["at"] > newest.stat().st_ctime + 2)
    assert live(hawk, job)["paused"] and len(lines(trace)) == begun and explained(hawk, job)["reason"] == "run.paused"
    hawk.run("resume-run", job)
    assert hawk.wait_job(job)["status"] == "complete"
    ended = [sample for _, what, sample in lines(trace) if what == "end"]
    assert sorted(ended, key=float) == sorted({f"{number}.1" for number in range(1, 21)}, key=float)


def test_a_run_whose_index_is_away_says_when_it_is_tried_again(hawk):
    """With what could not be reached."""
    config = config_of({}, packages=["hawk-no-such-package"])
    config["runner"] = {"environment": {"UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_HTTP_RETRIES": "0"}}
    job = submit(hawk, "indexless", config)
    said = hawk.wait_for(lambda: told(hawk, job, "install.retrying"))
    assert "its packages could not be installed, which is tried again" in said and "try 2 of 2, after a wait of 600 s" in said
    hawk.run("stop", job)
