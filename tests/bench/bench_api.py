"""Reads of /meta by somebody who is logged in, from our server and from that of the Python hawk 3.7.2 with one worker, each on a
database of one PostgreSQL: first on empty ones, then on those that have the rows of the same logs.

For each address: answers a second to 16 connections, the time that half of them took, and processor time for each answer, of the
server and of the database. The client is on the same machine, so processor time says more. Then memory, and what it costs to find
out whose token it is. HAWK_BENCH_SECONDS is how long our server is asked for each address; the other's gets twice as long.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from common import ROOT, new_hawk, resident_megabytes, row

import hawk_peer  # isort: skip - common has put its folder on the path
import postgres  # isort: skip
from bucket import Bucket  # isort: skip
from hawk_server import Server  # isort: skip
from issuer import Issuer  # isort: skip

SECONDS = float(os.environ.get("HAWK_BENCH_SECONDS", "3"))
N_CONNECTIONS = 16
N_LOGS, N_SAMPLES, N_SETS = 40, 25, 8
N_TOKENS = 256
LOGS = hawk_peer.CACHE / "bench-logs/api"
GROUP = "model-access-public"
MODELS = {"model": GROUP}

EMPTY_PATHS = [
    ("/version", "40 x"),
    ("/auth/me", ""),
    ("/meta/eval-sets", "50 x"),
    ("/meta/samples", "50 x"),
]
"""Addresses, and how many times the other's answers a second ours should be: on databases without rows."""

PATHS = [
    ("/meta/eval-sets", ""),
    ("/meta/evals?eval_set_id=set-1", ""),
    ("/meta/samples", ""),
    ("/meta/samples?eval_set_id=set-1&sort_by=total_tokens", ""),
    ("/meta/samples?search=task-7", ""),
    ("/meta/samples/{uuid}", ""),
    ("/meta/samples/{uuid}/scores", ""),
    ("/meta/jobs", ""),
]
"""Those that are asked for on databases with rows, where there is no target."""


def make_log(folder: pathlib.Path, number: int) -> None:
    """A log of a small eval, made by Inspect with its mock model."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match

    def outputs():
        for i in range(N_SAMPLES):
            output = ModelOutput.from_content("mockllm/model", "yes" if i % 3 else "no")
            output.usage = ModelUsage(input_tokens=100 + i, output_tokens=number, total_tokens=100 + i + number)
            yield output

    eval_set = f"set-{number % N_SETS}"
    dataset = [Sample(id=i, input=f"input {number} {i}", target="yes") for i in range(N_SAMPLES)]
    model = get_model("mockllm/model", custom_outputs=outputs(), memoize=False)
    (log,) = eval(Task(name=f"task-{number}", dataset=dataset, scorer=match()), model=model, log_dir=str(folder / eval_set), display="none",
                  metadata={"eval_set_id": eval_set}, log_realtime=False)
    assert log.status == "success", log.status


def make_logs() -> None:
    """All of them, once."""
    making = LOGS.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    for i in range(N_LOGS):
        make_log(making, i)
    making.rename(LOGS)


def used(pids: list[int]) -> dict[str, int]:
    """Nanoseconds of the processor that the threads of processes have used, those that still run."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                found[str(task)] = int((task / "schedstat").read_text().split()[0])
    return found


def between(begun: dict[str, int], ended: dict[str, int]) -> int:
    """What was used meanwhile."""
    return sum(value - begun.get(task, 0) for task, value in ended.items())


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Asked:
    """A server with what it takes to ask it."""

    def __init__(self, name: str, url: str, pid: int, token: str, database: postgres.Postgres):
        self.name, self.url, self.pid, self.token, self.database = name, url, pid, token, database
        self.idle_mb = resident_megabytes(pid)

    def ab(self, path: str, seconds: float) -> str:
        """What ApacheBench prints."""
        command = ["ab", "-q", "-k", "-l", "-r", "-c", str(N_CONNECTIONS), "-t", str(seconds), "-n", "10000000",
                   "-H", f"Authorization: Bearer {self.token}", self.url + path]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        if "Non-2xx" in done.stdout or not re.search(r"Failed requests: +0\n", done.stdout):
            raise RuntimeError(f"{self.name} {path}: {done.stdout}")
        return done.stdout

    def ask(self, path: str, seconds: float) -> dict[str, float]:
        """Ask for some seconds, after a moment that is not counted."""
        self.ab(path, 1)
        begun = used([self.pid]), used(children(self.database.pid()))
        said = self.ab(path, seconds)
        ended = used([self.pid]), used(children(self.database.pid()))
        n = int(re.search(r"Complete requests: +(\d+)", said)[1])
        return {
            "rate": float(re.search(r"Requests per second: +([\d.]+)", said)[1]), "median_ms": float(re.search(r" 50% +(\d+)", said)[1]),
            "server_us": between(begun[0], ended[0]) / 1e3 / n, "database_us": between(begun[1], ended[1]) / 1e3 / n,
        }


