"""The faults that hit runs in test_faults.py: what brings each about, and what has to be said of it."""

import contextlib
import http.server
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

TROUBLE_SECONDS = 5
HANG_SECONDS = 30
HANGING_SECONDS = 25
"""For how long calls hang, which the model gives up after ten: so that one has failed and the next is waited for."""
DISK_SECONDS = 3
SEEN_SECONDS = 90
MB = 1 << 20
HOLD_MB = 160
"""What an answer takes when memory is to run out."""
ROOM_MB = 48
"""What there is of it."""
DISK_MB = 256


@dataclass
class Trouble:
    """What the endpoint does instead of answering."""

    kind: str
    until: float = float("inf")
    left: int = 1 << 30
    """How many calls it hits."""


class Endpoint:
    """What the models ask: a server that counts its calls by what they say, and has troubles with some of them."""

    def __init__(self):
        self.calls: defaultdict[str, list[float]] = defaultdict(list)
        """When there were calls that said this."""
        self.troubles: dict[str, Trouble] = {}
        """By how calls begin that are hit."""
        self.lock = threading.Lock()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_args) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with contextlib.suppress(OSError):
                    endpoint.answer(self, said)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_args) -> None:
                """Who asked is gone, killed."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, said: str) -> str:
        """Count a call; return which trouble hits it, "" for none."""
        with self.lock:
            self.calls[said].append(time.time())
            for begin, trouble in self.troubles.items():
                if f"{said} ".startswith(f"{begin} ") and time.monotonic() < trouble.until and trouble.left > 0:
                    trouble.left -= 1
                    return trouble.kind
        return ""

    def answer(self, handler, said: str) -> None:
        """Answer one call, or do not."""
        trouble = self.take(said)
        if trouble == "hang":
            time.sleep(HANG_SECONDS)
            return
        body = json.dumps({"hold_mb": HOLD_MB} if trouble == "hold" else {}).encode()
        handler.send_response(500 if trouble == "refuse" else 200)
        handler.send_header("Content-Length", "100" if trouble == "close" else str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        if trouble == "close":
            handler.connection.shutdown(socket.SHUT_RDWR)


class Disk:
    """A small file system for everything that hawk, its jobs and Inspect write, which can be filled."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.lock = threading.Lock()
        self.full: list[tuple[float, float]] = []
        """From when to when it was."""
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "hawk-faults", str(folder)], capture_output=True, text=True, check=False)
        self.why_not = None if done.returncode == 0 else f"no file system can be mounted: {done.stderr.strip()}"

    def close(self) -> None:
        """Take it away again."""
        if not self.why_not:
            subprocess.run(["umount", "-l", str(self.folder)], check=False)

    @contextlib.contextmanager
    def filled(self):
        """Leave no byte free."""
        ballast = self.folder / "ballast"
        with self.lock:
            begin = time.monotonic()
            self.full.append((begin, float("inf")))
            try:
                with open(ballast, "wb", buffering=0) as file:
                    for size in (MB, 4096):
                        with contextlib.suppress(OSError):
                            while True:
                                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
                yield
            finally:
                ballast.unlink(missing_ok=True)
                self.full[-1] = (begin, time.monotonic())

    def was_full_since(self, begin: float) -> bool:
        """Whether it was full at some time since then."""
        return any(until >= begin for _, until in self.full)


