"""The unchanged `hawk[cli,client]` 3.7.2 against our server: every command, held against what it gets from its own server.

Both servers have the same logs (old_client.World). A command is run in front of each; status, what it prints, what it says
on standard error and the files that it leaves have to be the same, but for addresses. DIFFERENT has what differs on purpose.
What needs a cluster there is run in front of ours alone.
"""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import urllib.request

import hawk_server
import identity_provider
import pytest
from conftest import ROOT, Hawk
from faults import live
from old_client import World
from test_jobs_survive import config_of

pytestmark = [
    pytest.mark.skipif(identity_provider.why_not() is not None, reason=str(identity_provider.why_not())),
    pytest.mark.timeout(1500),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory, cache, peer, postgresql, bucket, logs):
    """Both servers with their logs, and a client in front of each."""
    it = World(tmp_path_factory.mktemp("old"), cache, peer, postgresql, bucket, logs)
    yield it
    it.close()


# Words in capitals stand for what only the world knows: UUID is a sample of `set-1`, ERROR one that failed, LOG-x a file.
COMMANDS = [
    "version",
    "list eval-sets",
    "list eval-sets --limit 1",
    "list eval-sets --search two",
    "list eval-sets --search nothing",
    "list evals set-1",
    "list evals none",
    "list samples set-1",
    "list samples set-1 --limit 2",
    "list samples set-1 --eval LOG-errors",
    "list samples set-1 --json",
    "list samples two --json",
    "list samples none",
    "list jobs",
    "list jobs --all",
    "list jobs --limit 0",
    "status ran",
    "status none",
    "logs none",
    "trace ran",
    "trace none",
    "watch ran --no-follow",
    "watch ran --no-follow --json",
    "watch ran",
    "watch none --no-follow",
    "watch set-1 --no-follow --json",
    "transcript UUID",
    "transcript ERROR",
    "transcript UUID --raw",
    "transcript ERROR --output-dir out",
    "transcript 1234567890123456789012",
    "transcript x",
    "transcripts two --output-dir out",
    "transcripts set-1 --output-dir out --raw",
    "transcripts set-1 --output-dir out --limit 1",
    "transcripts none --output-dir out",
    "download set-1 -o out",
    "download set-1 -o out --eval LOG-errors",
    "download set-1 --list",
    "download none -o out",
    "edit-samples unknown.json",
    "edit-samples twice.json",
    "edit-samples wrong.json",
    "download-artifacts set-1 -o out",
    "download-artifacts set-1 -o out --sample UUID",
    "download-artifacts set-1 -o out --sample ERROR",
    "download-artifacts none -o out",
    "human list",
    "human register --name bob --ssh-key 'HUMAN-KEY'",
    "human register --name bob --ssh-key 'HUMAN-KEY'",
    "human register --name Bob_ --ssh-key 'HUMAN-KEY'",
    "human register --name eve --ssh-key x",
    "human list",
    "human update bob --ssh-key 'HUMAN-KEY home'",
    "human update eve --ssh-key 'HUMAN-KEY'",
    "human delete bob",
    "human delete bob --force",
    "scan-export 1234567890123456789012",
    "delete none -y",
    "stop none",
    "stop set-1",
    "eval-set resume none",
    "eval-set resume set-1",
    "web set-1",
    "view-sample UUID",
    "usage --json",
    "auth access-token",
    "eval-set run wrong.yaml",
    "eval-set run unknown-model.yaml",
    "eval-set run needs-secret.yaml",
]

TASK = {"package": "p", "name": "p", "items": [{"name": "t"}]}
FILES = {
    "unknown.json": [{"sample_uuid": "A" * 22, "details": {"type": "invalidate_sample", "reason": "r"}}],
    "twice.json": [{"sample_uuid": "A" * 22, "details": {"type": "invalidate_sample", "reason": "r"}}] * 2,
    "wrong.json": [{"sample_uuid": "A" * 22, "details": {"type": "unheard_of"}}],
    "wrong.yaml": {"tasks": [TASK], "model": "x"},
    "unknown-model.yaml": {"tasks": [TASK], "models": [{"package": "openai", "name": "openai", "items": [{"name": "unheard-of"}]}]},
    "needs-secret.yaml": {"tasks": [TASK], "runner": {"secrets": [{"name": "NOT_GIVEN"}]}},
}
"""Files in the folder that a command runs in."""

