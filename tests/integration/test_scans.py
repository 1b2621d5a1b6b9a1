"""Scans by Inspect Scout: run, killed and resumed, imported, listed, exported, and the same as plain `scout scan`."""

import base64
import csv
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.request
import zipfile

import pytest
from conftest import ROOT, Hawk, venv_of
from faults import marked

PACKAGE = {"package": str(ROOT / "examples/hawk_scanners"), "name": "hawk_scanners"}
EXAMPLES = {"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples"}
PLAIN = {"scanners": [{"name": "hawk_scanners/mentions", "key": "mentions", "params": {"pattern": "hello|red"}},
                      {"name": "hawk_scanners/polite", "key": "polite"}]}
"""The scan of scan_config() as Scout's own command takes it."""


def scan_config(*items: dict, **more) -> dict:
    """A scan of the eval set with these scanners, in one process, which starts sooner than four."""
    items = items or ({"name": "mentions", "args": {"pattern": "hello|red"}}, {"name": "polite"})
    return {
        "name": "words", "max_processes": 1, "scanners": [{**PACKAGE, "items": list(items)}],
        "models": [{**PACKAGE, "items": [{"name": "judge"}]}], "transcripts": {"sources": [{"eval_set_id": "read-me"}]}, **more,
    }


class Scanned:
    """A server with an eval set of three samples and a scan of it."""

    def __init__(self, hawk: Hawk, folder: pathlib.Path):
        self.hawk = hawk
        self.folder = folder
        eval_set = {"eval_set_id": "read-me", "tasks": [{**EXAMPLES, "items": [{"name": "hello"}]}],
                    "models": [{**EXAMPLES, "items": [{"name": "steady"}]}]}
        self.run("eval-set", eval_set)
        self.id = self.run("scan", scan_config())["scan_run_id"]

    def run(self, kind: str, config: dict, *args: str, check: bool = True):
        """Run a config to its end; return what was printed, or how it ended."""
        path = self.folder / "config.json"
        path.write_text(json.dumps(config))
        done = self.hawk.run(kind, "run", str(path), "--watch", "--json", *args, check=check, timeout=600)
        return json.loads(done.stdout) if check else done

    def results(self, job: str) -> pathlib.Path:
        """The one folder of results of a scan."""
        (found,) = (self.hawk.data / "store/scans" / job).glob("scan_id=*")
        return found

    def listed(self, job: str) -> dict:
        """What the list says of the one scan of a job."""
        (item,) = [one for one in self.hawk.json("list", "scans", "--limit", "100")["items"] if one["job_id"] == job]
        return item

    def rows(self, job: str, columns: str) -> list[dict]:
        """The imported results of a job."""
        query = (f"SELECT {columns} FROM scanner_result r JOIN scan s ON s.pk = r.scan_pk WHERE s.job_id = '{job}'"
                 " ORDER BY scanner_key, transcript_task_id")
        return self.hawk.json("sql", query)

    def exported(self, result: str, *args: str) -> list[dict]:
        """The rows of an export."""
        path = self.folder / "exported.csv"
        said = self.hawk.run("scan-export", result, "-o", str(path), *args).stdout
        assert said == f"Exported: {path}\n"
        return list(csv.DictReader(io.StringIO(path.read_text())))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory, cache):
    """On a folder, with SQLite."""
    hawk = Hawk(tmp_path_factory.mktemp("scans"), cache).start()
    try:
        yield Scanned(hawk, tmp_path_factory.mktemp("configs"))
    finally:
        hawk.stop()


def test_a_scan_is_listed_with_what_it_found(scanned):
    """Two scanners, three transcripts; a status that says so."""
    item = scanned.listed(scanned.id)
    assert item["scan_id"] == scanned.results(scanned.id).name.removeprefix("scan_id=")
    assert item["scanner_result_count"] == 6 and item["errors"] is None and item["meta_name"] == "words"
    status = scanned.hawk.get(f"/monitoring/jobs/{scanned.id}/job-status")[1]
    assert status["job_type"] == "scan" and status["status"] == "complete"
    assert status["details"]["scan_id"] == item["scan_id"] and status["details"]["scanner_result_count"] == 6


