"""Every route of /openapi.json, asked by everybody: the right status, and no byte of a log for those whom it is hidden from.

One eval set has a log of a model in a group that few are in; its texts hold a canary. A route without a row below fails.
"""

import base64
import io
import json
import re
import time
import urllib.parse

import pyarrow.parquet
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import one_log
from conftest import Hawk
from issuer import Issuer

CANARY = "canary7f3a91"
GROUP = "model-access-secret"


# --- who asks ---


def nobodies(issuer: Issuer) -> dict[str, str]:
    """Credentials that must count as none, each with every group and right in it."""
    rights = ["owner", [GROUP, "model-access-public", "hawk-admin"]]
    return {
        "no token": "",
        "expired": issuer.token(*rights, exp=int(time.time()) - 1),
        "wrong issuer": issuer.token(*rights, iss="http://127.0.0.1:1"),
        "wrong audience": issuer.token(*rights, aud="another"),
        "alg none": issuer.token(*rights, alg="none"),
        "HS256 with the public key": issuer.token(*rights, alg="HS256"),
        "unknown kid": issuer.token(*rights, kid="k2"),
    }


def people(issuer: Issuer) -> dict[str, str]:
    """Credentials of people, in the order of the columns below."""
    return {
        "read-only": issuer.token("owner", [f"{GROUP}:read", "model-access-public:read"]),
        "other group": issuer.token("other", ["model-access-public"]),
        "other owner": issuer.token("reader", ["model-access-public", GROUP]),
        "owner": issuer.token("owner", ["model-access-public", GROUP]),
        "admin": issuer.token("admin", ["model-access-public", GROUP, "hawk-admin"]),
        "admin of another group": issuer.token("boss", ["model-access-public", "hawk-admin"]),
    }


# --- what there is to see ---


class Place:
    """A server with the hidden eval set."""

    def __init__(self, hawk: Hawk, issuer: Issuer):
        self.hawk = hawk
        self.issuer = issuer
        self.nobodies = nobodies(issuer)
        self.people = people(issuer)
        self.names: dict[str, str] = {}

    def fill(self, text: str) -> str:
        """A text with the names of what there is, as parts of an address."""
        return re.sub(r"\{(\w+)\}", lambda found: urllib.parse.quote(self.names[found[1]], safe=""), text)

    def ask(self, method: str, path: str, body, token: str):
        """One request; return (status, everything that came back but for the address itself)."""
        if isinstance(body, (dict, list)):
            body = json.loads(re.sub(r"\{(\w+)\}", lambda found: self.names[found[1]], json.dumps(body)))
        address = self.fill(path)
        status, headers, got = self.hawk.request(method, address, body, token=token, follow=False)
        return status, (str(headers).encode() + got).replace(address.split("?")[0].encode(), b"")


def config(name: str) -> dict:
    """An eval set of a hidden model whose package is nowhere, so that it fails before it begins."""
    package = {"package": "/nowhere/at/all", "name": "nothing"}
    return {"eval_set_config": {"eval_set_id": name, "tasks": [{**package, "items": [{"name": "t"}]}], "models": [{**package, "items": [{"name": "hidden"}]}]}}


def scan_config(*models: str, **more) -> dict:
    """A scan of the hidden eval set whose package is nowhere."""
    package = {"package": "/nowhere/at/all", "name": "nothing"}
    config = {"scanners": [{**package, "items": [{"name": "s"}]}], "transcripts": {"sources": [{"eval_set_id": "hidden-set"}]}}
    if models:
        config["models"] = [{**package, "items": [{"name": model} for model in models]}]
    return {"scan_config": config, **more}


def scan_files(run: str, scan: str, uuid: str, model: str | None, result: str) -> dict[str, bytes]:
    """A scan of a sample with one result, full of canaries."""
    row = {"transcript_id": uuid, "transcript_source_type": "eval_log", "transcript_source_id": "e", "scanner_key": "s",
           "scanner_name": "s", "uuid": result, "value": CANARY, "value_type": "string", "scan_total_tokens": 0,
           "timestamp": "2026-01-01T00:00:00+00:00"}
    parquet = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), parquet)
    spec = {"scan_id": scan, "scan_name": CANARY, "timestamp": row["timestamp"], "scanners": {}, "model": model and {"model": model},
            "metadata": {"job_id": run, "created_by": "owner", "imported": True},
            "transcripts": {"type": "eval_log", "transcript_ids": {uuid: None}}}
    return {"_scan.json": json.dumps(spec).encode(), "_summary.json": b'{"complete": true}', "s.parquet": parquet.getvalue()}