CALLS = [
    ["create_eval_set", [None], {"eval_set_id": "none"}],
    ["get_jobs", [], {}],
    ["get_jobs", [], {"mine": False, "limit": 1}],
    ["get_jobs", [], {"status": "complete"}],
    ["get_jobs", [], {"waiting": True}],
    ["get_eval_sets", [], {}],
    ["get_eval_sets", [], {"limit": 1, "search": "set"}],
    ["get_evals", ["set-1"], {}],
    ["get_evals", ["set-1"], {"page": 2, "limit": 1}],
    ["get_samples", ["set-1"], {}],
    ["get_samples", ["set-1"], {"search": "errors", "page": 1, "limit": 2}],
    ["get_all_samples_for_eval_set", ["set-1"], {}],
    ["get_all_samples_for_eval_set", ["set-1"], {"limit": 3}],
    ["get_me", [], {}],
    ["get_log_files", ["set-1"], {}],
    ["get_log_files", ["none"], {}],
    ["get_log_headers", [["set-1/LOG-tools", "two/LOG-unscored"]], {}],
    ["get_download_url", ["set-1/LOG-tools"], {}],
    ["get_download_urls", [["set-1/LOG-tools", "set-1/LOG-errors"]], {}],
    ["download_to_file", ["/view/logs/log-download/set-1/LOG-errors", "log"], {}],
    ["download_scan_export", ["1" * 22, "scan"], {}],
    ["get_sample_metadata", ["UUID"], {}],
    ["get_sample_metadata", ["1" * 22], {}],
    ["fetch_logs", ["none"], {}],
    ["get_job_monitoring_data", ["none"], {}],
    ["get_eval_set_status", ["ran"], {}],
    ["get_eval_set_status", ["none"], {}],
    ["stream_eval_set_status", ["ran"], {}],
    ["get_job_status", ["ran"], {}],
    ["get_job_status", ["none"], {}],
    ["stop_eval_set", ["none"], {}],
    ["stop_eval_set", ["none"], {"sample_uuid": "UUID", "error": True}],
    ["delete_job", ["none"], {}],
]
"""Methods of HawkClient with their arguments."""


DIFFERENT = {
    "status ran": ("\"provider\": \"process\"", "another executor, whose output is kept when the job is over"),
    "watch none --no-follow": ("not found", "that there is no such job is said, there that one may not see it"),
    "watch set-1 --no-follow --json": ("Job not found", "only jobs have a status, not logs that are just there"),
    "edit-samples unknown.json": ("Sample(s) not found: there is no sample", "other words"),
    "edit-samples twice.json": ("Duplicate sample edits: edits[0] and edits[1]", "other words"),
    "human register --name Bob_ --ssh-key 'HUMAN-KEY'": ("a name has 1 to 63", "other words"),
    "human register --name eve --ssh-key x": ("an SSH key is", "other words"),
    "list jobs --limit 0": ("limit must be a whole number from 1 to 500", "other words"),
    "usage --json": ("\"model\": \"steady\"", "counted from logs, there by the gateway to models"),
    "download none -o out": ("you may not read none", "why is said"),
    "stop none": ("Not Found: Job not found.", "other words"),
    "stop set-1": ("Not Found: Job not found.", "other words"),
    "eval-set resume none": ("Saved configuration not found", "that there is nothing is said, there that one may not"),
    "eval-set resume set-1": ("Saved configuration not found", "anybody who may see logs without a job is told what is missing"),
    "eval-set run unknown-model.yaml": ("Declared model unavailable: unheard-of", "other words"),
}
"""Commands whose outcome is another: a part of ours, and why."""

DIFFERENT_CALLS = {
    "create_eval_set(None, eval_set_id=none)": "that there is nothing is said, there that one may not",
    "get_log_files(none)": "why is said",
    "get_eval_set_status(none)": "that there is no such job is said, there that one may not see it",
    "stop_eval_set(none)": "other words",
    "stop_eval_set(none, sample_uuid=UUID, error=True)": "other words",
}
"""Calls that return something else, and why. All of them raise HawkAPIError in both."""


def filled(world: World, text: str) -> str:
    """The words in capitals as what they stand for."""
    return re.sub("|".join(world.names), lambda word: world.names[word[0]], text)


