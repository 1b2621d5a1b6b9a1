"""Runs that go wrong, for the tests that look at how: configs of the package `faulty`, and what a server says of them."""

import json
import pathlib

from conftest import ROOT

PACKAGE = ROOT / "tests/peers/faulty"


def config_of(*tasks: dict, model: str = "ok", **more) -> dict:
    """Return a config with a task `fault` for each of these arguments."""
    group = {"package": str(PACKAGE), "name": "faulty"}
    tasks = [{"name": "fault", "args": {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in task.items()}} for task in tasks]
    return {"tasks": [{**group, "items": tasks}], "models": [{**group, "items": [{"name": model}]}], **more}


def submit(hawk, job_id: str, config: dict, priority: str = "medium") -> str:
    """Submit a config under an id; return the id."""
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": {**config, "eval_set_id": job_id}, "priority": priority})
    assert status == 200, body
    return job_id


def explained(hawk, job_id: str) -> dict:
    """Return what the server says of a job."""
    status, answer = hawk.get(f"/monitoring/jobs/{job_id}/explain")
    assert status == 200
    return answer


def reasons(hawk, job_id: str) -> set[str]:
    """Return the codes of everything that is known of a job."""
    return {item["reason"] for item in explained(hawk, job_id)["evidence"]}


def live(hawk, job_id: str, number: int = 0) -> dict:
    """Return what a task tells of itself, {} when it tells nothing yet."""
    path = hawk.data / "jobs" / job_id / f"live/{number}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def lines(path: pathlib.Path) -> list[list[str]]:
    """Return the lines of a trace: process, `begin` or `end`, sample."""
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def marked(hawk, job_id: str = "") -> list[int]:
    """Return the pids of all processes that carry the mark of a job, or of any job of this server."""
    mark = f"HAWK_JOB_DIR={hawk.data}/jobs/{job_id}".encode()
    found = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if any(item == mark or (not job_id and item.startswith(mark)) for item in (proc / "environ").read_bytes().split(b"\0")):
                found.append(int(proc.name))
        except OSError:
            continue
    return found
