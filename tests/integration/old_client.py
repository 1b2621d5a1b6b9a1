"""Our server and that of the Python hawk 3.7.2 over the same logs, and the unchanged 3.7.2 client in front of both.

Both read the same bucket and trust the same identity provider; each has a database of its own, filled by its own
importer. What ours alone can answer is an eval set that ran on it; its row and its logs are given to the peer as well.
"""

import concurrent.futures
import contextlib
import io
import json
import pathlib
import re
import subprocess
import zipfile

import hawk_peer
import identity_provider
from bucket import Bucket
from conftest import ROOT, Hawk
from hawk_server import Client, Program, Server
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401 - teaches zipfile about zstd
from test_jobs_survive import config_of

GROUPS = {"model": "model-access-public", "steady": "model-access-public", "judge": "model-access-public", "hidden": "model-access-secret"}
SETS = {"set-1": ["tools", "errors", "limits_messages"], "two": ["intermediate", "unscored"]}
NAMES = {
    name: f"2026-01-02T03-04-0{i}-00-00_{name.split('_')[0]}_{'abcdefgh'[i] * 22}.eval"
    for i, name in enumerate(name for names in SETS.values() for name in names)
}
HUMAN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OWN = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "COLUMNS": "200", "TZ": "UTC"}


def log_in(server: Hawk, provider: identity_provider.Provider, user: str) -> str:
    """A person's access token, by the device flow of our command line."""
    env = {**server.env, "HAWK_API_URL": server.url, "HAWK_CREDENTIALS": "file", "XDG_DATA_HOME": str(server.home / f"share-{user}")}
    child = subprocess.Popen([str(server.program), "login", "--device"], env=env, stderr=subprocess.PIPE, text=True, cwd=server.home)
    for line in child.stderr:
        if match := re.search(r"or open (\S+)", line):
            identity_provider.Browser(provider, user).enter_code(match[1])
    assert child.wait(60) == 0
    return server.run("auth", "access-token", env=env).stdout.strip()


def dated(log: pathlib.Path, minute: int) -> bytes:
    """The log as if it had been made in that minute: lists of evals are in the order of their times."""
    made = io.BytesIO()
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name in ("header.json", "_journal/start.json"):
                head = json.loads(data)
                head["eval"]["created"] = f"2026-01-02T03:{minute:02}:05+00:00"
                data = json.dumps(head).encode()
            new.writestr(name, data)
    return made.getvalue()