def send_scan(hawk: Hawk, uuid: str, person: str, model: str | None = None, result: str = "result-1", owner: str = "owner") -> tuple[str, str, int, bytes]:
    """Bring a scan of a sample along; return its folder, its id, and status and body of the last answer."""
    begun = json.loads(hawk.request("POST", "/scan_imports/", {"scan_count": 1}, token=person)[2])
    run, (scan,) = begun["scan_run_id"], begun["scan_ids"]
    for name, data in scan_files(run, scan, uuid, model, result).items():
        data = data.replace(b'"created_by": "owner"', json.dumps({"created_by": owner})[1:-1].encode())
        entry = {"scan_id": scan, "filename": name, "size_bytes": len(data)}
        (upload,) = json.loads(hawk.request("POST", f"/scan_imports/{run}/uploads", {"files": [entry]}, token=person)[2])["uploads"]
        assert hawk.send("PUT", upload["url"].removeprefix(hawk.url), data)[0] == 200
    status, _, body = hawk.request("POST", f"/scan_imports/{run}/finalize", token=person)
    return run, scan, status, body


def import_scan(hawk: Hawk, uuid: str, owner: str) -> str:
    """Bring a scan of a sample along; return the uuid of its result."""
    assert send_scan(hawk, uuid, owner)[2] == 200
    hawk.wait_for(lambda: hawk.get("/meta/scans", token=owner)[1]["items"])
    return "result-1"


@pytest.fixture(scope="module")
def place(tmp_path_factory, cache):
    """The hidden eval set: a job of the owner, and beside it a log that is full of canaries."""
    folder = tmp_path_factory.mktemp("matrix")
    log = one_log.make(folder / "logs", CANARY, eval_set_id="hidden-set")
    issuer = Issuer()
    models = folder / "models.yaml"
    models.write_text(f"- {{name: hidden, group: {GROUP}, lab: a}}\n- {{name: mockllm/model, group: {GROUP}, provider: A}}\n"
                      "- {name: open/model, group: model-access-public, lab: b}\n- {name: stray, group: model-access-public}\n"
                      f"- {{name: twin, group: {GROUP}, lab: a}}\n- {{name: open/twin, group: model-access-public, lab: b}}\n")
    hawk = Hawk(folder, cache)
    hawk.env.update(issuer.settings(), HAWK_API_MODELS_FILE=str(models))
    hawk.start()
    try:
        it = Place(hawk, issuer)
        owner = it.people["owner"]
        status, _, body = hawk.request("POST", "/eval_sets/", config("hidden-set"), token=owner)
        assert status == 200, body
        hawk.wait_for(lambda: hawk.get("/monitoring/jobs/hidden-set/job-status", token=owner)[1]["status"] == "failed")
        name = "2026-01-01T00-00-00+00-00_task_abc.eval"
        store = hawk.data / "store/evals/hidden-set"
        store.mkdir(parents=True, exist_ok=True)
        (store / "new").write_bytes(log)
        (store / "new").rename(store / name)
        items = hawk.wait_for(lambda: hawk.get("/meta/samples", token=owner)[1]["items"])
        it.names = {"id": "hidden-set", "log": f"hidden-set/{name}", "uuid": items[0]["uuid"], "canary": CANARY}
        artifacts = store / "artifacts" / items[0]["uuid"]
        artifacts.mkdir(parents=True)
        (artifacts / f"{CANARY}.txt").write_text(CANARY)
        edit = {"edits": [{"sample_uuid": items[0]["uuid"], "details": {"type": "invalidate_sample", "reason": CANARY}}]}
        it.names["request"] = json.loads(hawk.request("POST", "/meta/sample_edits", edit, token=owner)[2])["request_uuid"]
        hawk.wait_for(lambda: hawk.get(f"/meta/sample_edits/{it.names['request']}", token=owner)[1]["state"] in ("done", "failed"))
        public = ed25519.Ed25519PrivateKey.generate().public_key()
        it.names["key"] = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        assert hawk.request("POST", "/humans/", {"name": "ann", "ssh_public_key": it.names["key"]}, token=owner)[0] == 201
        it.names["import"] = json.loads(hawk.request("POST", "/eval_sets/import/", {}, token=owner)[2])["eval_set_id"]
        it.names["scans"] = json.loads(hawk.request("POST", "/scan_imports/", {"scan_count": 1}, token=owner)[2])["scan_run_id"]
        it.names["result"] = import_scan(hawk, items[0]["uuid"], owner)
        (listed,) = hawk.get("/meta/scans", token=owner)[1]["items"]
        for key, part in (("scan_dir", listed["job_id"]), ("scan_part", f"scan_id={listed['scan_id']}")):
            it.names[key] = base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
        it.names.update(scan_job=listed["job_id"], scan_name=f"scan_id={listed['scan_id']}")
        it.names["set_dir"] = base64.urlsafe_b64encode(b"hidden-set").decode().rstrip("=")
        it.names["scan"] = json.loads(hawk.request("POST", "/scans/", scan_config(), token=owner)[2])["scan_run_id"]
        hawk.wait_for(lambda: hawk.get(f"/monitoring/jobs/{it.names['scan']}/job-status", token=owner)[1]["status"] == "failed")
        hawk.wait_for(lambda: hawk.get(f"/meta/search?q={CANARY}", token=owner)[1]["not_indexed"] == 0)
        yield it
    finally:
        hawk.stop()
        issuer.close()


