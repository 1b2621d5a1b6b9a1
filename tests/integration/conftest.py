"""Fixtures of the integration tests: the real program on folders of its own.

HAWK_BIN names the program (default: the newest build). Every server listens on a free port of the loopback interface
and has its own data folder; the cache of virtualenvs is shared by the whole run, because making them is slow.
"""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/peers"))

import hawk_peer  # noqa: E402
import openapi_check  # noqa: E402
import postgres  # noqa: E402
from bucket import Bucket  # noqa: E402


def find_program() -> pathlib.Path:
    """Return the program under test."""
    if named := os.environ.get("HAWK_BIN"):
        return pathlib.Path(named).resolve()
    built = [p for p in (ROOT / "build/dev/hawk", ROOT / "build/release/hawk") if p.exists()]
    return max(built, key=lambda p: p.stat().st_mtime)


def clean_environment(**more: str) -> dict[str, str]:
    """Return an environment that holds nothing of the caller's own hawk or provider settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "LANG", "TMPDIR", "HAWK_UV"}
        or name.startswith(("UV_", "PIP_", "SSL_", "ASAN_", "UBSAN_", "LSAN_"))
        or name.lower().endswith("_proxy")
    }
    kept.setdefault("LANG", "C.UTF-8")
    kept["HAWK_VENVS_KEPT"] = "40"  # more than a run of all tests makes
    return {**kept, **more}


class StayHere(urllib.request.HTTPRedirectHandler):
    """Redirections are answers like others."""

    def redirect_request(self, *_):
        """Do not go."""


OPENER = urllib.request.build_opener(StayHere)


class Hawk:
    """The program with a home of its own: a data folder, a cache and an empty configuration."""

    def __init__(self, home: pathlib.Path, cache: pathlib.Path):
        self.program = find_program()
        self.home = home
        self.data = home / "data"
        self.env = clean_environment(
            HOME=str(home), HAWK_DATA=str(self.data), HAWK_CACHE=str(cache), XDG_CONFIG_HOME=str(home / "config"),
            HAWK_API_RUNNER_RETRY_WAITS="none",  # a runner that a test kills stays away, unless the test says otherwise
        )
        self.server: subprocess.Popen | None = None
        self.document: openapi_check.Document | None = None

    def run(self, *args: str, check: bool = True, timeout: float = 300, env: dict[str, str] | None = None, **kwargs):
        """Run a command to its end; return the CompletedProcess with text output. Fails the test on another status than
        0 unless check is off."""
        kwargs.setdefault("cwd", ROOT)
        done = subprocess.run(
            [str(self.program), *args], env={**self.env, **(env or {})}, capture_output=True, text=True,
            timeout=timeout, check=False, **kwargs,
        )
        if check and done.returncode != 0:
            pytest.fail(f"hawk {' '.join(args)} ended with {done.returncode}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done

    def json(self, *args: str, **kwargs):
        """Run a command with --json and return what it printed, read."""
        return json.loads(self.run(*args, "--json", **kwargs).stdout)

    def start(self, *args: str) -> "Hawk":
        """Start a server in the foreground of a child process and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.data / "server.json").unlink(missing_ok=True)
        self.log = open(self.home / "server.out", "ab")
        self.server = subprocess.Popen(
            [str(self.program), "serve", "--port", "0", *args], env=self.env, stdout=self.log, stderr=self.log,
            stdin=subprocess.DEVNULL, cwd=self.home,
        )
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            if self.server.poll() is not None:
                pytest.fail(f"the server ended with {self.server.returncode}: {self.server_output()}")
            try:
                if self.get("/health/live", token="")[0] == 200:
                    return self
            except (OSError, KeyError, ValueError):
                time.sleep(0.02)
        pytest.fail(f"the server does not answer: {self.server_output()}")

    def server_output(self) -> str:
        """Return what the server has printed."""
        return (self.home / "server.out").read_text(errors="replace")[-20000:]

    @property
    def url(self) -> str:
        """The address of the running server."""
        return json.loads((self.data / "server.json").read_text())["url"]

    @property
    def token(self) -> str:
        """The bearer token of the single user."""
        return (self.data / "token").read_text().strip()

    def request(self, method: str, path: str, body=None, headers: dict[str, str] | None = None, token: str | None = None,
                timeout: float = 120, follow: bool = True):
        """Send one request, follow redirections unless told not to; return (status, headers, bytes). token="" sends none. An answer that is
        not as /openapi.json says fails the test."""
        head = dict(headers or {})
        token = self.token if token is None else token
        if token:
            head.setdefault("Authorization", f"Bearer {token}")
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            head.setdefault("Content-Type", "application/json")
        status, headers, got = self.send(method, path, data, head, timeout)
        trouble = self.described().trouble(method, path, status, headers.get("Content-Type"), got)
        if trouble:
            pytest.fail(f"{method} {path} is not answered as /openapi.json says: {trouble}")
        if status == 302 and follow:
            return self.request(method, headers["Location"], headers=head, token="", timeout=timeout)
        return status, headers, got

    def send(self, method: str, path: str, data: bytes | None = None, head: dict[str, str] | None = None, timeout: float = 120):
        """Send one request as it is; return (status, headers, bytes)."""
        request = urllib.request.Request(self.url + path, data=data, headers=head or {}, method=method)
        try:
            with OPENER.open(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def described(self) -> openapi_check.Document:
        """The server's own description."""
        if self.document is None:
            status, _, body = self.send("GET", "/openapi.json")
            assert status == 200
            self.document = openapi_check.Document(json.loads(body))
        return self.document

    def get(self, path: str, **kwargs):
        """GET a path; return (status, JSON or None)."""
        status, headers, body = self.request("GET", path, **kwargs)
        return status, json.loads(body) if "json" in (headers.get("Content-Type") or "") and body else None

    def kill(self) -> None:
        """kill -9 the server."""
        assert self.server is not None
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()
        self.server = None

    def stop(self) -> None:
        """End the server in order, and every job with it."""
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            try:
                self.server.wait(120)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        self.server = None
        self.end_runners()

    def runners(self) -> list[int]:
        """Return the pids of this home's runners and workers that are alive."""
        pids = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (proc / "cmdline").read_bytes()
                state = (proc / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if str(self.data).encode() in command and state != "Z" and re.search(rb"runner|hawk_worker", command):
                pids.append(int(proc.name))
        return pids

    def end_runners(self) -> None:
        """Kill what a test left running."""
        for pid in self.runners():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def wait_for(self, what, timeout: float = 120, every: float = 0.1):
        """Call what() until it returns something true; return that. Fails the test when time is up."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if result := what():
                return result
            time.sleep(every)
        pytest.fail(f"waited {timeout} s for {getattr(what, '__name__', what)}\nserver: {self.server_output()[-4000:]}")

    def add_log(self, log: pathlib.Path, eval_set_id: str) -> pathlib.Path:
        """Put a log into an eval set of the store, at once as a program does that writes it; return where it is."""
        folder = self.data / "store/evals" / eval_set_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".models.json").write_text('{"model_names": ["mockllm/model"], "model_groups": ["local"]}')
        shutil.copyfile(log, folder / "part")
        return (folder / "part").rename(folder / log.name)

    def wait_imported(self) -> None:
        """Wait until all logs of the store are in the warehouse and can be searched."""
        wanted = len(list((self.data / "store/evals").glob("*/*.eval")))

        def is_there():
            return self.get("/meta/imports")[1]["counts"].get("success") == wanted and self.get("/meta/search?q=x")[1]["not_indexed"] == 0

        self.wait_for(is_there)

    def wait_job(self, job_id: str, timeout: float = 240) -> dict:
        """Wait until a job is over; return its job-status answer."""

        def over():
            status, answer = self.get(f"/monitoring/jobs/{job_id}/job-status")
            return answer if status == 200 and answer["status"] in {"complete", "failed", "deleted"} else None

        return self.wait_for(over, timeout)


def venv_of(folder: pathlib.Path, cache: pathlib.Path) -> pathlib.Path:
    """The virtualenv in which a job ran that left these logs or results: the newest whose `ready` holds the lock beside them."""
    lock = (folder / ".hawk/requirements.lock").read_text().split("\n", 1)[1]
    found = [path.parent for path in (cache / "venvs").glob("*/ready") if path.read_text() == lock]
    return max(found, key=lambda path: (path / "ready").stat().st_mtime)


LONGEST_FIRST = [f"test_{name}.py" for name in (
    "old_client", "runner", "control", "scans", "jobs_survive", "edits", "reasons", "workers", "same_rows", "meta_peer", "rerun", "faults", "import_killed",
    "any_request", "settings",
)]
"""Files that take minutes: begun last, one of them would run while the other processor has nothing to do."""


def pytest_collection_modifyitems(items: list) -> None:
    """Begin with the longest files."""
    rank = {name: i for i, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> pathlib.Path:
    """The cache folder of the whole run."""
    named = os.environ.get("HAWK_TEST_CACHE")
    folder = pathlib.Path(named) if named else pathlib.Path.home() / ".cache/hawk-test"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def home(tmp_path, cache):
    """A Hawk that has not started a server."""
    it = Hawk(tmp_path, cache)
    yield it
    it.stop()


@pytest.fixture
def hawk(home):
    """A Hawk whose server runs."""
    return home.start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, cache):
    """A Hawk whose server runs for all tests of a file."""
    it = Hawk(tmp_path_factory.mktemp("shared"), cache).start()
    yield it
    it.stop()


def made_logs(script: str, inspect: str = "") -> pathlib.Path:
    """The logs that a script makes, kept for as long as the script, and the Inspect that it runs with, stay as they are."""
    path = ROOT / "tests" / script
    mark = hashlib.sha256(path.read_bytes() + inspect.encode()).hexdigest()[:16]
    folder = hawk_peer.CACHE / f"{path.stem}-{mark}"
    with hawk_peer.locked(folder.with_suffix(".lock")):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, str(path), str(folder)], check=True, timeout=900)
            (folder / "ready").touch()
    return folder


@pytest.fixture(scope="session")
def logs() -> pathlib.Path:
    """The folder of logs of today's Inspect; EVALLOG_LOGS names one made before."""
    if "EVALLOG_LOGS" in os.environ:
        return pathlib.Path(os.environ["EVALLOG_LOGS"])
    return made_logs("integration/make_logs.py", importlib.metadata.version("inspect_ai"))


@pytest.fixture(scope="session")
def odd_logs() -> pathlib.Path:
    """The folder of logs that have in them what logs seldom have."""
    return made_logs("integration/make_odd_logs.py", importlib.metadata.version("inspect_ai"))


@pytest.fixture(scope="session")
def old_logs() -> pathlib.Path:
    """The folder of logs of older versions of Inspect."""
    return made_logs("peers/make_old_logs.py")


@pytest.fixture(scope="module")
def postgresql():
    """A PostgreSQL server for the tests of a file."""
    if reason := postgres.why_not():
        pytest.skip(reason)
    server = postgres.Postgres()
    yield server
    server.close()


@pytest.fixture(scope="module")
def bucket():
    """An empty bucket for the tests of a file."""
    pytest.importorskip("moto")
    it = Bucket()
    yield it
    it.close()


@pytest.fixture(scope="session")
def peer() -> pathlib.Path:
    """The Python that the Python hawk is installed for."""
    python = hawk_peer.peer_python()
    if python is None:
        pytest.skip(hawk_peer.NONE)
    return python
