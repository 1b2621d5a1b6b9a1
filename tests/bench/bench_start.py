"""Start and first use: what someone at a terminal waits for. Prints our figure, the Python hawk's, and the target."""

import json
import pathlib
import time

from common import ROOT, milliseconds, new_hawk, peer_program, resident_megabytes, row, run_seconds


def start_seconds(times: int) -> list[float]:
    """Return the seconds from exec to the first answer of a server with an existing folder."""
    seconds = []
    hawk = new_hawk().start()
    hawk.stop()
    for _ in range(times):
        begun = time.perf_counter()
        hawk.start()
        seconds.append(time.perf_counter() - begun)
        hawk.stop()
    return seconds


def submit(hawk) -> str:
    """Submit a small eval set; return its id."""
    package = {"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples"}
    config = {
        "name": "bench",
        "tasks": [{**package, "items": [{"name": "hello", "args": {"samples": 2}}]}],
        "models": [{**package, "items": [{"name": "steady"}]}],
    }
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config})
    assert status == 200, body
    return json.loads(body)["eval_set_id"]


def submit_seconds(hawk, times: int) -> list[float]:
    """Return the seconds of each POST until the answer, which comes after the job is stored and its runner started."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        submit(hawk)
        seconds.append(time.perf_counter() - begun)
    return seconds


def first_sample_seconds(hawk) -> tuple[float, float]:
    """Return (submit to first sample listed, Inspect's own import time) for a run whose virtualenv exists."""
    begun = time.perf_counter()
    job_id = submit(hawk)
    while not hawk.get(f"/meta/samples?eval_set_id={job_id}")[1]["items"]:
        time.sleep(0.01)
    elapsed = time.perf_counter() - begun
    pythons = pathlib.Path(hawk.env["HAWK_CACHE"]).glob("venvs/*/bin/python")
    python = max(pythons, key=lambda path: path.lstat().st_mtime)
    own = run_seconds([str(python), "-c", "import inspect_ai, inspect_ai.log, inspect_ai.model"], 3)
    return elapsed, min(own)


def main() -> None:
    row("", "hawk", "Python hawk 3.7.2", "target")
    hawk = new_hawk()
    peer = peer_program()
    none = "not installed: no Python 3.13"
    ours = run_seconds([str(hawk.program), "--version"], 50, hawk.env)
    row("hawk --version", milliseconds(ours), milliseconds(run_seconds([str(peer), "--version"], 5)) if peer else none, "5 ms")
    row("serve: exec to first answer", milliseconds(start_seconds(5)), "", "100 ms")
    hawk.start()
    row("serve: memory when idle", f"{resident_megabytes(hawk.server.pid):.1f} MB", "491 MB (one worker)", "20 MB")
    env = {**hawk.env, "HAWK_API_URL": hawk.url, "HAWK_ACCESS_TOKEN": hawk.token, "HAWK_VERSION_CHECK": "off"}
    ours = run_seconds([str(hawk.program), "list", "eval-sets"], 30, hawk.env)
    theirs = milliseconds(run_seconds([str(peer), "list", "eval-sets"], 5, env)) if peer else none
    row("list eval-sets, local server", milliseconds(ours), theirs, "20 ms")
    submit(hawk)
    hawk.wait_for(lambda: hawk.get("/meta/samples")[1]["items"], 600)
    row("submit: POST to stored and started", milliseconds(submit_seconds(hawk, 10)), "", "50 ms")
    hawk.wait_for(lambda: all(job["status"] == "complete" for job in hawk.get("/meta/jobs")[1]["items"]), 600)
    elapsed, own = first_sample_seconds(hawk)
    row("second run: submit to first sample listed", f"{elapsed * 1000:.0f} ms", f"import alone: {own * 1000:.0f} ms", "import + 300 ms")
    hawk.stop()


if __name__ == "__main__":
    main()
