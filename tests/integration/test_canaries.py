"""Secrets that a job tells wherever it can are found nowhere: in no answer, file, database or list of processes."""

import json
import pathlib
import re
import sqlite3
import subprocess
import urllib.parse
import zipfile

import postgres
import pytest
from conftest import ROOT, Hawk
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)

pytestmark = pytest.mark.timeout(1200)

PACKAGE = ROOT / "tests/integration/canary"
SECRETS = {
    "CANARY_TOKEN": "cnry-8f3a91-token-Zq7",
    "DECLARED": "Cnry/Declared+4b7e22==",
    "CANARY_KEY_QUOTED": 'cnry "quoted" \\ back é 5d1',
    "CANARY_KEY_LINES": "cnry-first-line-77aa\ncnry-second-line-88bb",
}
IN_REQUESTS = {"header": "cnry-header-1122aa", "cookie": "cnry-cookie-3344bb", "query": "cnry-query-5566cc", "config": "cnry-config-7788dd"}
CONFIG = {
    "name": "canaries",
    "tasks": [{"package": str(PACKAGE), "name": "canary", "items": [{"name": "leaks"}]}],
    "models": [{"package": str(PACKAGE), "name": "canary", "items": [{"name": "leaky"}]}],
    "runner": {"secrets": [{"name": "DECLARED", "type": "env"}]},
}


def forms(value: str) -> set[bytes]:
    """How a value may be written: as it is, in JSON (once or twice), in an address, in HTML; and each of its lines."""
    texts = {value, *value.split("\n")}
    for _ in range(2):
        texts |= {json.dumps(text, ensure_ascii=ascii)[1:-1] for text in list(texts) for ascii in (True, False)}
    texts |= {urllib.parse.quote(text, safe="") for text in (value, *value.split("\n"))}
    texts |= {text.replace("&", "&amp;").replace('"', "&quot;") for text in list(texts)}
    return {text.encode() for text in texts}


FORMS = {form: name for name, value in {**SECRETS, **IN_REQUESTS}.items() for form in forms(value)}


def found(data: bytes, where: str) -> list[str]:
    """What of the secrets is in these bytes."""
    return [f"{name} in {where}: {data[max(0, data.find(form) - 40):][:120]!r}" for form, name in FORMS.items() if form in data]


def found_in_processes() -> list[str]:
    """What of the secrets is in an argument of any process, or in the environment of one that is not the job's."""
    leaks = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments, environment = (proc / "cmdline").read_bytes(), (proc / "environ").read_bytes()
        except OSError:
            continue
        leaks += found(arguments, f"arguments of {arguments[:80]!r}")
        if b"HAWK_JOB_DIR=" not in environment and b"HAWK_RUNNER_SECRETS=" not in environment:
            leaks += found(environment, f"environment of {arguments[:80]!r}")
    return leaks


def found_in_files(folder: pathlib.Path) -> list[str]:
    """What of the secrets is in a file, an archive's member or a database's row."""
    leaks = []
    for path in folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        leaks += found(path.read_bytes(), str(path))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    leaks += found(archive.read(name), f"{path}:{name}")
        if path.suffix == ".db":
            with sqlite3.connect(path) as database:
                leaks += found("\n".join(database.iterdump()).encode(), f"dump of {path}")
    return leaks


def routes() -> list[str]:
    """Every path that can be read, as the server's tables have them."""
    plain, shared = [], []
    for path in sorted((ROOT / "src/server").glob("routes_*.c")):
        text = path.read_text()
        plain += re.findall(r'\{\s*"GET",\s*"(/[^"]*)"', text)
        below = re.findall(r'\{\s*"GET",\s*base "(/[^"]*)"', text)
        shared += [base + path for base in re.findall(r'VIEW_ROUTES\("(/[^"]*)"\)', text) for path in below]
    assert len(plain) > 30 and len(shared) > 20
    return [path for path in plain if path != "/login"] + shared


