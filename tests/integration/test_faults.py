"""Runs under a rain of faults: every sample ends exactly once, none that is in a log is paid for again, and what is said of a
run is what has hit it.

HAWK_FAULTS is how many rounds there are (default 2); a round is one fault that hits one run and is told of. Rounds are dealt
from a shuffled deck in which each kind comes equally often; some hit each run, and some runs go on at once. HAWK_FAULTS_SEED
is another deck, HAWK_FAULTS_RUN one run of it alone, HAWK_FAULTS_JOBS how many runs go on at once (6), HAWK_FAULTS_KEEP a
folder for a copy of the server's data and of what it printed.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import threading
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from conftest import Hawk
from fault_kinds import KINDS, NO_ROOM, SEEN_SECONDS, Disk, Endpoint, MemoryGroup, counted, deck
from faults import config_of, live, marked
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401 - teaches zipfile about zstd

N_FAULTS = int(os.environ.get("HAWK_FAULTS", "2"))
SEED = int(os.environ.get("HAWK_FAULTS_SEED", "1"))
ONE_RUN = int(os.environ.get("HAWK_FAULTS_RUN", "0"))
FAULTS_OF_A_RUN = 5
RUNS_AT_ONCE = int(os.environ.get("HAWK_FAULTS_JOBS", "6"))
RESUMES_MAX = 12
SAMPLES, EPOCHS = 6, 2
MISSES_MAX = 6
LATE = 0.05
"""Seconds by which a call and the end of its sample may be noted the wrong way round."""


BEFORE = "00000000-0000-4000-8000-000000000000"
"""The boot of the machine before its restart."""


def write_in_place(file: pathlib.Path, text: str) -> None:
    """Write a file that has room for the text already, though the disk may be full."""
    with open(file, "r+") as opened:
        opened.write(text)
        opened.truncate()


class StoppedElsewhereError(Exception):
    """Another run has failed."""


class World:
    """What the runs share: a server, the endpoint of the models, the disk."""

    def __init__(self, folder: pathlib.Path, elsewhere: pathlib.Path, cache: pathlib.Path):
        self.disk = Disk(folder)
        self.endpoint = Endpoint()
        self.hawk = Hawk(folder, cache)
        (folder / "tmp").mkdir()
        # The packages that uv unpacks would fill the small disk.
        self.hawk.env |= {"TMPDIR": str(folder / "tmp"), "UV_CACHE_DIR": str(elsewhere), "HAWK_API_RUNNER_RETRY_WAITS": "2"}
        self.lock = threading.Lock()
        probe = MemoryGroup(f"hawk-faults-{os.getpid()}")
        probe.close()
        self.why_no_cgroup = probe.why_not
        self.is_over = False
        self.restarts: list[float] = []
        """When the machine was restarted."""

    def start(self) -> None:
        """Start a server."""
        self.hawk.start("--max-running", str(RUNS_AT_ONCE + 1))

    def start_again(self) -> None:
        """Start the next server, again as long as the disk has no room for its files."""
        while True:
            begin = time.monotonic()
            try:
                self.start()
                return
            except pytest.fail.Exception:
                if not (self.disk.was_full_since(begin) and re.search(NO_ROOM, self.hawk.server_output().rstrip().rsplit("\n", 1)[-1])):
                    raise

    def restart_server(self) -> None:
        """kill -9 the server and start the next."""
        with self.lock:
            self.hawk.kill()
            self.start_again()

    def restart_machine(self) -> bool:
        """kill -9 everything at once; the next server finds what another boot of the machine has left."""
        with self.lock:
            self.hawk.server.send_signal(signal.SIGSTOP)
            for which in (signal.SIGSTOP, signal.SIGKILL):
                for pid in marked(self.hawk):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, which)
            self.hawk.kill()
            self.hawk.wait_for(lambda: not marked(self.hawk))
            for file in self.hawk.data.glob("jobs/*/runner.json"):
                with contextlib.suppress(ValueError):
                    write_in_place(file, json.dumps(json.loads(file.read_text()) | {"boot_id": BEFORE}))
            self.restarts.append(time.monotonic())
            self.start_again()
        return True

    def close(self) -> None:
        """End everything."""
        self.hawk.stop()
        self.endpoint.server.shutdown()
        if kept := os.environ.get("HAWK_FAULTS_KEEP"):
            shutil.copytree(self.hawk.data, kept, dirs_exist_ok=True)
            shutil.copy(self.hawk.home / "server.out", kept)
        self.disk.close()

    def ask(self, method: str, path: str, body: dict | None = None) -> tuple[int, dict | None]:
        """Ask the server, again when it was killed or its disk was full."""
        begin = time.monotonic()
        while True:
            if self.is_over:
                raise StoppedElsewhereError
            try:
                status, _, answer = self.hawk.request(method, path, body, timeout=60)
                if status < 500 or not self.disk.was_full_since(begin - 1):
                    return status, json.loads(answer) if answer else None
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                assert time.monotonic() < begin + 240, self.hawk.server_output()[-2000:]
            time.sleep(0.1)

    def get(self, path: str) -> tuple[int, dict | None]:
        """GET from the server."""
        return self.ask("GET", path)


class Patience:
    """A time that begins anew whenever a run has come on: how long all of it takes is the machine's affair."""

    TIMES_MAX = 8

    def __init__(self, run: "Run", seconds: float):
        self.run, self.seconds = run, seconds
        self.mark = run.mark()
        self.until = time.monotonic() + seconds
        self.last = time.monotonic() + self.TIMES_MAX * seconds

    def is_over(self) -> bool:
        """Whether the run has not come on for so long."""
        mark = self.run.mark()
        if mark != self.mark:
            self.mark = mark
            self.until = time.monotonic() + self.seconds
        return time.monotonic() > min(self.until, self.last)