# --- who gets what ---

# An address, a body, and the status for each of the people, in their order; "!" behind it: those who get 2xx are shown the
# canary. On open routes one status for everybody, with a credential or without.
ALL = "200 200 200 200 200 200"
READERS = "200 403 200 200 200 403"
CHANGERS = "403 200 200 200 200 200"
CONTROLLERS = "403 403 403 200 200 200"
ADMINS = "403 403 403 403 200 200"
CODE_RULE = "403 403 403 403 201 409"
NOBODY = "403 403 403 403 403 403"
FILES = {"files": [{"filename": "a.eval", "sha256": "0" * 64, "size_bytes": 5}]}
PENDING = "?log={log}&id=s1&epoch=1"

VIEWER = {
    "GET /logs": ("/logs?log_dir={id}", None, READERS),
    "GET /logs/{log}": ("/logs/{log}", None, READERS + "!"),
    "GET /log-files": ("/log-files?log_dir={id}", None, READERS),
    "GET /log-headers": ("/log-headers?file={log}", None, READERS + "!"),
    "GET /log-size/{log}": ("/log-size/{log}", None, READERS),
    "GET /log-info/{log}": ("/log-info/{log}", None, READERS),
    "GET /log-bytes/{log}": ("/log-bytes/{log}?start=0&end=100", None, READERS),
    "GET /log-download/{log}": ("/log-download/{log}", None, READERS),
    "GET /log-download-url/{log}": ("/log-download-url/{log}", None, READERS),
    "POST /log-download-urls": ("/log-download-urls", {"logs": ["{log}"]}, READERS),
    "POST /scout/transcripts/{dir}/{id}/search": ("/scout/transcripts/{set_dir}/{uuid}/search",
                                                  {"type": "grep", "query": "{canary}", "messages": "all"}, READERS + "!"),
    "GET /scout/transcripts/{dir}/{id}/searches/{search_id}": ("/scout/transcripts/{set_dir}/{uuid}/searches/x", None,
                                                               READERS.replace("200", "404")),
    "GET /scout/searches": ("/scout/searches?type=grep", None, ALL),
    "GET /log-dir": ("/log-dir", None, ALL),
    "GET /eval-set": ("/eval-set?log_dir={id}", None, READERS),
    "GET /flow": ("/flow", None, "404 404 404 404 404 404"),
    "GET /events": ("/events", None, ALL),
    "GET /user-info": ("/user-info", None, ALL),
    "GET /app-config": ("/app-config", None, ALL),
    "GET /pending-samples": (f"/pending-samples{PENDING}", None, READERS.replace("200", "404")),
    "GET /pending-sample-data": (f"/pending-sample-data{PENDING}", None, READERS.replace("200", "404")),
    "GET /pending-sample-data-urls": (f"/pending-sample-data-urls{PENDING}", None, "404 404 404 404 404 404"),
    "POST /log-message": ("/log-message", None, NOBODY),
    "POST /log-edit/{log}": ("/log-edit/{log}", None, NOBODY),
    "DELETE /log-delete/{log}": ("/log-delete/{log}", None, NOBODY),
}
SCAN_VIEWER = {
    "POST /scans/{dir}": ("/scans/{scan_dir}", {}, READERS + "!"),
    "POST /scans/{dir}/distinct": ("/scans/{scan_dir}/distinct", {"column": "scan_name"}, READERS + "!"),
    "GET /scans/active": ("/scans/active", None, ALL),
    "GET /scans/{dir}/{scan}": ("/scans/{scan_dir}/{scan_part}", None, READERS + "!"),
    "GET /scans/{dir}/{scan}/{scanner}": ("/scans/{scan_dir}/{scan_part}/s", None, READERS),
    "GET /scans/{dir}/{scan}/{scanner}/{uuid}": ("/scans/{scan_dir}/{scan_part}/s/{result}?column=value", None, READERS + "!"),
}
SCOUT_REFUSED = {
    "POST /startscan": "/startscan", "GET /app-config": "/app-config", "GET /topics/stream": "/topics/stream",
    "GET /project/config": "/project/config", "PUT /project/config": "/project/config", "GET /scanners": "/scanners",
    "POST /code": "/code", "GET /transcripts/{path}": "/transcripts/{set_dir}/{uuid}/info",
    "POST /transcripts/{path}": "/transcripts/{set_dir}", "GET /validations": "/validations", "POST /validations": "/validations",
    "GET /validations/{path}": "/validations/a/b", "POST /validations/{path}": "/validations/a/b",
    "PUT /validations/{path}": "/validations/a/rename", "DELETE /validations/{path}": "/validations/a",
    "DELETE /scans/{dir}/{scan}": "/scans/{scan_dir}/{scan_part}",
}
ROWS = {
    "GET /health": ("/health", None, "200"),
    "GET /health/live": ("/health/live", None, "200"),
    "GET /health/ready": ("/health/ready", None, "200"),
    "GET /metrics": ("/metrics", None, "200"),
    "GET /version": ("/version", None, "200"),
    **{f"GET /schema.{kind}": (f"/schema.{kind}", None, "503") for kind in ("svg", "png", "pdf")},
    "GET /openapi.json": ("/openapi.json", None, "200"),
    "GET /auth/config": ("/auth/config", None, "200"),
    "GET /login": ("/login?code=x", None, "401"),
    "POST /auth/logout": ("/auth/logout", None, "200"),
    "POST /auth/callback": ("/auth/callback", {}, "422"),
    "POST /auth/refresh": ("/auth/refresh", None, "403"),
    "GET /auth/login": ("/auth/login", None, "404"),
    "GET /oauth/complete": ("/oauth/complete", None, "401"),
    "GET /view/scans/scan-download-url/{path}": ("/view/scans/scan-download-url/{scan_job}/{scan_name}/_scan.json", None, READERS),
    "GET /view/scans/scan-download-zip/{path}": ("/view/scans/scan-download-zip/{scan_job}", None, READERS),
    "GET /download-scan/{path}": ("/download-scan/{scan_job}/{scan_name}/_scan.json?expires=9999999999&signature=00", None, "403"),
    "GET /download-scan-zip/{path}": ("/download-scan-zip/{scan_job}?expires=9999999999&signature=00", None, "403"),
    "GET /download/{path}": ("/download/{log}?expires=9999999999&signature=00", None, "403"),
    "PUT /eval_sets/import/{eval_set_id}/files/{name}": ("/eval_sets/import/{import}/files/a.eval?expires=9999999999&signature=00",
                                                         b"12345", "403"),
    "PUT /scan_imports/{scan_run_id}/files/{scan_id}/{name}": ("/scan_imports/{scans}/files/a/_scan.json?expires=9999999999&signature=00",
                                                         b"12345", "403"),
    "GET /auth/me": ("/auth/me", None, ALL),
    "GET /auth/why/{job_id}": ("/auth/why/{id}", None, ALL),
    "POST /auth/login-code": ("/auth/login-code", None, "403 404 404 404 404 404"),
    "POST /eval_sets/": ("/eval_sets/", config("more"), "403 403 200 403 409 403"),
    "POST /eval_sets": ("/eval_sets", config("most"), "403 403 200 403 409 403"),
    "GET /eval_sets/{eval_set_id}/config": ("/eval_sets/{id}/config", None, READERS),
    "POST /eval_sets/{eval_set_id}/control": ("/eval_sets/{id}/control", {"action": "pause"}, CONTROLLERS.replace("200", "409")),
    "GET /eval_sets/{eval_set_id}/control/{command}": ("/eval_sets/{id}/control/none", None, READERS),
    "GET /monitoring/doctor": ("/monitoring/doctor", None, ALL),
    "GET /monitoring/jobs/{job_id}/explain": ("/monitoring/jobs/{id}/explain", None, READERS),
    "POST /eval_sets/{eval_set_id}/stop": ("/eval_sets/{id}/stop", None, CONTROLLERS),
    "DELETE /eval_sets/{eval_set_id}": ("/eval_sets/{id}", None, CONTROLLERS),
    "GET /monitoring/jobs/{job_id}/trace": ("/monitoring/jobs/{id}/trace", None, READERS.replace("200", "409")),
    "GET /monitoring/jobs/{job_id}/stacktrace": ("/monitoring/jobs/{id}/stacktrace", None, READERS.replace("200", "409")),
    "GET /monitoring/jobs/{job_id}/status": ("/monitoring/jobs/{id}/status", None, READERS),
    "GET /monitoring/jobs/{job_id}/logs": ("/monitoring/jobs/{id}/logs", None, READERS),
    "GET /monitoring/jobs/{job_id}/job-status": ("/monitoring/jobs/{id}/job-status", None, READERS),
    "GET /monitoring/jobs/{job_id}/eval-set-status": ("/monitoring/jobs/{id}/eval-set-status", None, READERS),
    "GET /monitoring/jobs/{job_id}/eval-set-status/stream": ("/monitoring/jobs/{id}/eval-set-status/stream", None, READERS),
    "GET /meta/eval-sets": ("/meta/eval-sets", None, ALL + "!"),
    "GET /meta/evals": ("/meta/evals?eval_set_id={id}", None, ALL + "!"),
    "GET /meta/attempts": ("/meta/attempts?eval_set_id={id}", None, ALL),
    "GET /meta/samples": ("/meta/samples?search={canary}", None, ALL + "!"),
    "GET /meta/samples/{sample_uuid}": ("/meta/samples/{uuid}", None, READERS),
    "GET /meta/samples/{sample_uuid}/scores": ("/meta/samples/{uuid}/scores", None, READERS + "!"),
    "GET /meta/samples/{sample_uuid}/events": ("/meta/samples/{uuid}/events", None, READERS + "!"),
    "GET /meta/samples/{sample_uuid}/timeline": ("/meta/samples/{uuid}/timeline", None, READERS),
    "GET /meta/eval-sets/{eval_set_id}/timeline": ("/meta/eval-sets/{id}/timeline", None, READERS),
    "GET /meta/eval-sets/{eval_set_id}/timeline-samples": ("/meta/eval-sets/{id}/timeline-samples", None, READERS),
    "GET /meta/samples/{sample_uuid}/transcript": ("/meta/samples/{uuid}/transcript", None, READERS + "!"),
    "GET /meta/samples/{eval_set_id}/{sample_uuid}/summary": ("/meta/samples/{id}/{uuid}/summary", None, READERS),
    "GET /meta/samples/{eval_set_id}/{sample_uuid}/{tree}": ("/meta/samples/{id}/{uuid}/artifacts", None, READERS + "!"),
    "GET /meta/samples/{eval_set_id}/{sample_uuid}/{tree}/file/{file_key}": (
        "/meta/samples/{id}/{uuid}/artifacts/file/{canary}.txt", None, READERS),
    "GET /meta/jobs": ("/meta/jobs", None, ALL),
    "GET /meta/imports": ("/meta/imports", None, ALL),
    "GET /meta/compare": ("/meta/compare?a={id}&b={id}", None, "200 404 200 200 200 404"),
    "GET /meta/export/{table}": ("/meta/export/messages?format=csv", None, ALL + "!"),
    "GET /meta/search": ("/meta/search?q=input", None, ALL + "!"),
    "POST /meta/sql": ("/meta/sql", {"sql": "select input from sample"}, "403 403 403 403 200 403!"),
    "POST /meta/sample_edits": ("/meta/sample_edits", {"edits": [{"sample_uuid": "{uuid}", "details": {
        "type": "invalidate_sample", "reason": "r"}}]}, "403 403 403 202 202 403"),
    "POST /meta/append_info_events": ("/meta/append_info_events", {"events": [{"sample_uuid": "{uuid}", "source": "s", "data": 1}]},
                                      "403 403 202 202 202 403"),
    "POST /meta/append_score_events": ("/meta/append_score_events", {"events": [{"sample_uuid": "{uuid}", "scorer": "s", "score": {"value": 1}}]},
                                       "403 403 202 202 202 403"),
    "GET /meta/sample_edits/{request_uuid}": ("/meta/sample_edits/{request}", None, READERS),
    "POST /eval_sets/import/": ("/eval_sets/import/", {}, CHANGERS),
    "POST /eval_sets/import": ("/eval_sets/import", {}, CHANGERS),
    "POST /eval_sets/import/{eval_set_id}/uploads": ("/eval_sets/import/{import}/uploads", FILES, "403 403 403 200 200 200"),
    "POST /eval_sets/import/{eval_set_id}/finalize": ("/eval_sets/import/{import}/finalize", None, "403 403 403 404 404 404"),
    "GET /meta/scans": ("/meta/scans", None, ALL + "!"),
    "GET /meta/scan-export/{scanner_result_uuid}": ("/meta/scan-export/{result}", None, READERS + "!"),
    "POST /scans/": ("/scans/", scan_config(), "403 403 200 200 200 403"),
    "POST /scans": ("/scans", scan_config(), "403 403 200 200 200 403"),
    "POST /scans/{scan_run_id}/resume": ("/scans/{scan}/resume", None, "403 403 403 200 409 403"),
    "POST /scans/{scan_run_id}/stop": ("/scans/{scan}/stop", None, CONTROLLERS),
    "DELETE /scans/{scan_run_id}": ("/scans/{scan}", None, CONTROLLERS),
    "GET /scans/{scan_run_id}/config": ("/scans/{scan}/config", None, READERS),
    "GET /jobs/self": ("/jobs/self", None, "401 401 401 401 401 401"),
    "POST /jobs/self/renew": ("/jobs/self/renew", None, "401 401 401 401 401 401"),
    "POST /scan_imports/": ("/scan_imports/", {"scan_count": 1}, CHANGERS),
    "POST /scan_imports": ("/scan_imports", {"scan_count": 1}, CHANGERS),
    "POST /scan_imports/{scan_run_id}/uploads": ("/scan_imports/{scans}/uploads",
                                                 {"files": [{"scan_id": "a", "filename": "_scan.json", "size_bytes": 1}]}, "403 403 403 200 200 200"),
    "POST /scan_imports/{scan_run_id}/finalize": ("/scan_imports/{scans}/finalize", None, "403 403 403 404 404 404"),
    "GET /humans/": ("/humans/", None, ALL),
    "GET /humans": ("/humans", None, ALL),
    "POST /humans/": ("/humans/", {"name": "ann", "ssh_public_key": "{key}"}, "403 409 409 409 409 409"),
    "POST /humans": ("/humans", {"name": "ann", "ssh_public_key": "{key}"}, "403 409 409 409 409 409"),
    "GET /humans/{name}": ("/humans/ann", None, ALL),
    "PUT /humans/{name}": ("/humans/ann", {"ssh_public_key": "{key}"}, CONTROLLERS),
    "DELETE /humans/{name}": ("/humans/ann", None, "403 403 403 204 404 404"),
    "POST /human_evals/": ("/human_evals/", {"human": "nobody", "eval_set_config": {}}, CHANGERS.replace("200", "404")),
    "POST /human_evals": ("/human_evals", {"human": "nobody", "eval_set_config": {}}, CHANGERS.replace("200", "404")),
    "GET /code_rules/": ("/code_rules/", None, ADMINS),
    "GET /code_rules": ("/code_rules", None, ADMINS),
    "POST /code_rules/": ("/code_rules/", {"url_prefix": "github.com/them", "group": "insiders"}, CODE_RULE),
    "POST /code_rules": ("/code_rules", {"url_prefix": "github.com/us", "group": None}, CODE_RULE),
    "PUT /code_rules/{pk}": ("/code_rules/00000000-0000-0000-0000-000000000000", {"url_prefix": "a", "group": None}, ADMINS.replace("200", "404")),
    "DELETE /code_rules/{pk}": ("/code_rules/00000000-0000-0000-0000-000000000000", None, ADMINS.replace("200", "404")),
    "GET /human_evals/{eval_set_id}": ("/human_evals/{id}", None, READERS.replace("200", "404")),
    "GET /usage/": ("/usage/?group_by=task", None, ALL),
    "GET /usage": ("/usage?group_by=task", None, ALL),
    "GET /usage/history": ("/usage/history?start=1700000000&end=1700000600&group_by=task", None, ALL),
    "GET /usage/limits": ("/usage/limits", None, ALL),
    "GET /usage/prices": ("/usage/prices", None, ALL),
    "GET /": ("/", None, ALL),
    "GET /eval-set/{eval_set_id}": ("/eval-set/{id}", None, "302 302 302 302 302 302"),
    "GET /permalink/sample/{sample_uuid}": ("/permalink/sample/{uuid}", None, READERS.replace("200", "302")),
    "GET /viewer/": ("/viewer/", None, ALL),
    "GET /viewer/{path}": ("/viewer/index.html", None, ALL),
    **{f"{key.split(' ')[0]} /view/scans{key.split(' ')[1]}": (f"/view/scans{address}", None, NOBODY)
       for key, address in SCOUT_REFUSED.items()},
    "GET /view/scans/topics": ("/view/scans/topics", None, ALL),
    "GET /api/v2/app-config": ("/api/v2/app-config", None, ALL),
    "GET /api/v2/topics": ("/api/v2/topics", None, ALL),
    "GET /api/v2/topics/stream": ("/api/v2/topics/stream", None, ALL),
    "GET /scan/{job_id}": ("/scan/{scan}", None, READERS.replace("200", "302")),
    "GET /scan-viewer/": ("/scan-viewer/", None, ALL),
    "GET /scan-viewer/{path}": ("/scan-viewer/index.html", None, ALL),
    **{f"{key.split(' ')[0]} {base}{key.split(' ')[1]}": (base + address, body, statuses)
       for base in ("/view/scans", "/api/v2") for key, (address, body, statuses) in SCAN_VIEWER.items()},
    **{f"{key.split(' ')[0]} {base}{key.split(' ')[1]}": (base + address, body, statuses)
       for base in ("/view/logs", "/api") for key, (address, body, statuses) in VIEWER.items()},
}
# What takes something away comes last.
LAST = ["DELETE /eval_sets/{eval_set_id}", "DELETE /scans/{scan_run_id}", "DELETE /humans/{name}"]