def without_addresses(world: World, who: str, text: str) -> str:
    """What is printed, as if both servers were at one address, and told errors in one form."""
    text = text.replace(world.urls[who], "URL").replace(world.bucket.endpoint, "BUCKET")
    for pattern, instead in (
        (r"(?<=\.eval)\?[^\s\"]*", "?signed"),
        (r"(?<=\"pk\": )\"[^\"]*\"", '"of a row"'),
        # The cluster of the peer has nothing that measures.
        (r"\n  \(status degraded: metrics\)", ""),
        (r"(?<=\"errors\": )\{\s*\"metrics\": \"(?:[^\"\\]|\\.)*\"\s*\}", "{}"),
    ):
        text = re.sub(pattern, instead, text)
    return text


def in_words(text: str) -> str:
    """What an error says, whichever of two forms it came in."""
    return re.sub(r"\b\d{3} ([A-Z][A-Za-z ]+)\n\{\"detail\":\"(.*?)\"\}", r"\1: \2", text)


def folder_of(world: World, who: str, name: str) -> pathlib.Path:
    """An empty folder with FILES."""
    folder = world.folder / f"run-{who}" / re.sub(r"\W", "_", name)
    shutil.rmtree(folder, ignore_errors=True)  # of the same command before
    folder.mkdir(parents=True)
    for file, value in FILES.items():
        (folder / file).write_text(filled(world, json.dumps(value)))
    return folder


