"""Configs and secrets that are made to hurt: each is refused in words or works, and nothing is lost or held up."""

import json

import pytest
from conftest import ROOT

PACKAGE = {"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples"}


def config(eval_set_id: str, **changes) -> dict:
    """Return a config that would run."""
    return {
        "eval_set_id": eval_set_id,
        "tasks": [{**PACKAGE, "items": [{"name": "hello"}]}],
        "models": [{**PACKAGE, "items": [{"name": "steady"}]}],
        **changes,
    }


def submit(hawk, cfg: dict, **more) -> tuple[int, dict]:
    """Submit a config; return (status, answer)."""
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": cfg, **more})
    return status, json.loads(body)


def test_a_submit_that_fails_leaves_logs_that_were_there(hawk):
    """Logs under the id that no job of ours has written, and a runner that cannot be started."""
    logs = hawk.data / "store/evals/keep"
    logs.mkdir(parents=True)
    (logs / "precious.eval").write_bytes(b"results")
    (hawk.data / "jobs").mkdir(exist_ok=True)
    (hawk.data / "jobs/keep").write_text("in the way of the job's folder")
    status, answer = submit(hawk, config("keep"))
    assert status == 500 and answer["code"] == "job.launch", answer
    assert (logs / "precious.eval").read_bytes() == b"results"
    assert hawk.get("/meta/jobs")[1]["items"] == []


@pytest.mark.parametrize(
    "more",
    [
        {"environment": {f"V{i}": "x" for i in range(100_000)}},
        {"environment": {f"V{i}": "x" * 100_000 for i in range(30)}},
        {"secrets": {f"S{i}": "x" * 100_000 for i in range(30)}},
    ],
    ids=["many", "large", "large-secrets"],
)
def test_more_variables_than_a_process_can_have_are_refused_at_once(shared, more):
    """Not after minutes of sorting them, and not as a failure of the server."""
    environment = more.get("environment", {})
    status, answer = submit(shared, config("vars", runner={"environment": environment}), secrets=more.get("secrets"))
    assert status == 422 and "variables" in answer["detail"], answer
    assert shared.get("/meta/jobs")[1]["items"] == []


def test_memory_of_the_server_is_not_dumped(shared):
    """A limit of one byte, which the kernel also takes to mean "do not pipe it anywhere"."""
    assert shared.server is not None
    limits = (f"/proc/{shared.server.pid}/limits",)
    with open(limits[0], encoding="ascii") as file:
        core = next(line for line in file if line.startswith("Max core file size"))
    assert int(core.split()[4]) <= 1