def test_another_lab_scans_nothing_that_is_hidden_from_it(place):
    """A scan by an open model is as hidden as the transcripts that it has read, and nobody brings a scan of such along who may
    not see them."""
    hawk, people = place.hawk, place.people
    strangers = [people["other group"], people["admin of another group"]]
    run, scan, status, _ = send_scan(hawk, place.names["uuid"], people["owner"], "open/model", "result-2")
    assert status == 200
    hawk.wait_for(lambda: any(item["job_id"] == run for item in hawk.get("/meta/scans", token=people["owner"])[1]["items"]))
    folder, part = (base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in (run, f"scan_id={scan}"))
    assert hawk.get("/meta/scan-export/result-2", token=people["other owner"])[0] == 200
    for stranger in strangers:
        assert hawk.get("/meta/scans", token=stranger)[1]["items"] == []
        assert hawk.get("/meta/scan-export/result-2", token=stranger)[0] == 403
        assert hawk.get(f"/view/scans/scans/{folder}/{part}", token=stranger)[0] == 403
        assert hawk.request("POST", f"/view/scans/scans/{folder}", {}, token=stranger)[0] == 403
        assert hawk.get(f"/meta/search?q={CANARY}", token=stranger)[1]["items"] == []
    for name, owner in (("other group", "other"), ("admin of another group", "boss")):
        run, _, status, body = send_scan(hawk, place.names["uuid"], people[name], "open/model", "result-3", owner)
        assert (status, json.loads(body)["code"]) == (400, "import.unknown_source"), name
        assert not (hawk.data / "store/scans" / run).exists()