class Run:
    """One eval set and the faults that hit it."""

    LABELS = ["one", "two"]

    def __init__(self, world: World, number: int, part: int, kinds: list[str]):
        self.world, self.kinds = world, kinds
        self.rng = random.Random(f"{SEED}.{number}.{part}")
        self.job_id = f"run-{number}" + (f"-{part}" if part else "")
        self.folder = world.hawk.data / "jobs" / self.job_id
        self.logs = world.hawk.data / "store/evals" / self.job_id
        self.memories: list[MemoryGroup] = []
        """A cgroup for each time that it was out of memory."""
        self.begun = time.monotonic()
        self.paid: Counter = Counter()
        """Calls that there had been for each sample when it was first seen in a log."""
        self.told: list[str] = []
        """Why it has failed, each time."""
        self.said: list[dict] = []
        """All evidence that there has been."""
        self.hits: list[tuple[int, str]] = []
        """What has hit it, and in which attempt."""
        self.n_told: list[str] = []
        """Kinds whose hit was told of as it should."""

    # what it is

    def config(self) -> dict:
        """The eval set: two tasks whose samples take a moment and ask the endpoint once."""
        tasks = [{"kind": "wait", "samples": SAMPLES, "seconds": 0.8 + 0.1 * i, "label": f"{self.job_id} {label}"} for i, label in enumerate(self.LABELS)]
        config = config_of(*tasks, model="asking", max_samples=2, log_buffer=1, epochs=EPOCHS, eval_set_id=self.job_id)
        config["models"][0]["items"][0]["args"] = {"base_url": self.world.endpoint.url}
        return config | {"runner": {"environment": {"HAWK_SAME_FAILURES": "2"}}}

    def begin(self) -> None:
        """Submit it."""
        status, answer = self.world.ask("POST", "/eval_sets/", {"eval_set_config": self.config()})
        assert status in (200, 409), answer

    def join_memory(self) -> MemoryGroup:
        """Put its processes into a new cgroup. What they have stays counted where it was; what they take is counted here."""
        group = MemoryGroup(f"hawk-faults-{os.getpid()}-{self.job_id}-{len(self.memories)}")
        assert not group.why_not, group.why_not
        self.memories.append(group)
        for pid in marked(self.world.hawk, self.job_id):
            with contextlib.suppress(OSError):
                group.add(pid)
        return group

    # what it does

    def samples(self) -> dict[str, list[tuple[str, str, list[dict]]]]:
        """By task id, for each log that can be read: when it was begun, its status and the samples in it that have no error."""
        found: dict[str, list] = {}
        for path in sorted(self.logs.glob("*.eval")):
            with contextlib.suppress(zipfile.BadZipFile, KeyError, OSError, EOFError), zipfile.ZipFile(path) as archive:
                start = json.loads(archive.read("_journal/start.json"))["eval"]
                status = json.loads(archive.read("header.json"))["status"] if "header.json" in archive.namelist() else "started"
                # A sample that is run again after an error has two members of one name.
                texts = [json.loads(archive.read(member)) for member in archive.infolist() if member.filename.startswith("samples/")]
                found.setdefault(start["task_id"], []).append((start["created"], status, [text for text in texts if not text.get("error")]))
        return found

    def note_paid(self) -> None:
        """Note the calls of all samples that are in a log now."""
        for logs in self.samples().values():
            for _, _, samples in logs:
                for sample in samples:
                    self.paid.setdefault(name_of(sample), len(self.world.endpoint.calls[name_of(sample)]))

    def worker(self) -> tuple[int, int | None]:
        """The number of a task that runs, and its process."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            tasks = json.loads((self.folder / "tasks.json").read_text())["tasks"]
            running = [(number, task["pid"]) for number, task in enumerate(tasks) if task["state"] == "running" and self.is_ours(task["pid"])]
            if running:
                return self.rng.choice(running)
        return 0, None

    def pid(self, name: str) -> int | None:
        """The pid of the runner, of a worker that runs, or of its parent; None while there is none."""
        if name == "worker":
            return self.worker()[1]
        with contextlib.suppress(OSError, ValueError, KeyError):
            runner = json.loads((self.folder / "runner.json").read_text())["pid"]
            if name == "runner":
                return runner if self.is_ours(runner) else None
            children = pathlib.Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
            return next((int(child) for child in children if b"hawk_worker\0pool" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes()), None)
        return None

    def has_begun(self) -> bool:
        """Whether its runner has its turn."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "go").read_text()) == json.loads((self.folder / "runner.json").read_text())["attempt"]
        return False

    def is_ours(self, pid: int) -> bool:
        """Whether a process runs and is one of this run."""
        with contextlib.suppress(OSError):
            return f"/jobs/{self.job_id}\0".encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        return False

    def signal_pid(self, pid: int | None, which: int) -> bool:
        """Signal a process of the run, if it is there."""
        with contextlib.suppress(OSError):
            if pid and self.is_ours(pid):
                os.kill(pid, which)
                return True
        return False

    def signal(self, name: str, which: int) -> bool:
        """Signal the runner, a worker or the parent of workers."""
        return self.signal_pid(self.pid(name), which)

    def mark(self) -> tuple:
        """What is another whenever it has come on."""
        texts = []
        for name in ("status.json", "tasks.json"):
            with contextlib.suppress(OSError):
                texts.append((self.folder / name).read_text())
        n_calls = sum(len(calls) for said, calls in list(self.world.endpoint.calls.items()) if said.startswith(f"{self.job_id} "))
        return (n_calls, len(self.said), len(self.told), len(self.world.restarts), *texts)

    # what is said of it

    def signs(self, attempt: int | None = None) -> list:
        """What may be said of it, because of what has hit it, in one attempt or ever."""
        hits = {kind for n, kind in self.hits if attempt in (None, n)}
        if self.world.disk.was_full_since(self.begun):
            hits.add("the disk is full")
        if any(at >= self.begun for at in self.world.restarts):
            hits.add("the machine is restarted")
        return [sign for kind in hits for sign in (*KINDS[kind].seen, *KINDS[kind].allowed)]

    def look(self) -> dict:
        """What is said of it; nothing is that has not come about."""
        status, said = self.world.get(f"/monitoring/jobs/{self.job_id}/explain")
        assert status == 200, said
        strange = [item for item in said["evidence"] if item["trouble"] and not any(sign.fits(item) for sign in self.signs())]
        assert not strange, f"said without a cause: {strange}"
        self.said += [item for item in said["evidence"] if item not in self.said[-50:]]
        return said

    def wait_for(self, what, otherwise=lambda: False, seconds: float = SEEN_SECONDS) -> bool:
        """Wait until what() is true of what is said, or else until the run is over or otherwise(); whether what() was."""
        patience = Patience(self, seconds)
        while True:
            said = self.look()
            if what(said):
                return True
            if said["state"] in {"complete", "failed", "cancelled"} or otherwise():
                return False
            assert not patience.is_over(), f"not said: {said}"
            time.sleep(0.2)

    def until_over(self, otherwise=lambda: False) -> None:
        """Wait until the run is over."""
        self.wait_for(lambda said: False, otherwise, 240)

    def go_on_if_over(self) -> bool:
        """Resume the run when it has failed, for which there is a reason; whether it is complete."""
        said = self.look()
        if said["state"] == "complete":
            return True
        if said["state"] in {"failed", "cancelled"}:
            assert any(sign.fits(said["evidence"][0]) for sign in self.signs(len(self.told))), f"failed for a wrong reason: {said}"
            assert len(self.told) < RESUMES_MAX, self.told
            self.told.append(said["text"])
            self.note_paid()
            status, answer = self.world.ask("POST", "/eval_sets/", {"eval_set_id": self.job_id})
            assert status in (200, 409), answer
        return False

    def wait_for_samples(self) -> bool:
        """Wait until samples run; False when there is nothing left to run."""
        patience = Patience(self, 240)
        while not patience.is_over():
            if self.go_on_if_over():
                return False
            if self.worker()[1] and any(live(self.world.hawk, self.job_id, number).get("running") for number in range(2)):
                return True
            time.sleep(0.2)
        pytest.fail(f"no sample runs: {self.look()}")

    # what hits it

    def hit(self, name: str) -> bool:
        """Bring a fault about at some moment and hear of it; False when the run was over before."""
        kind = KINDS[name]
        for _ in range(20):
            if not (self.wait_for_samples() if kind.needs_samples else not self.go_on_if_over()):
                return False
            time.sleep(self.rng.uniform(0, 1 if kind.needs_samples else 2.5))
            self.note_paid()
            self.look()
            n_before, n_restarts = len(self.said), len(self.world.restarts)
            self.hits.append((len(self.told), name))
            if kind.hit(self):
                if not kind.seen or self.is_seen(kind, n_before):
                    return True
                if len(self.world.restarts) == n_restarts:
                    return False
            else:
                self.hits.pop()
        return False

    def is_seen(self, kind, n_before: int) -> bool:
        """Wait until a hit is told of; False when the run is over or the machine is restarted before, and all is different."""
        n_restarts = len(self.world.restarts)
        return self.wait_for(lambda _: any(sign.fits(item) for sign in kind.seen for item in self.said[n_before:]), lambda: len(self.world.restarts) > n_restarts)

    def go(self) -> list[str]:
        """Begin, be hit, end; return the kinds of faults that have not hit it."""
        self.begin()
        for i, name in enumerate(self.kinds):
            if self.hit(name):
                self.n_told.append(name)
            else:
                self.end()
                return self.kinds[i:]
        self.end()
        return []

    def end(self) -> None:
        """Wait until all is done; what has to hold then."""
        patience = Patience(self, 240)
        while not self.go_on_if_over():
            assert not patience.is_over(), f"not done: {self.look()}"
            time.sleep(0.3)
        calls = self.world.endpoint.calls
        wanted = {f"{self.job_id} {label} {i + 1}.{epoch + 1}" for label in self.LABELS for i in range(SAMPLES) for epoch in range(EPOCHS)}
        logs = self.samples()
        done = [name_of(sample) for each in logs.values() for sample in max((log for log in each if log[1] == "success"), key=lambda log: log[0])[2]]
        wrong = {name: n for name, n in (Counter(done) | Counter(wanted)).items() if Counter(done)[name] != 1 or name not in wanted}
        assert not wrong, f"not in the last log once: {wrong}; logs: {[(task, [log[:2] for log in each]) for task, each in logs.items()]}"
        again = {name: (n, len(calls[name])) for name, n in self.paid.items() if len(calls[name]) != n}
        assert not again, f"called again though in a log: {again}"
        ended = [(name_of(sample), datetime.fromisoformat(sample["completed_at"]).timestamp()) for each in logs.values() for log in each for sample in log[2]
                 if sample.get("completed_at")]
        late = {name: at for name, at in ended if max(calls[name]) > at + LATE}
        assert not late, f"called after its end: {late}"
        assert not [status for each in logs.values() for _, status, _ in each if status == "started"]
        assert not marked(self.world.hawk, self.job_id)
        for group in self.memories:
            group.close()


