"""Runs under a rain of faults: every sample ends exactly once, and none that is in a log is paid for again.

HAWK_FAULTS is how many faults there are (default 2); HAWK_FAULTS_SEED begins another sequence. Some faults hit each run.
"""

import contextlib
import http.server
import json
import os
import pathlib
import random
import resource
import signal
import socket
import threading
import time
import zipfile
from collections import Counter

import pytest
from faults import config_of, explained, live, submit
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401 - teaches zipfile about zstd

N_FAULTS = int(os.environ.get("HAWK_FAULTS", "2"))
SEED = int(os.environ.get("HAWK_FAULTS_SEED", "1"))
FAULTS_OF_A_RUN = 4
RESUMES_MAX = 12
SAMPLES, EPOCHS = 6, 2
LABELS = ["one", "two"]
TROUBLE_SECONDS = 4


class Endpoint:
    """What the model asks, a server that counts its calls by what they say, and has troubles."""

    def __init__(self):
        self.calls = Counter()
        self.trouble = ""
        self.until = 0.0
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_args) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.answer(self, said)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def begin(self, trouble: str) -> None:
        """Have a trouble for a while: hang, refuse, close."""
        self.trouble, self.until = trouble, time.monotonic() + TROUBLE_SECONDS

    def answer(self, handler, said: str) -> None:
        """Answer one call, or do not."""
        self.calls[said] += 1
        trouble = self.trouble if time.monotonic() < self.until else ""
        if trouble == "hang":
            time.sleep(TROUBLE_SECONDS)
            return
        handler.send_response(500 if trouble == "refuse" else 200)
        handler.send_header("Content-Length", "100" if trouble == "close" else "2")
        handler.end_headers()
        handler.wfile.write(b"{}")
        if trouble == "close":
            with contextlib.suppress(OSError):
                handler.connection.shutdown(socket.SHUT_RDWR)