def test_results_are_rows_that_belong_to_samples(scanned):
    """Values have their types, numbers are to be calculated with, and each row knows its sample."""
    rows = scanned.rows(scanned.id, "scanner_key, scanner_name, value, value_type, value_float, sample_pk, transcript_task_id")
    assert [(row["scanner_key"], json.loads(row["value"]), row["value_type"]) for row in rows] == [
        ("mentions", 2, "number"), ("mentions", 0, "number"), ("mentions", 0, "number"),
        ("polite", True, "boolean"), ("polite", False, "boolean"), ("polite", False, "boolean"),
    ]
    assert all(row["sample_pk"] and row["scanner_name"] == f"hawk_scanners/{row['scanner_key']}" for row in rows)
    assert rows[0]["value_float"] == 2


def test_results_are_those_of_the_scout_command(scanned, cache):
    """The same transcripts, scanners and model by `scout scan`, in the virtualenv of the scan."""
    scout = venv_of(scanned.hawk.data / "store/scans" / scanned.id, cache) / "bin/scout"
    job = scanned.folder / "plain.json"
    job.write_text(json.dumps(PLAIN))
    done = subprocess.run([scout, "scan", job, "-T", scanned.hawk.data / "store/evals/read-me", "--scans", scanned.folder / "plain",
                           "--model", "hawk_scanners/judge", "--max-processes", "1", "--display", "none"],
                          env=scanned.hawk.env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    (plain,) = (scanned.folder / "plain").glob("scan_id=*")
    for key in ("mentions", "polite"):
        ours, theirs = (read_parquet(folder / f"{key}.parquet") for folder in (scanned.results(scanned.id), plain))
        differ = [(at, column, ours[at][column], theirs[at][column]) for at in ours for column in ours[at] if ours[at][column] != theirs[at][column]]
        assert differ == [] and ours.keys() == theirs.keys() and len(ours) == 3


def read_parquet(path: pathlib.Path) -> dict[str, dict]:
    """The results of a file by transcript, without what differs from run to run."""
    import pyarrow.parquet

    own = {"uuid", "timestamp", "scan_id", "scan_metadata", "scan_events", "input_ids", "scan_git_origin", "scan_git_version",
           "scan_git_commit"}
    rows = pyarrow.parquet.read_table(path).to_pylist()
    return {row["transcript_id"]: {key: read_json(value) for key, value in row.items() if key not in own} for row in rows}


def read_json(value):
    """What a text says, when it is JSON: the order of members is not the same in each run, nor is the last digit of sums of times."""
    try:
        return json.loads(value if isinstance(value, str) else json.dumps(value), parse_float=lambda text: round(float(text), 9))
    except (TypeError, ValueError):
        return value


def test_an_export_has_every_column_but_the_transcripts(scanned):
    """By the uuid of a result or by the scan; CSV and Parquet have the same."""
    import pyarrow.parquet

    (row, *_) = scanned.rows(scanned.id, "uuid, scanner_key")
    by_uuid = scanned.exported(row["uuid"])
    by_scan = scanned.exported(scanned.listed(scanned.id)["scan_id"], "--scanner", "mentions")
    assert by_uuid == by_scan and [one["value"] for one in by_uuid].count("2") == 1
    scouts = pyarrow.parquet.read_table(scanned.results(scanned.id) / "mentions.parquet")
    assert list(by_uuid[0]) == [name for name in scouts.column_names if name not in ("input", "scan_events")]
    path = scanned.folder / "exported.parquet"
    scanned.hawk.run("scan", "export", row["uuid"], "-o", str(path))
    assert pyarrow.parquet.read_table(path).equals(scouts.drop_columns(["input", "scan_events"]))


def test_watch_shows_the_transcripts_of_each_scanner(scanned):
    """As it shows the samples of each task, and in how many of them something was found."""
    shown = scanned.hawk.run("watch", scanned.id).stdout
    assert f"{scanned.id}: complete, 6/6 transcripts\n" in shown
    assert "  mentions [####################] 3/3 transcripts, 1 with results\n" in shown
    assert "  polite   [####################] 3/3 transcripts" in shown


def test_a_result_that_is_not_there_cannot_be_exported(scanned):
    """And a scan of several scanners asks which one."""
    done = scanned.hawk.run("scan-export", "nothing", check=False)
    assert done.returncode == 5 and "Scanner result with UUID 'nothing' not found" in done.stderr
    done = scanned.hawk.run("scan-export", scanned.listed(scanned.id)["scan_id"], check=False)
    assert done.returncode == 2 and "--scanner" in done.stderr and "has several scanners: mentions, " in done.stderr


def test_a_scanner_that_a_scan_does_not_have_is_answered_with_those_that_it_has(scanned):
    """By name."""
    done = scanned.hawk.run("scan-export", scanned.listed(scanned.id)["scan_id"], "--scanner", "nope", check=False)
    assert done.returncode == 5 and "has no scanner 'nope', but: mentions, " in done.stderr


def test_filters_choose_the_transcripts_of_all_or_of_one_scanner(scanned):
    """A scanner's own filter is in place of the common one."""
    common = {"where": [{"not": [{"task_id": ["2", "3"]}]}, {"or": [{"task_set": {"like": "hel%"}}, {"task_set": None}]}]}
    own = {"where": [{"task_id": {"between": ["2", "3"]}}], "limit": 1}
    config = scan_config({"name": "mentions"}, {"name": "mentions", "key": "own", "filter": own},
                         transcripts={"sources": [{"eval_set_id": "read-me"}], "filter": common})
    rows = scanned.rows(scanned.run("scan", config)["scan_run_id"], "scanner_key, transcript_task_id")
    assert [row["transcript_task_id"] for row in rows if row["scanner_key"] == "mentions"] == ["1"]
    assert [row["transcript_task_id"] in ("2", "3") for row in rows if row["scanner_key"] == "own"] == [True]


def test_a_scanner_that_fails_fails_the_scan_and_keeps_the_rest(scanned):
    """What could be scanned is imported; the failure has its reason."""
    done = scanned.run("scan", scan_config({"name": "mentions", "args": {"fail_on": "hello"}}), check=False)
    assert done.returncode == 1 and "found hello" in done.stderr
    item = scanned.listed(json.loads(done.stdout)["scan_run_id"])
    assert item["errors"] == ["found hello"] and item["scanner_result_count"] == 3
    rows = scanned.rows(item["job_id"], "scan_error, value")
    assert [row["scan_error"] for row in rows] == ["found hello", None, None]


def test_a_scan_that_was_stopped_and_then_killed_goes_on_where_it_was(scanned):
    """What had been found before each end is what is there at last; nothing is asked of the model again."""
    gate = scanned.folder / "gate"
    gate.mkdir()
    models = [{**PACKAGE, "items": [{"name": "judge", "args": {"gate": str(gate)}}]}]
    path = scanned.folder / "slow.json"
    path.write_text(json.dumps(scan_config({"name": "polite"}, models=models, max_transcripts=1)))
    job = scanned.hawk.json("scan", "run", str(path))["scan_run_id"]
    folder = scanned.hawk.data / "jobs" / job

    def found() -> dict[str, str]:
        files = (folder / ".scanbuffer").glob("*/scanner=*/*.parquet")
        return {id: uuid for file in files for id, uuid in read_uuids(file).items()}

    (gate / "1").touch()
    scanned.hawk.wait_for(found, timeout=300)
    assert scanned.hawk.request("POST", f"/scans/{job}/stop")[0] == 200
    status = scanned.hawk.wait_job(job)
    assert status["status"] == "failed" and "ended as it was asked to" in status["details"]["trouble_reason"]
    first = found()
    scanned.hawk.run("scan", "resume", job)
    (gate / "2").touch()
    scanned.hawk.wait_for(lambda: found().keys() - first.keys(), timeout=300)
    os.kill(json.loads((folder / "runner.json").read_text())["pid"], signal.SIGKILL)
    assert scanned.hawk.wait_job(job)["status"] == "failed"
    second = found()
    (gate / "3").touch()
    scanned.hawk.run("scan", "resume", job, "--watch", timeout=600)
    last = read_uuids(scanned.results(job) / "polite.parquet")
    assert (len(first), len(second), len(last)) == (1, 2, 3) and first.items() <= second.items() <= last.items()
    assert list(gate.iterdir()) == []
    assert scanned.listed(job)["scanner_result_count"] == 3
    assert scanned.hawk.run("delete", job, "--yes").stdout == f"Scan {job} deleted.\n"
    assert scanned.hawk.get(f"/monitoring/jobs/{job}/job-status")[1]["status"] == "deleted" and scanned.results(job).exists()


def test_a_scan_that_does_not_end_when_asked_is_over_within_the_time(scanned):
    """Its process is frozen, so that it hears nothing; nothing of it is left."""
    models = [{**PACKAGE, "items": [{"name": "judge", "args": {"gate": str(scanned.folder / "closed")}}]}]
    path = scanned.folder / "wedged.json"
    path.write_text(json.dumps(scan_config({"name": "polite"}, models=models)))
    job = scanned.hawk.json("scan", "run", str(path))["scan_run_id"]
    scanned.hawk.wait_for(lambda: list((scanned.hawk.data / "jobs" / job / ".scanbuffer").glob("*")), timeout=300)
    for pid in marked(scanned.hawk, job):
        if b"hawk_worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGSTOP)
    said = scanned.hawk.run("stop", job, "--within", "8s", timeout=60)
    assert f"hawk scan resume {job}" in said.stdout + said.stderr and not marked(scanned.hawk, job)
    assert scanned.hawk.json("explain", job)["state"] == "cancelled"


def read_uuids(path: pathlib.Path) -> dict[str, str]:
    """The uuid of the result of each transcript, none of which may be an error."""
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path, columns=["transcript_id", "uuid", "scan_error"]).to_pylist()
    assert [row["scan_error"] for row in rows if row["scan_error"]] == []
    return {row["transcript_id"]: row["uuid"] for row in rows}