class World:
    """Everything that the tests need."""

    def __init__(self, folder: pathlib.Path, cache: pathlib.Path, peer: pathlib.Path, postgresql, bucket: Bucket, logs: pathlib.Path):
        """Start everything; close() ends it."""
        self.folder, self.peer, self.postgresql, self.bucket, self.logs = folder, peer, postgresql, bucket, logs
        with contextlib.ExitStack() as started:
            self._start(started, cache, logs)
            self._ends = started.pop_all()

    def _start(self, started: contextlib.ExitStack, cache: pathlib.Path, logs: pathlib.Path) -> None:
        self.bucket.keep_versions()  # or the peer takes no uploads
        self.provider = identity_provider.Provider()
        started.callback(self.provider.close)
        self._put_logs(logs)
        settings = {**self.provider.settings(), "HAWK_API_S3_BUCKET_NAME": self.bucket.name, "HAWK_API_VIEWER_URL": "http://viewer.example"}
        theirs = self.postgresql.tcp_url(self.postgresql.make("theirs"))
        self.theirs = Server(
            self.peer, self.folder, {**self.bucket.env, "HAWK_API_DATABASE_URL": hawk_peer.driver_url(theirs), **settings}, GROUPS
        )
        started.callback(self.theirs.close)
        self.program = Program(self.peer, OWN)
        started.callback(self.program.close)
        self.importer = hawk_peer.Importer(self.peer, self.bucket.env)
        started.callback(self.importer.kill)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            schema = pool.submit(hawk_peer.fill_database, self.peer, self.postgresql, "theirs")
            self._start_ours(started, cache, settings)
            self.clients = {"ours": self._client("ours", self.ours.url), "theirs": self._client("theirs", self.theirs.url)}
            self._run_job()
            schema.result()
        self._tell_peer(theirs)
        self.theirs.wait()
        self.urls = {"ours": self.ours.url, "theirs": self.theirs.url}
        self.ours.wait_for(self._is_imported, 60)
        samples = self.ours.get("/meta/samples?eval_set_id=set-1&sort_by=id&limit=100", token=self.tokens["ada"])[1]["items"]
        self.names = {
            "UUID": next(sample["uuid"] for sample in samples if sample["status"] == "success"),
            "ERROR": next(sample["uuid"] for sample in samples if sample["status"] == "error"),
            **{f"LOG-{name}": file for name, file in NAMES.items()},
            "HUMAN-KEY": HUMAN_KEY,
        }
        for name in ("a.txt", "sub/b.bin"):
            self.bucket.put(f"evals/set-1/artifacts/{self.names['UUID']}/{name}", b"left by the sample")

    def _client(self, who: str, url: str) -> Client:
        return Client(self.program, self.folder / f"home-{who}", {"HAWK_ACCESS_TOKEN": self.tokens["ada"], "HAWK_API_URL": url})

    def _start_ours(self, started: contextlib.ExitStack, cache: pathlib.Path, settings: dict[str, str]) -> None:
        self.ours = Hawk(self.folder, cache)
        started.callback(self.ours.stop)
        models = self.folder / "models.yaml"
        models.write_text("".join(f"- {{name: {name}, group: {group}}}\n" for name, group in GROUPS.items()))
        database = self.postgresql.url(self.postgresql.make("ours"))
        self.ours.env.update(self.bucket.env, **settings, HAWK_API_DATABASE_URL=database, HAWK_API_MODELS_FILE=str(models))
        self.ours.start()
        self.tokens = {user: log_in(self.ours, self.provider, user) for user in ("ada", "bob")}

    def _put_logs(self, logs: pathlib.Path) -> None:
        """The logs of the eval sets, named as Inspect names them, as a runner leaves them."""
        for eval_set, names in SETS.items():
            models = {"model_names": ["mockllm/model"], "model_groups": ["model-access-public"]}
            self.bucket.put(f"evals/{eval_set}/.models.json", json.dumps(models).encode())
            for name in names:
                self.bucket.put(f"evals/{eval_set}/{NAMES[name]}", dated(logs / f"{name}.eval", list(NAMES).index(name)))

    def _run_job(self) -> None:
        """An eval set of ours that ends, told to the peer too."""
        (self.folder / "ran.yaml").write_text(json.dumps(config_of(ROOT, eval_set_id="ran")))
        secrets = [word for name in self.bucket.env for word in ("--secret", name)]
        self.submitted = self.clients["ours"].run("eval-set", "run", str(self.folder / "ran.yaml"), *secrets, env=self.bucket.env)
        assert self.submitted.returncode == 0, self.submitted.stderr
        self.ours.wait_for(lambda: self._ended("ran"), 600)
        self.ran = [file["name"] for file in self.ours.get("/view/logs/logs?log_dir=ran", token=self.tokens["ada"])[1]["files"]]

    def _tell_peer(self, url: str) -> None:
        """Give the peer's database the rows of the logs and of the job."""
        keys = [f"evals/{eval_set}/{NAMES[name]}" for eval_set, names in SETS.items() for name in names]
        self._import(url, keys + [f"evals/{name}" for name in self.ran])
        jobs = self.ours.get("/meta/jobs", token=self.tokens["ada"])[1]["items"]
        created_at = next(job["created_at"] for job in jobs if job["job_id"] == "ran")
        self.postgresql.run(f"""
            INSERT INTO job (job_id, job_type, created_by, created_at, model_groups)
            VALUES ('ran', 'eval-set', 'ada', '{created_at}', '{{model-access-public}}')
        """, "theirs")

    def _import(self, url: str, keys: list[str]) -> None:
        answers = self.importer.run([(url, f"s3://{self.bucket.name}/{key}") for key in keys])
        assert [answer.error for answer in answers] == [None] * len(keys)

    def run_scan(self) -> None:
        """A scan of ours over the logs of two eval sets, whose results the peer imports too; without a model, for the peer has no registry."""
        package = {"package": str(ROOT / "examples/hawk_scanners"), "name": "hawk_scanners"}
        config = {
            "name": "words", "max_processes": 1,
            "scanners": [{**package, "items": [{"name": "mentions", "args": {"pattern": "hello"}}]}],
            "transcripts": {"sources": [{"eval_set_id": "ran"}, {"eval_set_id": "two"}]},
        }
        (self.folder / "scan.yaml").write_text(json.dumps(config))
        secrets = [word for name in self.bucket.env for word in ("--secret", name)]
        self.scanned = self.clients["ours"].run("scan", "run", str(self.folder / "scan.yaml"), *secrets, env=self.bucket.env)
        assert self.scanned.returncode == 0, self.scanned.stderr
        self.scan_id = re.search(r"^Scan job ID: (\S+)$", self.scanned.stdout, re.MULTILINE)[1]
        ada = self.tokens["ada"]
        status = self.ours.wait_for(lambda: self._ended(self.scan_id), 600)
        assert status["status"] == "complete", status
        self.postgresql.run(f"""
            INSERT INTO job (job_id, job_type, created_by, model_groups)
            VALUES ('{self.scan_id}', 'scan', 'ada', '{{model-access-public}}')
        """, "theirs")
        (scan,) = self.ours.get("/meta/scans", token=ada)[1]["items"]
        self._import(self.postgresql.tcp_url("theirs"), [scan["location"].removeprefix(f"s3://{self.bucket.name}/")])

    def _ended(self, job: str) -> dict | None:
        """The status of a job that is over."""
        status = self.ours.get(f"/monitoring/jobs/{job}/job-status", token=self.tokens["ada"])[1]
        return status if status["status"] in ("complete", "failed") else None

    def _is_imported(self) -> bool:
        items = self.ours.get("/meta/imports?limit=100", token=self.tokens["ada"])[1]["items"]
        return len(items) >= sum(map(len, SETS.values())) + 1 and all(item["state"] == "success" for item in items)

    def close(self) -> None:
        """End it."""
        self._ends.close()