def files_in(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file below a folder that was not there before."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in FILES)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def outcomes(world: World, command: str) -> list[dict]:
    """What comes of a command in front of each server, side by side."""
    folders = {who: folder_of(world, who, command) for who in world.clients}
    words = shlex.split(filled(world, command))
    done = world.program.run([client.task(*words, cwd=folders[who], env={"BROWSER": "true"}) for who, client in world.clients.items()])
    return [outcome(world, who, command, said, folders[who]) for who, said in zip(world.clients, done, strict=True)]


def outcome(world: World, who: str, command: str, done: dict, folder: pathlib.Path) -> dict:
    """What came of a command, comparable."""
    stdout = without_addresses(world, who, done["stdout"])
    if command.startswith("transcripts"):  # written side by side
        stdout = "\n".join(sorted(stdout.splitlines()))
    if command.startswith("human"):
        stdout = re.sub(r"\b\d{4}-\d\d-\d\dT\S+", "then", stdout)
    if "--json" in command and stdout:  # as what it means
        stdout = comparable(json.loads(stdout))
    return {"status": done["status"], "stdout": stdout, "stderr": in_words(without_addresses(world, who, done["stderr"])), "files": files_in(folder)}


def said(outcome: dict) -> str:
    """All that was printed, as text."""
    stdout = outcome["stdout"]
    return (stdout if isinstance(stdout, str) else json.dumps(stdout)) + outcome["stderr"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_does_what_it_does_in_front_of_its_own_server(world, command):
    ours, theirs = outcomes(world, command)
    if command not in DIFFERENT:
        assert ours == theirs
    else:
        part, _ = DIFFERENT[command]
        assert part in said(ours) and part not in said(theirs)


@pytest.fixture(scope="module")
def answers(world, tmp_path_factory) -> dict[str, list]:
    """What every method returns from both servers."""
    said = {}
    for who, url in world.urls.items():
        calls = json.loads(filled(world, json.dumps(CALLS)))
        done = subprocess.run(
            [str(world.peer), str(hawk_server.HERE / "hawk_methods.py")], text=True, capture_output=True, timeout=300,
            input=json.dumps({"url": url, "token": world.tokens["ada"], "calls": calls}), cwd=tmp_path_factory.mktemp(who), check=False,
        )
        assert done.returncode == 0, done.stderr
        said[who] = json.loads(without_addresses(world, who, done.stdout))
    return said


def name_of(call: list) -> str:
    """A call as one would write it."""
    return f"{call[0]}({', '.join([*map(str, call[1]), *(f'{name}={value}' for name, value in call[2].items())])})"


def comparable(value: object) -> object:
    """What was returned, without what names a row of one database, and what says nothing."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: in_words(item) if key == "text" else comparable(item) for key, item in value.items() if key != "pk"}
    return {key: item for key, item in kept.items() if item not in (None, {}, [])}


@pytest.mark.parametrize("i", range(len(CALLS)), ids=lambda i: name_of(CALLS[i]))
def test_a_method_of_the_client_returns_what_it_returns_from_its_own_server(answers, i):
    ours, theirs = comparable(answers["ours"][i]), comparable(answers["theirs"][i])
    if name_of(CALLS[i]) in DIFFERENT_CALLS:
        assert ours["raised"] == theirs["raised"] == "HawkAPIError" and ours["text"] != theirs["text"]
    else:
        assert ours == theirs


# --- what needs a cluster there ---


def test_a_submitted_eval_set_is_told_with_its_address(world):
    """Id and address, on standard output."""
    assert world.submitted.stdout.splitlines() == ["Eval set ID: ran", "See your eval set log: http://viewer.example/eval-set/ran"]


def old(world: World, *args: str, **env: str) -> subprocess.Popen:
    """The client in a process that can be sent signals, in front of our server."""
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(world.clients["ours"].home), "HAWK_API_URL": world.urls["ours"], "TZ": "UTC",
        "PYTHONUNBUFFERED": "1", "HAWK_ACCESS_TOKEN": world.tokens["ada"], **env,
    }
    return subprocess.Popen([str(world.peer.parent / "hawk"), *args], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, cwd=world.folder)


def test_logs_are_followed_until_one_has_enough(world):
    """What was said first, then whatever comes, until a signal."""
    child = old(world, "logs", "ran", "-f", "--poll-interval", "0.2")
    lines = []
    for line in child.stdout:
        lines.append(line)
        if "1 task done" in line:
            break
    while child.poll() is None:  # a signal is lost that comes before the client waits for it
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.5)
    lines += child.stdout.readlines()
    assert child.returncode in (0, 1, -signal.SIGINT), child.stderr.read()  # a second signal aborts, or finds Python at its end
    assert all(re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\] \[\w+ *\] ", line) for line in lines), lines


def state_of(world: World, job: str) -> dict:
    """What the server says of an eval set."""
    return world.ours.get(f"/monitoring/jobs/{job}/eval-set-status", token=world.tokens["ada"])[1]["data"]


@pytest.fixture(scope="module")
def running(world):
    """The id of an eval set on our server whose sample has begun and takes long."""
    secrets = [word for name in world.bucket.env for word in ("--secret", name)]
    config = config_of(ROOT, eval_set_id="stopped")
    config["tasks"][0]["items"] = [{"name": "slow", "args": {"seconds": 600}}]
    (world.folder / "stopped.yaml").write_text(json.dumps(config))
    done = world.clients["ours"].run("eval-set", "run", str(world.folder / "stopped.yaml"), *secrets, env=world.bucket.env)
    assert done.returncode == 0, done.stderr
    world.ours.wait_for(lambda: live(world.ours, "stopped").get("running"), 300)
    return "stopped"


def test_the_trace_of_a_running_job_is_shown(world, running):
    """Its last lines, all of it, as it is or in words."""
    client = world.clients["ours"]
    traced = client.run("trace", running, "--lines", "2")
    assert traced.returncode == 0 and len(traced.stdout.splitlines()) == 2, traced.stderr
    assert client.run("trace", running, "--full").stdout.count("\n") > 2
    raw = client.run("trace", running, "--lines", "1", "--raw").stdout.splitlines()
    assert len(raw) == 1 and all({"timestamp", "message"} <= json.loads(line).keys() for line in raw)


def test_where_a_running_job_is_is_shown(world, running):
    """As text and as JSON; native frames are refused in words."""
    client = world.clients["ours"]
    text = client.run("stacktrace", running)
    assert text.returncode == 0 and '"MainThread"' in text.stdout, text.stderr
    threads = json.loads(client.run("stacktrace", running, "--json").stdout)
    assert all({"pid", "thread_name", "os_thread_id", "frames"} <= thread.keys() for thread in threads) and any(thread["frames"] for thread in threads)
    native = client.run("stacktrace", running, "--native")
    assert native.returncode == 1 and "frames of native code are not known" in native.stderr


def test_a_job_is_resumed_stopped_and_deleted(world, running):
    """Each is silent or one line; and the id of before need not be said again. Whoever follows its trace is told of its end."""
    client = world.clients["ours"]
    secrets = [word for name in world.bucket.env for word in ("--secret", name)]
    ada = world.tokens["ada"]
    following = old(world, "trace", running, "-f", "-n", "1", "--poll-interval", "0.5")
    line = following.stdout.readline()
    assert re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\] \[", line), following.stderr.read()
    done = client.run("stop")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    watched = old(world, "watch", "stopped")
    out, err = watched.communicate(timeout=300)
    assert watched.returncode == 0 and state_of(world, running)["status"] == "complete", out + err
    out, err = following.communicate(timeout=60)
    assert following.returncode == 0 and "stopping trace follow" in err and out.count("\n") > 1, out + err
    done = client.run("eval-set", "resume", "stopped", *secrets, env=world.bucket.env)
    assert done.returncode == 0 and done.stdout.splitlines()[0] == "Resuming eval set: stopped", done.stderr
    done = client.run("delete", "stopped", "-y")
    assert (done.returncode, done.stdout.strip()) == (0, "Eval set stopped deleted."), done.stderr
    assert world.ours.get("/monitoring/jobs/stopped/job-status", token=ada)[1]["status"] == "deleted"


# --- scans ---


@pytest.fixture(scope="module")
def scan(world):
    """A scan that ran on our server, whose results both have."""
    world.run_scan()
    return world


def test_an_export_is_that_of_the_peer(scan):
    """What is said, and the file."""
    uuid = scan.postgresql.run("SELECT uuid FROM scanner_result ORDER BY scanner_key, transcript_id LIMIT 1", "ours").strip()
    ours, theirs = outcomes(scan, f"scan-export {uuid}")
    assert ours == theirs and len(ours["files"]) == 1


def test_a_submitted_scan_is_told_with_its_address(scan):
    """Id and address, on standard output."""
    assert scan.scanned.stdout.splitlines() == [f"Scan job ID: {scan.scan_id}", f"See your scan: http://viewer.example/scan/{scan.scan_id}"]


def test_the_list_of_scans_is_that_of_the_peer(scan):
    """But for the names of rows."""
    answers = []
    for url in scan.urls.values():
        request = urllib.request.Request(f"{url}/meta/scans", headers={"Authorization": f"Bearer {scan.tokens['ada']}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            answers.append(json.load(answer))
    for answer in answers:
        for item in answer["items"]:
            del item["pk"], item["created_at"]
    assert answers[0] == answers[1] and len(answers[0]["items"]) == 1


def test_rows_of_scans_are_those_of_the_peer(scan):
    """Column by column, but for keys and the times of the import."""
    for table, order in (("scan", "scan_id"), ("scanner_result", "uuid")):
        query = f"SELECT * FROM {table} ORDER BY {order}"
        ours, theirs = ([comparable_row(row) for row in scan.postgresql.rows(query, who)] for who in ("ours", "theirs"))
        differ = [(key, a.get(key), b.get(key)) for a, b in zip(ours, theirs, strict=True) for key in {*a, *b} if a.get(key) != b.get(key)]
        assert ours and differ == []


def comparable_row(row: dict) -> dict:
    """A row without keys of one database, times of its own, and what docs/warehouse.md says is another."""
    own = ("created_at", "updated_at", "first_imported_at", "last_imported_at", "search_tsv", "code_groups", "model_groups", "message_references",
           "event_references")
    return comparable({key: value for key, value in row.items() if key not in own and not key.endswith("_pk")})


def test_a_scan_is_resumed_and_deleted(scan):
    """What is complete is left as it is."""
    client = scan.clients["ours"]
    secrets = [word for name in scan.bucket.env for word in ("--secret", name)]
    done = client.run("scan", "resume", scan.scan_id, *secrets, env=scan.bucket.env)
    assert done.returncode == 0 and done.stdout.splitlines()[0] == f"Resuming scan: {scan.scan_id}", done.stderr
    done = client.run("delete", scan.scan_id, "-y")
    assert (done.returncode, done.stdout.strip()) == (0, f"Scan {scan.scan_id} deleted."), done.stderr


# --- what changes something: what both servers leave in the bucket ---


def both(world: World, *words: str, cwd: pathlib.Path | None = None) -> list[dict]:
    """What comes of the same command in front of ours, and then of theirs."""
    return [world.program.run([client.task(*words, cwd=cwd)])[0] for client in world.clients.values()]


def test_edits_of_samples_are_stored_as_by_its_own_server(world):
    """An object for each log, with a line for each edit; only uuids and times differ."""
    ada = world.tokens["ada"]
    sample = world.ours.get("/meta/samples?eval_set_id=ran", token=ada)[1]["items"][0]
    scorer = world.ours.get(f"/meta/samples/{sample['uuid']}/scores", token=ada)[1]["scores"][0]["scorer"]
    edits = [
        {"type": "score_edit", "scorer": scorer, "reason": "wrong", "value": "I"},
        {"type": "append_info_event", "source": "ada", "data": {"seen": True}},
        {"type": "invalidate_sample", "reason": "not like that"},
    ]
    file = world.folder / "edits.json"
    file.write_text(json.dumps([{"sample_uuid": sample["uuid"], "details": edit} for edit in edits]))
    stored = []
    for said in both(world, "edit-samples", str(file)):
        assert said["status"] == 0, said["stderr"]
        request = re.search(r"Request UUID: (\S+)", said["stdout"] + said["stderr"])[1]
        lines = {
            key.removeprefix(f"jobs/sample_edits/{request}/"): [json.loads(line) for line in world.bucket.get(key).splitlines()]
            for key in world.bucket.keys(f"jobs/sample_edits/{request}/")
        }
        for line in (line for of_log in lines.values() for line in of_log):
            assert line.pop("request_uuid") == request and line.pop("request_timestamp")
        stored.append((said["stdout"].replace(request, "UUID"), said["stderr"].replace(request, "UUID"), lines))
    ours, theirs = stored
    assert ours == theirs and sum(map(len, ours[2].values())) == len(edits)


UNRECORDED = "Code-source recording is unavailable; continuing without a source declaration.\n"
"""What is said in front of ours, which does not record where code came from."""


def test_a_log_is_imported_as_by_its_own_server(world):
    """What is said and what is left, but that ours names models with their provider; and an eval that is there already is refused."""
    outcomes = []
    for words in (("limits_tokens.eval", "--name", "of ada"), ("errors.eval",)):
        outcomes.append([])
        for said in both(world, "import", str(world.logs / words[0]), *words[1:], "-y"):
            text = (said["stdout"] + said["stderr"]).replace(UNRECORDED, "")
            ids = set(re.findall(r"imported-[a-z0-9-]+", text))
            left = {key.split("/", 2)[2]: world.bucket.get(key) for an_id in ids for key in world.bucket.keys(f"evals/{an_id}/")}
            kinds = {name: json.loads(data)["model_groups"] if name == ".models.json" else "a log" for name, data in left.items()}
            outcomes[-1].append((said["status"], re.sub(r"imported-[a-z0-9-]+", "ID", in_words(text)), kinds))
    (ours, theirs), (ours_again, theirs_again) = outcomes
    assert ours == theirs and ours[0] == 0
    assert ours_again[0] == theirs_again[0] == 1


# --- logging in ---

KEYRING = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"}


def log_in_with_a_code(world: World, home: pathlib.Path, url: str, provider: identity_provider.Provider) -> None:
    """`hawk login --device` of the old client."""
    child = old(world, "login", "--device", HOME=str(home), HAWK_API_URL=url, HAWK_ACCESS_TOKEN="", BROWSER="true", **KEYRING)
    said = []
    for line in child.stderr:
        said.append(line)
        if line.startswith("http"):
            identity_provider.Browser(provider, "bob").enter_code(line.strip())
    assert child.wait(120) == 0, "".join(said)


def test_the_old_client_logs_in_with_a_browser(world, tmp_path):
    """With PKCE; and then commands are let in."""
    env = {"HOME": str(tmp_path), "HAWK_ACCESS_TOKEN": "", "BROWSER": "echo", **KEYRING}
    child = old(world, "login", **env)
    address = next(word for line in child.stdout for word in line.split() if word.startswith("http"))
    assert "code_challenge_method=S256" in address
    with urllib.request.urlopen(identity_provider.Browser(world.provider, "bob").authorize(address), timeout=60) as page:
        assert page.status == 200
    assert child.wait(120) == 0, child.stderr.read()
    listed = old(world, "list", "jobs", **env)
    out, err = listed.communicate(timeout=120)
    assert listed.returncode == 0, err
    assert "ran" not in out  # it is ada's


def test_the_old_client_renews_its_tokens(world, tmp_path, cache):
    """It logs in with a code; tokens that are about to expire are renewed at each command, and refresh tokens change."""
    short = identity_provider.Provider(access_token_seconds=200)
    hawk = Hawk(tmp_path, cache)
    hawk.env.update(short.settings())
    try:
        hawk.start()
        home = tmp_path / "bob"
        home.mkdir()
        log_in_with_a_code(world, home, hawk.url, short)
        kept = home / ".local/share/python_keyring/keyring_pass.cfg"
        seen = {kept.read_text()}
        for _ in range(2):
            done = old(world, "list", "jobs", HOME=str(home), HAWK_API_URL=hawk.url, HAWK_ACCESS_TOKEN="", **KEYRING)
            _, err = done.communicate(timeout=120)
            assert done.returncode == 0, err
            seen.add(kept.read_text())
        assert len(seen) == 3
    finally:
        hawk.stop()
        short.close()