def test_secrets_stay_out_of_results(scanned):
    """A scanner that writes a secret into its result and into an error."""
    path = scanned.folder / "leaky.json"
    items = [{"name": "variable", "args": {"name": "LEAK_KEY"}}, {"name": "variable", "key": "error", "args": {"name": "LEAK_KEY", "fail": True}}]
    path.write_text(json.dumps(scan_config(*items)))
    canary = "canary-5d1f-8a77"
    done = scanned.hawk.run("scan", "run", str(path), "--watch", "--json", "--secret", "LEAK_KEY", env={"LEAK_KEY": canary},
                            check=False, timeout=600)
    job = json.loads(done.stdout)["scan_run_id"]
    rows = scanned.rows(job, "scanner_key, value, scan_error")
    assert [row["scan_error"] for row in rows if row["scanner_key"] == "error"] == ["[secret]"] * 3
    assert [row["value"] for row in rows if row["scanner_key"] == "variable"] == ['"[secret]"'] * 3
    places = [scanned.hawk.data / "store/scans" / job, scanned.hawk.data / "jobs" / job, scanned.hawk.data / "hawk.db"]
    for file in [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]:
        assert canary.encode() not in file.read_bytes(), file
    for file in (scanned.hawk.data / "store/scans" / job).rglob("*.parquet"):
        assert canary not in str(read_parquet(file)), file