def name_of(sample: dict) -> str:
    """What a sample says to the endpoint."""
    return f"{sample['input']}.{sample['epoch']}"


def run_through(world: World, number: int, kinds: list[str]) -> list[Run]:
    """Let faults of these kinds hit a run, and what it was too short for the next; return all of them."""
    runs: list[Run] = []
    while kinds:
        assert len(runs) < MISSES_MAX, f"these hit nothing: {kinds}"
        run = Run(world, number, len(runs), kinds)
        runs.append(run)
        try:
            kinds = run.go()
            print(f"{time.strftime('%T')} {run.job_id}: {run.n_told}, resumed {len(run.told)} times", flush=True)
        except BaseException as error:
            again = f"HAWK_FAULTS={N_FAULTS} HAWK_FAULTS_SEED={SEED} HAWK_FAULTS_RUN={number}"
            if not world.is_over:
                print(f"\n{run.job_id} failed; alone again: {again}\nhit by: {run.hits}\ntold: {run.told}\nto be hit by: {run.kinds}", flush=True)
            world.is_over = True
            raise
    return runs


@pytest.fixture
def world(tmp_path_factory, cache):
    """A server on a disk of its own."""
    it = World(tmp_path_factory.mktemp("w"), tmp_path_factory.mktemp("uv"), cache)
    try:
        it.start()
        yield it
    finally:
        it.close()