@pytest.mark.parametrize(("models", "status", "title"), [
    (["hidden"], 200, None),
    (["open/model"], 403, "Cross-lab scan not allowed"),
    (["hidden", "open/model"], 403, "Cross-lab scan not allowed"),
    (["stray"], 422, "Model provider unknown"),
    (["nowhere/model"], 400, "Unknown models in scan"),
])
def test_a_scanner_of_another_lab_needs_to_be_allowed(place, models, status, title):
    """Transcripts of a model that is not public are read by models of its own lab, unless whoever submits the scan says so."""
    owner = place.people["owner"]
    got, _, body = place.hawk.request("POST", "/scans/", scan_config(*models), token=owner)
    assert (got, json.loads(body).get("title")) == (status, title), body
    if status in (403, 422):
        allowed = scan_config(*models, allow_sensitive_cross_lab_scan=True)
        assert place.hawk.request("POST", "/scans/", allowed, token=owner)[0] == 200


@pytest.mark.parametrize("row", ["GET /meta/samples/{sample_uuid}", "GET /permalink/sample/{sample_uuid}",
                                 "GET /meta/sample_edits/{request_uuid}", "POST /meta/sample_edits", "POST /meta/append_info_events"])
def test_a_refusal_names_no_eval_set_and_is_in_the_trail(place, row):
    """Whoever has the uuid of a sample does not learn where it is."""
    path, body, _ = ROWS[row]
    status, answer = place.ask(row.split()[0], path, body, place.people["other group"])
    assert status == 403 and b"hidden-set" not in answer
    request = re.search(rb"x-request-id: (\w+)", answer)[1].decode()
    lines = [json.loads(line) for line in (place.hawk.data / "audit.ndjson").read_text().splitlines()]
    (line,) = [line for line in lines if line["request_id"] == request]
    assert not line["allowed"] and line["sub"] == "other"