class MemoryGroup:
    """A cgroup for the processes of one job, to which memory can be given sparingly."""

    ROOT = pathlib.Path("/sys/fs/cgroup")

    def __init__(self, name: str):
        self.folder = self.parent() / name if self.parent() else None
        self.is_v2 = self.folder is not None and not self.folder.is_relative_to(self.ROOT / "memory")
        self.why_not = None
        try:
            assert self.folder, "this process is in none"
            self.folder.mkdir()
            if not (self.folder / self.file("limit")).exists():
                self.folder.rmdir()
                raise OSError("it has no limit of memory")
        except (OSError, AssertionError) as error:
            self.why_not = f"no cgroup can be made: {error}"

    @classmethod
    def parent(cls) -> pathlib.Path | None:
        """The cgroup of this process that counts memory."""
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            base = cls.ROOT / "memory" if controllers == "memory" else cls.ROOT
            if controllers in {"memory", ""} and (base / path.lstrip("/") / "cgroup.procs").exists():
                return base / path.lstrip("/")
        return None

    def file(self, what: str) -> str:
        """The name of a file of the cgroup."""
        return {"limit": "memory.max", "usage": "memory.current"}[what] if self.is_v2 else f"memory.{what}_in_bytes"

    def add(self, pid: int) -> None:
        """Take in a process, and with that those that it will start."""
        if not self.why_not:
            (self.folder / "cgroup.procs").write_text(str(pid))

    def has(self, pid: int) -> bool:
        """Whether a process is in it."""
        return not self.why_not and str(pid) in (self.folder / "cgroup.procs").read_text().split()

    @contextlib.contextmanager
    def narrow(self):
        """Leave little room beyond what is used."""
        limit = self.folder / self.file("limit")
        limit.write_text(str(int((self.folder / self.file("usage")).read_text()) + ROOM_MB * MB))
        try:
            yield
        finally:
            limit.write_text("max" if self.is_v2 else "-1")

    def close(self) -> None:
        """Take it away, once its processes have ended."""
        if not self.why_not:
            with contextlib.suppress(OSError):
                self.folder.rmdir()


@dataclass(frozen=True)
class Sign:
    """Something that may be said of a run: a code and words, as expressions."""

    code: str
    words: str = ""

    def fits(self, item: dict) -> bool:
        """Whether it is that what is said."""
        return bool(re.fullmatch(self.code, item["reason"]) and re.search(self.words, item["text"], re.I | re.S))


NO_ROOM = "No space left|disk is full|disk I/O error|Errno 28"
NO_MEMORY = "MemoryError|not enough memory|cannot allocate memory|can.t start new thread|out of memory"
OVER = r"launch\.failed|task\.failed|run\.failed|samples\.failing|log\.\w+|runner\.failed"


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    hit: object
    """Brings it about; called with the run."""
    seen: tuple[Sign, ...] = ()
    """One of these has to be said before the run is done."""
    allowed: tuple[Sign, ...] = ()
    """These may be said besides."""
    needs_samples: bool = True
    """Whether it hits what samples run in."""
    why_not: object = field(default=lambda run: None)
    """Why this machine cannot have it; called with the world."""


def signal_to(name: str, which: int):
    """A signal to a process of the run."""
    return lambda run: run.signal(name, which)


def trouble(kind: str, seconds: float = TROUBLE_SECONDS):
    """A trouble of the model for a while."""

    def hit(run) -> bool:
        run.world.endpoint.troubles[run.job_id] = Trouble(kind, time.monotonic() + seconds)
        return True

    return hit


def refuse_for_ever(run) -> bool:
    """The model refuses until the run has failed of it."""
    run.world.endpoint.troubles[run.job_id] = Trouble("refuse")
    run.until_over()
    del run.world.endpoint.troubles[run.job_id]
    return True


def freeze(run) -> bool:
    """Stop a worker until that is told."""
    pid = run.pid("worker")
    if not run.signal_pid(pid, signal.SIGSTOP):
        return False
    try:
        run.wait_for(lambda said: said["status"] == "stuck" and any(item["reason"] == "worker.frozen" and str(pid) in item["text"] for item in said["evidence"]),
                     lambda: not pathlib.Path(f"/proc/{pid}").exists())
    finally:
        run.signal_pid(pid, signal.SIGCONT)
    return True


def limit_files(run) -> bool:
    """Leave a worker no room in its files, as a quota does."""
    with contextlib.suppress(OSError, TypeError):
        resource.prlimit(run.pid("worker"), resource.RLIMIT_FSIZE, (4096, 4096))
        return True
    return False


def limit_memory(run) -> bool:
    """Give a worker little more memory than it has, and an answer that takes more, again and again."""
    number, pid = run.worker()
    with contextlib.suppress(OSError, TypeError):
        room = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize() + ROOM_MB * MB
        resource.prlimit(pid, resource.RLIMIT_AS, (room, room))
        begin = f"{run.job_id} {run.LABELS[number]}"
        run.world.endpoint.troubles[begin] = Trouble("hold")
        run.until_over(lambda: not pathlib.Path(f"/proc/{pid}").exists())
        del run.world.endpoint.troubles[begin]
        return True
    return False