def test_an_eval_set_that_is_not_there_is_not_scanned(scanned):
    """Refused before anything is started."""
    done = scanned.run("scan", scan_config(transcripts={"sources": [{"eval_set_id": "nowhere"}]}), check=False)
    assert done.returncode == 5 and "there is no eval set nowhere" in done.stderr


def test_a_scanner_that_is_not_there_cannot_work(scanned):
    """The reason names it."""
    done = scanned.run("scan", scan_config({"name": "no_such"}), check=False)
    assert done.returncode == 1 and "there is no scanner named hawk_scanners/no_such" in done.stderr


def test_a_local_scan_needs_no_server(scanned, home, tmp_path):
    """It reads folders and writes one."""
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(scan_config({"name": "mentions"})))
    home.run("local", "scan", str(path), "--log-dir", str(scanned.hawk.data / "store/evals"), "--results-dir", str(tmp_path / "out"),
             timeout=600)
    (results,) = (tmp_path / "out").glob("words-*/scan_id=*")
    assert len(read_uuids(results / "mentions.parquet")) == 3
    assert json.loads((results / "_summary.json").read_text())["complete"] is True


# --- the viewer ---


def encoded(path: str) -> str:
    """A folder as addresses have it."""
    return base64.urlsafe_b64encode(path.encode()).decode().rstrip("=")


