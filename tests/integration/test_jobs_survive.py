"""Jobs outlive their server: many at once, the server killed again and again.

HAWK_KILLS is how often it is killed (default 8), under more jobs the more kills there are.
"""

import json
import os
import random
import time
import zipfile

import pytest

N_KILLS = int(os.environ.get("HAWK_KILLS", "8"))
N_JOBS = N_KILLS * 5 // 2
CONFIG = {
    "name": "many",
    "tasks": [{"package": "PACKAGE", "name": "hawk_examples", "items": [{"name": "hello", "args": {"samples": 2}}]}],
    "models": [{"package": "PACKAGE", "name": "hawk_examples", "items": [{"name": "steady"}]}],
}


def config_of(root, **more):
    """Return the config with the example package's real place."""
    text = json.dumps(CONFIG).replace("PACKAGE", str(root / "examples/hawk_examples"))
    return {**json.loads(text), **more}


def read_log(path):
    """Return the status of a log and its (id, epoch) pairs, read as a plain zip would be (stored and deflated members)
    or through Inspect where it is compressed otherwise."""
    from inspect_ai.log import read_eval_log

    log = read_eval_log(str(path))
    return log.status, [(sample.id, sample.epoch) for sample in log.samples or []]


def warm_up(hawk, root):
    """Run one job, so that the virtualenv is there."""
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config_of(root, name="warm-up")})
    assert status == 200, body
    assert hawk.wait_job(json.loads(body)["eval_set_id"], 600)["status"] == "complete"


@pytest.mark.timeout(1500)
def test_many_jobs_and_kills_of_the_server_lose_and_repeat_nothing(home):
    """Every submitted job ends complete, was begun once, and has every sample exactly once."""
    from conftest import ROOT

    rng = random.Random(7)
    hawk = home.start("--max-running", "4")
    warm_up(hawk, ROOT)
    ids = []
    kills = 0
    while len(ids) < N_JOBS:
        config = config_of(ROOT, eval_set_id=f"many-{len(ids)}")
        try:
            status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config}, timeout=20)
        except OSError:
            status, body = 0, b""
        # Not answered, or answered that it is there already: the server was killed between storing and answering.
        if status in (200, 409):
            ids.append(config["eval_set_id"])
        else:
            assert status in (0, 429, 503), body
        if kills < N_KILLS // 4 and len(ids) % 5 == 4 and rng.random() < 0.5:
            hawk.kill()
            hawk.start("--max-running", "4")
            kills += 1
    running_at_once = 0
    while kills < N_KILLS:
        time.sleep(rng.uniform(0.2, 2.5))
        _, jobs = hawk.get("/meta/jobs?limit=500")
        running_at_once = max(running_at_once, sum(1 for job in jobs["items"] if job["status"] == "running"))
        hawk.kill()
        hawk.start("--max-running", "4")
        kills += 1
    for job_id in ids:
        assert hawk.wait_job(job_id, 600)["status"] == "complete", job_id
        folder = hawk.data / "store/evals" / job_id
        logs = [read_log(path) for path in folder.glob("*.eval")]
        assert [status for status, _ in logs] == ["success"], job_id
        assert sorted(logs[0][1]) == [(1, 1), (2, 1)] or len(set(logs[0][1])) == len(logs[0][1]) == 2, job_id
        assert json.loads((hawk.data / "jobs" / job_id / "exit.json").read_text())["attempt"] == 1
    assert 0 < running_at_once <= 4
    hawk.wait_for(lambda: len(hawk.get("/meta/samples?limit=500&search=many-")[1]["items"]) == 2 * N_JOBS)
    hawk.wait_for(lambda: not hawk.runners())


def test_a_runner_that_is_killed_fails_its_job_with_the_reason(hawk):
    """kill -9 of a runner ends its worker too, and the job says what happened."""
    import signal

    from conftest import ROOT

    config = config_of(ROOT, eval_set_id="killed")
    config["tasks"][0]["items"] = [{"name": "slow", "args": {"seconds": 120}}]
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config})
    assert status == 200, body
    runner = hawk.data / "jobs/killed/runner.json"
    hawk.wait_for(lambda: list((hawk.data / "store/evals/killed").glob("*.eval")), 300)
    os.kill(json.loads(runner.read_text())["pid"], signal.SIGKILL)
    assert hawk.wait_job("killed")["status"] == "failed"
    _, status_answer = hawk.get("/monitoring/jobs/killed/job-status")
    assert "runner" in json.dumps(status_answer)
    assert "log.unfinished" in [finding["what"] for finding in hawk.json("doctor", check=False)["findings"]]
    hawk.wait_for(lambda: not hawk.runners())