def test_a_secret_model_is_not_hidden_by_a_public_one_whose_name_ends_as_its(place):
    """Both are in the registry, and the eval set has both names."""
    folder = place.hawk.data / "store/evals/twins"
    folder.mkdir()
    (folder / ".models.json").write_text(json.dumps({"model_names": ["twin", "open/twin"], "model_groups": [GROUP, "model-access-public"]}))
    body = scan_config("open/model")
    body["scan_config"]["transcripts"]["sources"] = [{"eval_set_id": "twins"}]
    status, _, got = place.hawk.request("POST", "/scans/", body, token=place.people["owner"])
    assert (status, json.loads(got).get("title")) == (403, "Cross-lab scan not allowed"), got


def test_credentials_of_packages_do_not_become_part_of_a_config(place):
    """Everybody who may see the job sees that; the refusal does not repeat them."""
    body = config("with-credentials")
    body["eval_set_config"]["packages"] = [f"git+https://{CANARY}@github.com/x/y"]
    status, _, got = place.hawk.request("POST", "/eval_sets/", body, token=place.people["owner"])
    assert status == 422 and "packages[0]" in json.loads(got)["detail"] and CANARY not in got.decode(), got
    assert not (place.hawk.data / "store/evals/with-credentials").exists()


def test_an_import_names_the_eval_set_that_has_an_eval_to_its_readers_only(place):
    """Somebody else who has the log is told that it is there."""
    (sample,) = place.hawk.get("/meta/samples", token=place.people["owner"])[1]["items"]
    for person, is_named in (("owner", True), ("other group", False)):
        begun = place.hawk.request("POST", "/eval_sets/import/", {}, token=place.people[person])[2]
        path = f"/eval_sets/import/{json.loads(begun)['eval_set_id']}/uploads"
        files = [FILES["files"][0] | {"eval_id": sample["eval_id"]}]
        status, _, body = place.hawk.request("POST", path, {"files": files}, token=place.people[person])
        assert (status, b"hidden-set" in body) == (409, is_named)