class Run:
    """One eval set and the faults that hit it."""

    def __init__(self, hawk, job_id: str, endpoint: Endpoint, rng: random.Random):
        self.hawk, self.job_id, self.endpoint, self.rng = hawk, job_id, endpoint, rng
        self.folder = hawk.data / "jobs" / job_id
        self.logs = hawk.data / "store/evals" / job_id
        self.paid: Counter = Counter()
        """Calls that there had been for each sample when it was first seen in a log."""
        self.told: list[str] = []

    def config(self) -> dict:
        """The eval set: two tasks whose samples take a moment and ask the endpoint once."""
        tasks = [{"kind": "wait", "samples": SAMPLES, "seconds": 0.4 + 0.1 * i, "label": f"{self.job_id} {label}"} for i, label in enumerate(LABELS)]
        config = config_of(*tasks, model="asking", max_samples=2, log_buffer=1, epochs=EPOCHS)
        config["models"][0]["items"][0]["args"] = {"base_url": self.endpoint.url}
        return config

    def samples(self) -> dict[str, list[tuple[str, list[str]]]]:
        """By task id, for each log that can be read: when it was begun, its status and the samples in it that have no error."""
        found: dict[str, list] = {}
        for path in sorted(self.logs.glob("*.eval")):
            with contextlib.suppress(zipfile.BadZipFile, KeyError, OSError, EOFError), zipfile.ZipFile(path) as archive:
                start = json.loads(archive.read("_journal/start.json"))["eval"]
                status = json.loads(archive.read("header.json"))["status"] if "header.json" in archive.namelist() else "started"
                texts = [json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("samples/")]
                names = [f"{sample['input']}.{sample['epoch']}" for sample in texts if not sample.get("error")]
                found.setdefault(start["task_id"], []).append((start["created"], status, names))
        return found

    def note_paid(self) -> None:
        """Note the calls of all samples that are in a log now."""
        for logs in self.samples().values():
            for _, _, names in logs:
                for name in names:
                    self.paid.setdefault(name, self.endpoint.calls[name])

    def pid(self, name: str) -> int | None:
        """The pid of the runner, of a worker that runs, or of its parent."""
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
            if name == "runner":
                return json.loads((self.folder / "runner.json").read_text())["pid"]
            running = [task["pid"] for task in json.loads((self.folder / "tasks.json").read_text())["tasks"] if task["state"] == "running"]
            worker = self.rng.choice(running)
            if name == "worker":
                return worker
            return int(pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[1])
        return None

    def signal(self, name: str, which: int) -> None:
        """Signal a process of the run, if there is one now."""
        pid = self.pid(name)
        with contextlib.suppress(OSError):
            if pid and self.folder.name in pathlib.Path(f"/proc/{pid}/environ").read_text(errors="replace"):
                os.kill(pid, which)

    def limit(self, kind: int) -> None:
        """Leave a worker no room, in files or in memory, beyond a little more than it has."""
        pid = self.pid("worker")
        with contextlib.suppress(OSError, TypeError):
            room = 4096 if kind == resource.RLIMIT_FSIZE else int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * 4096
            resource.prlimit(pid, kind, (room, room))

    def freeze(self) -> None:
        """Freeze a worker until that is told, or it is over."""
        pid = self.pid("worker")
        if pid is None:
            return
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGSTOP)
            self.hawk.wait_for(lambda: not self.is_running() or "worker.frozen" in str(explained(self.hawk, self.job_id)) or not pathlib.Path(f"/proc/{pid}").exists(), 30)
            os.kill(pid, signal.SIGCONT)

    def restart_server(self) -> None:
        """kill -9 the server and start the next."""
        self.hawk.kill()
        self.hawk.start()

    def is_running(self) -> bool:
        """Whether the job is not over."""
        return explained(self.hawk, self.job_id)["state"] in {"queued", "running", "stopping"}

    def go_on_if_over(self) -> bool:
        """Resume the run when it has failed; whether it is complete."""
        said = explained(self.hawk, self.job_id)
        if said["state"] == "complete":
            return True
        if said["state"] in {"failed", "cancelled"}:
            assert said["text"].count(".") and len(self.told) < RESUMES_MAX, self.told
            self.told.append(said["text"])
            self.note_paid()
            status, _, body = self.hawk.request("POST", "/eval_sets/", {"eval_set_id": self.job_id})
            assert status in (200, 409), body
        return False

    def wait_for_samples(self) -> bool:
        """Wait until samples run; False when there is nothing left to run."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.go_on_if_over():
                return False
            if any(live(self.hawk, self.job_id, number).get("running") for number in range(2)):
                return True
            time.sleep(0.1)
        pytest.fail(f"no sample runs: {explained(self.hawk, self.job_id)}")

    def hit(self, fault: str) -> None:
        """Bring a fault about at some moment."""
        time.sleep(self.rng.uniform(0, 1))
        self.note_paid()
        FAULTS[fault](self)

    def end(self) -> None:
        """Wait until all is done; what has to hold then."""
        self.hawk.wait_for(self.go_on_if_over, 240, 0.5)
        wanted = {f"{self.job_id} {label} {i + 1}.{epoch + 1}" for label in LABELS for i in range(SAMPLES) for epoch in range(EPOCHS)}
        done = [name for logs in self.samples().values() for name in max(log for log in logs if log[1] == "success")[2]]
        assert sorted(done) == sorted(wanted)
        again = {name: (n, self.endpoint.calls[name]) for name, n in self.paid.items() if self.endpoint.calls[name] != n}
        assert not again, f"called again though in a log: {again}"
        assert not [status for logs in self.samples().values() for _, status, _ in logs if status == "started"]


FAULTS = {
    "the server is killed": Run.restart_server,
    "the runner is killed": lambda run: run.signal("runner", signal.SIGKILL),
    "a worker is killed": lambda run: run.signal("worker", signal.SIGKILL),
    "a worker crashes": lambda run: run.signal("worker", signal.SIGSEGV),
    "the process that starts workers is killed": lambda run: run.signal("pool", signal.SIGKILL),
    "a worker is frozen": Run.freeze,
    "the disk is full for a worker": lambda run: run.limit(resource.RLIMIT_FSIZE),
    "a worker can have no more memory": lambda run: run.limit(resource.RLIMIT_AS),
    "the model hangs": lambda run: run.endpoint.begin("hang"),
    "the model answers with 500": lambda run: run.endpoint.begin("refuse"),
    "the model closes in the middle of an answer": lambda run: run.endpoint.begin("close"),
}


@pytest.mark.timeout(60 + 60 * N_FAULTS)
def test_every_sample_ends_once_and_is_paid_once_whatever_happens(home):
    """Faults are drawn from a seeded sequence and hit runs at random points; runs that fail are resumed."""
    rng = random.Random(SEED)
    hawk, endpoint = home.start(), Endpoint()
    n_hit, n_runs = Counter(), 0
    while n_hit.total() < N_FAULTS:
        n_runs += 1
        run = Run(hawk, f"run-{n_runs}", endpoint, rng)
        submit(hawk, run.job_id, run.config())
        for _ in range(min(FAULTS_OF_A_RUN, N_FAULTS - n_hit.total())):
            if not run.wait_for_samples():
                break
            fault = rng.choice(list(FAULTS))
            run.hit(fault)
            n_hit[fault] += 1
        run.end()
    print(f"\n{n_runs} runs, {dict(n_hit)}")
    endpoint.server.shutdown()