def exhaust_memory(run) -> bool:
    """Give the processes of the run little more memory than they have, and one worker an answer that takes more."""
    group = run.join_memory()
    if not group.has(run.pid("worker") or 0):
        return False
    n_restarts = len(run.world.restarts)
    with group.narrow():
        run.world.endpoint.troubles[run.job_id] = hold = Trouble("hold", left=1)
        is_told = run.wait_for(lambda said: any(item["reason"] == "task.out_of_memory" for item in said["evidence"]), lambda: len(run.world.restarts) > n_restarts)
        assert hold.left == 0 or not is_told, "a process was out of memory before it was given much to hold"
    del run.world.endpoint.troubles[run.job_id]
    return is_told


def fill_disk(run) -> bool:
    """Fill the disk for all."""
    with run.world.disk.filled():
        deadline = time.monotonic() + DISK_SECONDS
        status, answer = run.world.get("/monitoring/doctor")
        assert status == 200 and "disk.full" in [finding["what"] for finding in answer["findings"]], (status, answer)
        time.sleep(max(0, deadline - time.monotonic()))
    return True


def restart_server(run) -> bool:
    """kill -9 the server and start the next."""
    run.world.restart_server()
    return True


def restart_machine(run) -> bool:
    """kill -9 the server and every process of every run, and start the next server as after another boot. A run that has not
    had its turn begins then as if nothing had been."""
    return bool(run.pid("runner")) and run.has_begun() and run.world.restart_machine()


RESTARTED = Sign(r"run\.(reboot|retrying)", "the machine was restarted")
DEATH = "has died .* killed by signal {}"
KINDS = {
    "the server is killed": Kind(restart_server, needs_samples=False),
    "the machine is restarted": Kind(restart_machine, (RESTARTED,), (Sign(r"run\.(gone|retrying)", "its runner is gone"),), needs_samples=False),
    "the runner is killed": Kind(signal_to("runner", signal.SIGKILL), (Sign(r"run\.(killed|gone|retrying)", "its runner (was|is gone: it was) killed"),), needs_samples=False),
    "a worker is killed": Kind(signal_to("worker", signal.SIGKILL), (Sign(r"task\.died", DEATH.format(9)),)),
    "a worker crashes": Kind(signal_to("worker", signal.SIGSEGV), (Sign(r"task\.died", DEATH.format(11)),)),
    "the process that starts workers is killed": Kind(signal_to("pool", signal.SIGKILL), (Sign(r"pool\.died|worker\.killed", "killed by signal 9"),), needs_samples=False),
    "a worker is frozen": Kind(freeze, (Sign(r"worker\.frozen", "stopped by a signal"),)),
    "a worker is over its quota of files": Kind(limit_files, (Sign(OVER, "File too large|disk I/O error|disk is full|Errno 27"),)),
    "a worker can have no more memory": Kind(limit_memory, (Sign(OVER, NO_MEMORY),)),
    "the kernel is out of memory for a job": Kind(
        exhaust_memory, (Sign(r"task\.out_of_memory", "kernel was out of memory"),), (Sign(r"memory\.short"),), why_not=lambda world: world.why_no_cgroup),
    "the disk is full": Kind(fill_disk, (), (Sign(OVER, NO_ROOM), Sign(r"runner\.unwritten", "room on the disk")), needs_samples=False, why_not=lambda world: world.disk.why_not),
    "the model hangs": Kind(trouble("hang", HANGING_SECONDS), (Sign(r"model\.failing", "Timeout"),)),
    "the model refuses for ever": Kind(refuse_for_ever, (Sign(r"model\.failing", "answered 500"),), (Sign(OVER, "answered 500"),)),
    "the model closes in the middle of an answer": Kind(trouble("close"), (Sign(r"model\.failing", "RemoteProtocolError"),)),
}


def deck(rng, n: int, kinds: list[str]) -> list[str]:
    """Return n kinds in an order of their own, each as often as the others but for one."""
    drawn: list[str] = []
    while len(drawn) < n:
        drawn += rng.sample(kinds, len(kinds))
    return drawn[:n]


def counted(names) -> str:
    """How often each name comes, in words."""
    return ", ".join(f"{name} {n}" for name, n in sorted(Counter(names).items()))