def test_the_viewer_lists_a_scan_and_says_how_it_stands(scanned):
    """With places below the folder of all scans, as Scout itself has them otherwise."""
    item = scanned.listed(scanned.id)
    status, _, body = scanned.hawk.request("POST", f"/view/scans/scans/{encoded(scanned.id)}", {"pagination": {"limit": 10, "cursor": None, "direction": "forward"}})
    (row,) = json.loads(body)["items"]
    assert status == 200 and row["scan_id"] == item["scan_id"] and row["status"] == "complete" and row["transcript_count"] == 3
    assert row["location"] == f"{scanned.id}/scan_id={item['scan_id']}"
    status, scan = scanned.hawk.get(f"/view/scans/scans/{encoded(scanned.id)}/{encoded('scan_id=' + item['scan_id'])}")
    assert status == 200 and scan["complete"] and set(scan["spec"]["scanners"]) == {"mentions", "polite"}


def test_the_viewer_gets_results_as_arrow(scanned):
    """Those of the file, without the columns that it does not want; and single columns of one result."""
    import pyarrow.parquet

    folder = scanned.results(scanned.id)
    base = f"/view/scans/scans/{encoded(scanned.id)}/{encoded(folder.name)}/mentions"
    status, headers, body = scanned.hawk.request("GET", f"{base}?exclude_column=input&exclude_column=scan_events")
    assert status == 200 and headers["Content-Type"] == "application/vnd.apache.arrow.stream; codecs=lz4"
    table = pyarrow.ipc.open_stream(body).read_all()
    assert table.equals(pyarrow.parquet.read_table(folder / "mentions.parquet").drop_columns(["input", "scan_events"]))
    row = table.to_pylist()[0]
    status, columns = scanned.hawk.get(f"{base}/{row['uuid']}?column=value&column=scan_total_tokens")
    assert status == 200 and columns == {"value": row["value"], "scan_total_tokens": row["scan_total_tokens"]}


def fetch(scanned, path: str) -> tuple[str, bytes]:
    """What a link leads to, asked for without a credential; and the name for it."""
    status, link = scanned.hawk.get(path)
    assert status == 200, link
    with urllib.request.urlopen(link["url"]) as answer:
        assert f'filename="{link["filename"]}"' in answer.headers["Content-Disposition"] or "%3D" in answer.headers["Content-Disposition"]
        return link["filename"], answer.read()