def figures(said: dict[str, float]) -> str:
    """As one reads them."""
    return f"{said['rate']:8,.0f}/s {said['median_ms']:4.0f} ms  {said['server_us']:7.0f} + {said['database_us']:6.0f} us"


def compare(what: str, paths: list[tuple[str, str]], ours: Asked, theirs: Asked | None, uuid: str) -> None:
    """Ask both for everything."""
    print(f"\n{what}, {N_CONNECTIONS} connections; processor time of server + database; load {os.getloadavg()[0]:.1f}")
    row("", "hawk", "Python hawk 3.7.2, one worker", "how many times: by rate, by processor time (target by rate)")
    for path, target in paths:
        theirs_said = theirs and theirs.ask(path.format(uuid=uuid), SECONDS * 2)
        said = ours.ask(path.format(uuid=uuid), SECONDS)
        ratio = ""
        if theirs_said:
            cpu = (theirs_said["server_us"] + theirs_said["database_us"]) / (said["server_us"] + said["database_us"])
            ratio = f"{said['rate'] / theirs_said['rate']:6.0f} x, {cpu:6.0f} x   {f'({target})' if target else ''}"
        row(f"GET {path}", figures(said), figures(theirs_said) if theirs_said else "", ratio)
    for what, of in (("memory at the start", lambda it: it.idle_mb), ("memory after all that", lambda it: resident_megabytes(it.pid))):
        row(what, f"{of(ours):.1f} MB", f"{of(theirs):.0f} MB" if theirs else "", "20 MB")


def tokens(issuer: Issuer, python: pathlib.Path | None) -> None:
    """Measure checks of tokens."""
    lines = [issuer.token("ada", [GROUP], jti=str(i)) for i in range(N_TOKENS)]
    address = [issuer.url, f"{issuer.url}/jwks"]
    program = ROOT / "build/release/tests/bench/bench_jwt"
    text = "".join(f"Bearer {line}\n" for line in lines)
    ours = json.loads(subprocess.run([program, *address], input=text, capture_output=True, text=True, check=True).stdout)
    theirs = None
    if python:
        command = [python, ROOT / "tests/peers/hawk_jwt.py", *address]
        theirs = json.loads(subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True).stdout)
    alone = f"; OpenSSL alone {ours['verify_us']:.1f} us"
    for what, key, target in (("a token seen for the first time", "cold_us", f"20 us{alone}"), ("a token that is known", "known_us", "1 us")):
        row(what, f"{ours[key]:.2f} us", f"{theirs[key]:.0f} us" if theirs else "", target)


ENDPOINTS = ("TOKEN", "AUTHORIZATION", "DEVICE_AUTHORIZATION", "REVOCATION")