def test_every_route_has_a_row(place):
    """And there is no row without a route."""
    paths = place.hawk.described().document["paths"]
    routes = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    assert routes == set(ROWS)


def test_the_document_says_which_routes_are_open(place):
    """Those with one status for everybody, and no others."""
    paths = place.hawk.described().document["paths"]
    is_open = {f"{method.upper()} {path}" for path, item in paths.items() for method, operation in item.items() if not operation["security"]}
    assert is_open == {route for route, row in ROWS.items() if " " not in row[2]}


@pytest.mark.parametrize("route", sorted(ROWS, key=lambda route: route in LAST))
def test_everybody_gets_what_is_theirs(place, route):
    """Whoever is nobody gets 401, and those in the wrong group nothing of the log."""
    address, body, expected = ROWS[route]
    method = route.split(" ")[0]
    must_show = expected.endswith("!")
    statuses = expected.rstrip("!").split(" ")
    for who, token in place.nobodies.items():
        status, got = place.ask(method, address, body, token)
        assert status == (401 if len(statuses) > 1 else int(statuses[0])), who
        assert CANARY.encode() not in got and b"hidden-set" not in got, who
    got_by = {}
    for i, (who, token) in enumerate(place.people.items()):
        status, got = place.ask(method, address, body, token)
        got_by[who] = status
        is_inside = who not in ("other group", "admin of another group")
        if not is_inside:
            assert CANARY.encode() not in got, who
        elif must_show and status < 300:
            assert CANARY.encode() in got, who
    assert " ".join(map(str, got_by.values())) == " ".join(statuses if len(statuses) > 1 else statuses * len(got_by)), got_by