def test_a_scan_is_downloaded_as_an_archive_or_file_by_file(scanned):
    """With the bytes that lie in the store, and nothing of the server's own; a link to one is none to another."""
    folder = scanned.results(scanned.id)
    files = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    name, data = fetch(scanned, f"/view/scans/scan-download-zip/{scanned.id}/{folder.name}")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert name == f"{folder.name}.zip" and {item: archive.read(item) for item in archive.namelist()} == files
    name, data = fetch(scanned, f"/view/scans/scan-download-zip/{scanned.id}")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {item for item in archive.namelist() if item.startswith(folder.name)} == {f"{folder.name}/{item}" for item in files}
        assert not [item for item in archive.namelist() if "/." in f"/{item}"]
    assert fetch(scanned, f"/view/scans/scan-download-url/{scanned.id}/{folder.name}/_scan.json") == ("_scan.json", files["_scan.json"])
    link = scanned.hawk.get(f"/view/scans/scan-download-zip/{scanned.id}/{folder.name}")[1]["url"].removeprefix(scanned.hawk.url)
    other = link.replace("/download-scan-zip/", "/download-scan/")
    assert [scanned.hawk.request("GET", address, token="")[0] for address in (link, other)] == [200, 403]


@pytest.mark.parametrize(("path", "status"), [
    ("scan-download-url/{id}/.models.json", 400), ("scan-download-url/{id}/none/none.json", 404), ("scan-download-zip/{id}/none", 404),
    ("scan-download-zip/no-such-scan", 404), ("scan-download-zip/..%2Fevals", 400), ("scan-download-url/{id}/..%2F..%2Fevals/x", 400),
])
def test_nothing_else_is_downloaded_as_a_scan(scanned, path, status):
    """Neither what is the server's own nor what is elsewhere."""
    assert scanned.hawk.get(f"/view/scans/{path.replace('{id}', scanned.id)}")[0] == status


@pytest.mark.parametrize(("folder", "status"), [("../evals", 400), ("/etc", 400), ("a?b", 400), ("no-such-scan", 404), ("\0", 400)])
def test_the_viewer_does_not_leave_the_scans(scanned, folder, status):
    """Nor does it say what is elsewhere."""
    assert scanned.hawk.request("POST", f"/view/scans/scans/{encoded(folder)}", {})[0] == status
    assert scanned.hawk.request("GET", f"/view/scans/scans/{encoded(scanned.id)}/{encoded(folder)}")[0] == status


def test_the_viewer_is_scouts_own(scanned):
    """The page of a scan leads to it."""
    status, headers, _ = scanned.hawk.request("GET", f"/scan/{scanned.id}", follow=False)
    place = f"{encoded(scanned.id)}/{scanned.results(scanned.id).name}"
    assert status == 302 and headers["Location"] == f"/scan-viewer/?job={scanned.id}#/scan/{place}"
    config = scanned.hawk.get("/api/v2/app-config", headers={"Referer": f"{scanned.hawk.url}/scan-viewer/?job={scanned.id}"})[1]
    assert config["scans"]["dir"] == scanned.id
    status, headers, page = scanned.hawk.request("GET", "/scan-viewer/")
    assert status == 200 and b"Inspect Scout" in page and "default-src" in headers["Content-Security-Policy"]
    (script,) = re.findall(rb'src="\./(assets/index-[^"]+\.js)"', page)
    assert scanned.hawk.request("GET", f"/scan-viewer/{script.decode()}")[0] == 200


def test_a_browser_shows_what_a_scan_has_found(scanned):
    """From the address that a submit prints to a result, in a real browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    link = json.loads(scanned.hawk.request("POST", "/auth/login-code", {})[2])["url"]
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(240_000)
        page.goto(link)
        page.wait_for_url(re.compile(r"/$"))
        page.goto(f"{scanned.hawk.url}/scan/{scanned.id}")
        page.get_by_text("Say exactly: hello").first.wait_for()
        assert "hawk_scanners/judge" in page.inner_text("body")
        browser.close()