def start_theirs(stack: contextlib.ExitStack, python: pathlib.Path, database: postgres.Postgres, issuer: Issuer, name: str, paths: list[pathlib.Path]) -> Server:
    """The other server with the rows of some logs. It wants to be told of everything that a login needs, though nobody logs in."""
    bucket = Bucket()
    stack.callback(bucket.close)
    url = database.tcp_url(database.make(f"theirs_{name}"))
    hawk_peer.make_schema(python, url)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hawk-bench-"))
    stack.callback(shutil.rmtree, folder)
    prefix = "HAWK_API_MODEL_ACCESS_TOKEN_"
    settings = {
        **issuer.settings(), **{f"{prefix}{name}_ENDPOINT": f"{issuer.url}/{name}" for name in ENDPOINTS}, f"{prefix}SCOPES": "openid",
        f"{prefix}SCOPES_SUPPORTED": '["openid"]', f"{prefix}DEFAULT_PERMISSIONS": GROUP, "HAWK_API_ADMIN_PERMISSIONS": '["hawk-admin"]',
        "HAWK_API_S3_BUCKET_NAME": bucket.name, "HAWK_API_DATABASE_URL": hawk_peer.driver_url(url),
    }
    server = Server(python, folder, {**bucket.env, **settings}, MODELS)
    stack.callback(server.close)
    server.wait()
    logs = [(url, bucket.put(f"evals/{log.parent.name}/{log.name}", log.read_bytes())) for log in paths]
    if logs:
        answers, _ = hawk_peer.import_logs(python, logs, bucket.env)
        assert not [answer.error for answer in answers if answer.error], answers
    return server


def start_ours(stack: contextlib.ExitStack, database: postgres.Postgres, issuer: Issuer, name: str, logs: list[pathlib.Path]):
    """Our server with the rows of some logs; started again, so that its memory is that of one that has not imported."""
    hawk = new_hawk()
    stack.callback(shutil.rmtree, hawk.home)
    models = hawk.home / "models.yaml"
    models.write_text("".join(f"- {{name: {name}, group: {group}}}\n" for name, group in MODELS.items()))
    hawk.env.update(
        issuer.settings(), HAWK_API_DATABASE_URL=database.url(database.make(f"ours_{name}")), HAWK_API_MODELS_FILE=str(models),
        HAWK_API_MAX_REQUESTS_PER_SECOND="0",
    )
    for log in logs:
        folder = hawk.add_log(log, log.parent.name).parent
        (folder / ".models.json").write_text(json.dumps({"model_names": ["mockllm/model"], "model_groups": [GROUP]}))
    hawk.start()
    stack.callback(hawk.stop)
    token = issuer.token("ada", [GROUP])

    def is_imported():
        return hawk.get("/meta/imports", token=token)[1]["counts"].get("success", 0) == len(logs) and hawk.get("/meta/search?q=x", token=token)[1]["not_indexed"] == 0

    hawk.wait_for(is_imported, 300)
    hawk.stop()
    return hawk.start()


def both(python: pathlib.Path | None, database: postgres.Postgres, issuer: Issuer, name: str, logs: list[pathlib.Path]) -> None:
    """Compare both servers on databases with the rows of some logs."""
    what = f"{len(logs)} evals with {N_SAMPLES} samples each" if logs else "Empty databases"
    token = issuer.token("ada", [GROUP])
    with contextlib.ExitStack() as stack:
        hawk = start_ours(stack, database, issuer, name, logs)
        ours = Asked("hawk", hawk.url, hawk.server.pid, token, database)
        theirs = None
        if python:
            server = start_theirs(stack, python, database, issuer, name, logs)
            theirs = Asked("the Python hawk", server.url, server.process.pid, token, database)
        uuid = hawk.get("/meta/samples?eval_set_id=set-1&sort_by=id", token=token)[1]["items"][0]["uuid"] if logs else ""
        time.sleep(1)
        compare(what, PATHS if logs else EMPTY_PATHS, ours, theirs, uuid)


def main() -> None:
    """Start everything, measure, end everything."""
    if reason := postgres.why_not():
        sys.exit(reason)
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "hawk", "bench_jwt"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    os.environ.setdefault("HAWK_BIN", str(ROOT / "build/release/hawk"))
    python = hawk_peer.peer_python()
    if python is None:
        print(f"without the other server: {hawk_peer.NONE}")
    with hawk_peer.locked(LOGS.with_suffix(".lock")):
        if not LOGS.exists():
            make_logs()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    logs = sorted(LOGS.glob("*/*.eval"))
    with contextlib.ExitStack() as stack:
        issuer = Issuer()
        stack.callback(issuer.close)
        database = postgres.Postgres()
        stack.callback(database.close)
        both(python, database, issuer, "empty", [])
        both(python, database, issuer, "rows", logs)
        tokens(issuer, python)
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
