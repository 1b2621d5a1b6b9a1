"""Scans that were made elsewhere: their files are taken in, checked and kept where scans are."""

import hashlib
import json
import urllib.error
import urllib.request

import pytest
from conftest import Hawk


class Importing:
    """A server with one eval set, and what the steps of an import need."""

    def __init__(self, hawk: Hawk, logs):
        self.hawk = hawk
        eval_set = hawk.json("import", str(logs / "tools.eval"), "--wait")["eval_set_id"]
        self.samples = [item["uuid"] for item in hawk.get(f"/meta/samples?eval_set_id={eval_set}")[1]["items"]]
        self.sub = hawk.get("/auth/me")[1]["sub"]

    def post(self, path: str, body=None):
        """POST; return status and answer."""
        status, _, answer = self.hawk.request("POST", path, body)
        return status, json.loads(answer)

    def begin(self, n: int = 1, **more) -> tuple[str, list[str]]:
        """Begin an import; return its id and those of its scans."""
        status, answer = self.post("/scan_imports/", {"scan_count": n, **more})
        assert status == 200 and len(answer["scan_ids"]) == n and answer["viewer_url"].endswith("/scan/" + answer["scan_run_id"])
        return answer["scan_run_id"], answer["scan_ids"]

    def send(self, run: str, scan: str, name: str, data: bytes, announced: bytes | None = None, checked: bool = True) -> int:
        """Announce a file and send it; return the status of sending."""
        announced = data if announced is None else announced
        entry = {"scan_id": scan, "filename": name, "size_bytes": len(announced)}
        if checked:
            entry["sha256"] = hashlib.sha256(announced).hexdigest()
        status, answer = self.post(f"/scan_imports/{run}/uploads", {"files": [entry]})
        assert status == 200, answer
        (upload,) = answer["uploads"]
        assert upload["scan_id"] == scan and upload["filename"] == name
        try:
            with urllib.request.urlopen(urllib.request.Request(upload["url"], data=data, method="PUT"), timeout=60) as done:
                return done.status
        except urllib.error.HTTPError as error:
            return error.code

    def spec(self, run: str, scan: str, **more) -> bytes:
        """What a scan says of itself."""
        return json.dumps({"scan_id": scan, "scan_name": "s", "scanners": {}, "model": None,
                           "metadata": {"job_id": run, "created_by": self.sub, "imported": True},
                           "transcripts": {"type": "eval_log", "transcript_ids": {uuid: None for uuid in self.samples}}, **more}).encode()


@pytest.fixture(scope="module")
def importing(shared, logs):
    """On a folder."""
    return Importing(shared, logs)


def test_files_are_kept_where_scans_are(importing):
    """With who may see them, as the scanned evals have it; doing it again is fine."""
    run, (first, second) = importing.begin(2, name="My Scans")
    assert run.startswith("imported-my-scans-")
    for scan in (first, second):
        assert importing.send(run, scan, "_scan.json", importing.spec(run, scan)) == 200
        assert importing.send(run, scan, "grep.parquet", b"PAR1" * 100, checked=False) == 200
    done = importing.post(f"/scan_imports/{run}/finalize")
    assert done == importing.post(f"/scan_imports/{run}/finalize", {})
    status, answer = done
    assert status == 200 and answer["scan_run_id"] == run and set(answer["scan_ids"]) == {first, second}
    folder = importing.hawk.data / "store/scans" / run
    assert (folder / f"scan_id={first}/grep.parquet").read_bytes() == b"PAR1" * 100
    assert json.loads((folder / ".models.json").read_text()) == {"model_names": [], "model_groups": ["local"]}
    assert not list((importing.hawk.data / "store/pending-imports").rglob("*.parquet"))


@pytest.mark.parametrize(("entry", "status", "title"), [
    ({"scan_id": "a/b"}, 400, "Invalid scan_id"),
    ({"scan_id": ""}, 400, "Invalid scan_id"),
    ({"filename": "x.txt"}, 400, "Invalid filename"),
    ({"filename": "../_scan.json"}, 400, "Invalid filename"),
    ({"filename": ".json"}, 400, "Invalid filename"),
    ({"sha256": "zz"}, 400, "Invalid sha256"),
    ({"size_bytes": 0}, 400, "Invalid size_bytes"),
])
def test_files_that_cannot_be_are_refused(importing, entry, status, title):
    """Before anything is sent."""
    run, (scan,) = importing.begin()
    got, answer = importing.post(f"/scan_imports/{run}/uploads", {"files": [{"scan_id": scan, "filename": "_scan.json", "size_bytes": 5, **entry}]})
    assert (got, answer["title"]) == (status, title)