class Told:
    """A job that is telling, and its server."""

    def __init__(self, hawk: Hawk, folder: pathlib.Path):
        self.hawk, self.gate = hawk, folder / "gate"
        (folder / "secrets.env").write_text("".join(f"{name}={json.dumps(value)}\n" for name, value in SECRETS.items()))
        (folder / "config.yaml").write_text(json.dumps({**CONFIG, "runner": {**CONFIG["runner"], "environment": {"CANARY_GATE": str(self.gate)}}}))
        hawk.run("eval-set", "run", str(folder / "config.yaml"), "--secrets-file", str(folder / "secrets.env"), "--skip-confirm")
        (folder / "secrets.env").unlink()
        (self.id,) = [job["job_id"] for job in hawk.get("/meta/jobs")[1]["items"]]

    def addresses(self) -> list[str]:
        """Every route of this job, filled in."""
        logs = [file["name"] for file in self.hawk.get(f"/view/logs/logs?log_dir={self.id}")[1]["files"]]
        samples = self.hawk.get(f"/meta/samples?eval_set_id={self.id}")[1]["items"]
        queries = {
            "/meta/evals": "?eval_set_id={id}", "/meta/attempts": "?eval_set_id={id}", "/meta/search": "?q=cnry", "/meta/compare": "?a={id}&b={id}",
        }
        filled = []
        for route in routes():
            more = queries.get(route, "")
            if "{log*}" in route:
                more += "?start=0&end=10000000" if "log-bytes" in route else ""
            if route.endswith(("/logs", "/log-files")) and "{" not in route:
                more += f"?log_dir={self.id}"
            if route.endswith("/log-headers"):
                more += "?" + "&".join(f"file={log}" for log in logs)
            if "pending" in route:
                more += f"?log={logs[0]}&id=1&epoch=1" if logs else ""
            for log in logs or [""]:
                for sample in samples or [{"uuid": "x"}]:
                    path = route + more
                    for name, value in (("{id}", self.id), ("{log*}", log), ("{uuid}", sample["uuid"])):
                        path = path.replace(name, value)
                    filled += [path.replace("{table}", table) for table in ("samples", "scores", "events", "messages", "jobs", "imports", "evals")]
        return sorted(set(filled))

    def found_in_answers(self) -> list[str]:
        """What of the secrets is in an answer."""
        leaks = []
        for path in self.addresses():
            if "stream" in path and not self.gate.exists():
                continue
            _, headers, body = self.hawk.request("GET", path)
            leaks += found(body, path) + found(str(headers).encode(), path)
        return leaks


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def told(request, tmp_path_factory, cache):
    """A job that has told everything and waits, on each database."""
    hawk = Hawk(tmp_path_factory.mktemp("canaries"), cache)
    database = None
    if request.param == "postgresql":
        if reason := postgres.why_not():
            pytest.skip(reason)
        database = postgres.Postgres()
        hawk.env["HAWK_API_DATABASE_URL"] = database.url()
    hawk.start("--log-requests")
    it = Told(hawk, tmp_path_factory.mktemp("given"))
    it.database = database
    yield it
    hawk.stop()
    if database:
        database.close()


def test_secrets_that_a_job_tells_are_found_nowhere(told):
    """While it runs, and when it is over."""
    hawk = told.hawk

    def telling() -> bool:
        entries = hawk.get(f"/monitoring/jobs/{told.id}/logs?from_start=true&limit=10000")[1]["entries"]
        return sum("a warning of Inspect with" in entry["message"] for entry in entries) == 2

    hawk.wait_for(telling, 600)
    leaks = found_in_processes() + told.found_in_answers() + found_in_files(hawk.home)
    told.gate.touch()
    hawk.wait_job(told.id, 600)
    hawk.wait_for(lambda: len(hawk.get(f"/meta/samples?eval_set_id={told.id}")[1]["items"]) == 2, 60)
    hawk.wait_for(lambda: hawk.get("/meta/search?q=Bearer")[1].get("not_indexed") == 0, 60)
    marks = hawk.request("GET", f"/meta/search?q=secret&eval_set_id={told.id}")[2]
    assert b"secret" in marks
    leaks += told.found_in_answers() + found_in_files(hawk.home)
    if told.database:
        dump = [str(postgres.PROGRAMS[-1] / "pg_dump"), "-d", told.database.url()]
        leaks += found(subprocess.run(dump, capture_output=True, check=True, timeout=120).stdout, "dump of PostgreSQL")
    assert leaks == []


def test_what_is_wrong_with_a_request_is_not_written_down(told):
    """Tokens in headers, cookies and addresses."""
    hawk = told.hawk
    for headers in ({"Authorization": f"Bearer {IN_REQUESTS['header']}"}, {"Cookie": f"inspect_ai_access_token={IN_REQUESTS['cookie']}"}):
        status, _, body = hawk.request("GET", f"/meta/jobs?token={IN_REQUESTS['query']}", headers=headers, token="")
        assert status == 401 and found(body, "answer") == []
    assert found_in_files(hawk.home) == []


def test_a_config_with_a_secret_in_it_is_refused(told):
    """Without saying what it is; and nothing of it is kept."""
    hawk = told.hawk
    config = {**CONFIG, "eval_set_id": "never", "metadata": {"note": f"key {IN_REQUESTS['config']}"}}
    body = {"eval_set_config": config, "secrets": {"A_KEY": IN_REQUESTS["config"], "DECLARED": "x"}}
    status, _, answer = hawk.request("POST", "/eval_sets/", body)
    assert status == 400 and b"A_KEY" in answer and found(answer, "answer") == []
    assert hawk.get("/monitoring/jobs/never/job-status")[0] == 404
    assert found_in_files(hawk.home) == []