@pytest.mark.timeout(300 + 60 * N_FAULTS)
def test_every_sample_ends_once_and_is_paid_once_whatever_happens(world):
    """And the reason is told. Kinds of faults that this machine cannot have are named."""
    begin = time.monotonic()
    missing = {name: why for name, kind in KINDS.items() if (why := kind.why_not(world))}
    for name, why in missing.items():
        print(f"\nleft out: {name}: {why}")
    dealt = deck(random.Random(SEED), N_FAULTS, [name for name in KINDS if name not in missing])
    hands = [dealt[i : i + FAULTS_OF_A_RUN] for i in range(0, len(dealt), FAULTS_OF_A_RUN)]
    numbered = [(i + 1, hand) for i, hand in enumerate(hands) if ONE_RUN in (0, i + 1)]
    with ThreadPoolExecutor(RUNS_AT_ONCE) as executor:
        futures = [executor.submit(run_through, world, number, hand) for number, hand in numbered]
        try:
            failures = [error for future in futures if (error := future.exception()) and not isinstance(error, StoppedElsewhereError)]
        finally:
            world.is_over = True
    if failures:
        raise failures[0]
    runs = [run for future in futures for run in future.result()]
    told = [name for run in runs for name in run.n_told]
    assert Counter(told) == Counter(name for _, hand in numbered for name in hand)
    print(f"\nseed {SEED}: {len(told)} rounds in {len(runs)} runs with {sum(len(run.told) for run in runs)} resumes, {time.monotonic() - begin:.0f} s, "
          f"load {os.getloadavg()[0]:.0f}: {counted(told)}")