def test_requests_that_make_no_sense_are_refused(importing):
    """As the Python hawk refuses them."""
    run, (scan,) = importing.begin()
    entry = {"scan_id": scan, "filename": "_scan.json", "size_bytes": 5}
    assert importing.post(f"/scan_imports/{run}/uploads", {"files": [entry, entry]})[1]["title"] == "Duplicate file"
    assert importing.post("/scan_imports/", {"scan_count": 0})[0] == 422
    assert importing.post("/scan_imports/", {"scan_count": 101})[0] == 422
    assert importing.post(f"/scan_imports/{run}/finalize")[1]["title"] == "Nothing to finalize"
    assert importing.post("/scan_imports/nope/finalize")[1]["title"] == "Invalid scan_run_id"
    assert importing.post("/scan_imports/imported-nope/finalize")[0] == 404
    assert importing.post(f"/eval_sets/import/{run}/finalize")[0] == 404


def test_other_bytes_than_were_announced_are_refused(importing):
    """By their number or their checksum."""
    run, (scan,) = importing.begin()
    assert importing.send(run, scan, "_scan.json", b"12345", announced=b"54321") == 400
    assert importing.send(run, scan, "_scan.json", b"123", announced=b"12345") == 400


@pytest.mark.parametrize(("change", "title"), [
    ({"scan_id": "another"}, "Invalid scan"),
    ({"metadata": {"job_id": "another", "imported": True}}, "Invalid scan"),
    ({"metadata": None}, "Invalid scan"),
    ({"transcripts": {"type": "database", "transcript_ids": {"x": None}}}, "Invalid scan"),
    ({"transcripts": {"type": "eval_log", "transcript_ids": {}}}, "Invalid scan"),
    ({"transcripts": {"type": "eval_log", "transcript_ids": {"no-sample": None}}}, "Unknown transcripts"),
])
def test_a_scan_that_says_something_else_is_not_published(importing, change, title):
    """Nothing of the import is then seen."""
    run, (scan,) = importing.begin()
    assert importing.send(run, scan, "_scan.json", importing.spec(run, scan, **change)) == 200
    status, answer = importing.post(f"/scan_imports/{run}/finalize")
    assert (status, answer["title"]) == (400, title), answer
    assert not (importing.hawk.data / "store/scans" / run).exists()


def test_a_scan_without_its_description_is_not_published(importing):
    """_scan.json is needed."""
    run, (scan,) = importing.begin()
    assert importing.send(run, scan, "grep.parquet", b"PAR1") == 200
    assert importing.post(f"/scan_imports/{run}/finalize")[1]["title"] == "Invalid scan"


def test_an_imported_scan_is_deleted_with_its_files_and_rows(importing):
    """Another import stays."""
    hawk = importing.hawk
    run, (scan,) = importing.begin(name="gone")
    other, (kept,) = importing.begin(name="kept")
    for to, of in ((run, scan), (other, kept)):
        spec = importing.spec(to, of, timestamp="2026-01-02T03:04:05+00:00")
        assert importing.send(to, of, "_scan.json", spec) == 200
        assert importing.send(to, of, "_summary.json", b'{"complete": true, "scanners": {}}') == 200
        assert importing.post(f"/scan_imports/{to}/finalize")[0] == 200

    def listed() -> set[str]:
        return {item["scan_id"] for item in hawk.get("/meta/scans")[1]["items"]} & {scan, kept}

    hawk.wait_for(lambda: listed() == {scan, kept})
    assert hawk.run("delete", run, "--yes").stdout == f"Scan {run} deleted.\n"
    assert listed() == {kept}
    assert [(hawk.data / "store/scans" / it).exists() for it in (run, other)] == [False, True]
    assert hawk.run("delete", run, "--yes", check=False).returncode == 5
