"""Editing samples of finished logs: with the real Inspect, through the API and the command line."""

import contextlib
import json
import os
import pathlib
import random
import signal
import time
import zipfile

import pytest
import shortuuid
from conftest import ROOT, Hawk
from inspect_ai.log import edit_score, read_eval_log, write_eval_log
from inspect_ai.scorer._metric import ScoreEdit
from test_jobs_survive import config_of

pytestmark = pytest.mark.timeout(1500)
N_KILLS = int(os.environ.get("HAWK_KILLS", "4"))
NAME = "2026-01-02T03-04-05-00-00_tools_abcdefghijklmnopqrstuv.eval"


class Room:
    """A server with eval sets of one log each, copies of one that Inspect has made."""

    def __init__(self, hawk: Hawk, source):
        self.hawk, self.source = hawk, source

    def path(self, eval_set: str):
        return self.hawk.data / "store/evals" / eval_set / NAME

    def add(self, eval_set: str, change=lambda log: None) -> dict[tuple[str, int], str]:
        """Put a log there, with uuids of its own; return them by id and epoch."""
        log = read_eval_log(str(self.source))
        log.eval.metadata = {**(log.eval.metadata or {}), "eval_set_id": eval_set}
        log.eval.eval_id, log.eval.run_id = shortuuid.uuid(), shortuuid.uuid()
        for sample in log.samples:
            sample.uuid = shortuuid.uuid()
        change(log)
        path = self.path(eval_set)
        path.parent.mkdir(parents=True)
        write_eval_log(log, str(path.with_suffix(".new")), format="eval")
        path.with_suffix(".new").rename(path)
        return self.uuids(eval_set)

    def uuids(self, eval_set: str) -> dict[tuple[str, int], str]:
        """The uuids of the samples once they are known to the server."""
        items = self.hawk.wait_for(lambda: self.hawk.get(f"/meta/samples?eval_set_id={eval_set}&limit=100")[1]["items"])
        return {(item["id"], item["epoch"]): item["uuid"] for item in items}

    def log(self, eval_set: str):
        return read_eval_log(str(self.path(eval_set)))

    def sample(self, eval_set: str, uuid: str):
        return next(sample for sample in self.log(eval_set).samples if sample.uuid == uuid)

    def post(self, edits: list[dict], path="/meta/sample_edits", member="edits"):
        """Send a request; return (status, answer)."""
        status, _, body = self.hawk.request("POST", path, {member: edits})
        return status, json.loads(body)

    def wait(self, request: str) -> dict:
        """Wait until a request is over and imported; return what the server says about it."""

        def over():
            answer = self.hawk.get(f"/meta/sample_edits/{request}")[1]
            states = [(log["state"], log["import_status"]) for log in answer["logs"]]
            return answer if all(s == "failed" or (s == "done" and i == "success") for s, i in states) else None

        return self.hawk.wait_for(over, 900)

    def apply(self, *edits: dict, **kwargs) -> dict:
        """Send edits and wait until all are done."""
        status, answer = self.post(list(edits), **kwargs)
        assert status == 202, answer
        answer = self.wait(answer["request_uuid"])
        assert answer["state"] == "done", answer
        return answer


def edit(uuid: str, kind: str, **details) -> dict:
    return {"sample_uuid": uuid, "details": {"type": kind, **details}}


@pytest.fixture(scope="module")
def room(tmp_path_factory, cache, logs):
    """The server that all tests here share."""
    hawk = Hawk(tmp_path_factory.mktemp("edits"), cache).start()
    yield Room(hawk, logs / "tools.eval")
    hawk.stop()


def metrics(log) -> str:
    """What the metrics and the reductions of a log say; as text, for there may be NaN in them."""
    reduced = [[(s.sample_id, s.value, s.answer, s.explanation, s.metadata) for s in r.samples] for r in log.reductions]
    return repr((log.results, reduced))


def test_a_score_edit_is_what_inspect_makes_of_it(room):
    """Score, history, metrics and reductions are those of edit_score; all other samples stay as they were."""
    uuid = room.add("score")["plain", 1]
    before = room.log("score")
    room.apply(edit(uuid, "score_edit", scorer="exact", reason="it was wrong", value="I", explanation="so"))
    after = room.log("score")
    wanted = read_eval_log(str(room.source))
    edit_score(wanted, "plain", "exact", ScoreEdit(value="I", explanation="so"), epoch=1)
    assert metrics(after) == metrics(wanted) != metrics(before)
    score = room.sample("score", uuid).scores["exact"]
    assert (score.value, score.answer, score.explanation) == ("I", "done", "so")
    assert [edit.value for edit in score.history] == ["C", "I"]
    assert score.history[1].provenance.reason == "it was wrong" and score.history[1].provenance.author
    others = {s.uuid: repr(s) for s in before.samples if s.uuid != uuid}
    assert {s.uuid: repr(s) for s in after.samples if s.uuid != uuid} == others
    stored = room.hawk.get(f"/meta/samples/{uuid}/scores")[1]["scores"]
    assert [s["value"] for s in stored if s["scorer"] == "exact"] == ["I"]


@pytest.mark.parametrize(
    ("field", "value"), [("value", {"a": 1, "b": None}), ("answer", None), ("explanation", "new"), ("metadata", {"k": [1]})]
)
def test_a_field_that_is_not_named_is_unchanged(room, field, value):
    """Only the one that is given changes."""
    name = f"only-{field}"
    uuid = room.add(name)["7", 2]
    before = room.sample(name, uuid).scores["exact"]
    room.apply(edit(uuid, "score_edit", scorer="exact", reason="r", **{field: value}))
    after = room.sample(name, uuid).scores["exact"]
    fields = ("value", "answer", "explanation", "metadata")
    assert {f: getattr(after, f) for f in fields} == {**{f: getattr(before, f) for f in fields}, field: value}


def test_a_score_may_be_new(room):
    """A scorer that the sample did not have, once there is a value."""
    uuids = room.add("new-score")
    room.apply(edit(uuids["plain", 1], "score_edit", scorer="human", reason="r", value=0.5))
    assert room.sample("new-score", uuids["plain", 1]).scores["human"].value == 0.5
    bytes_before = room.path("new-score").read_bytes()
    status, answer = room.post([
        edit(uuids["plain", 2], "score_edit", scorer="exact", reason="r", value="I"),
        edit(uuids["plain", 2], "score_edit", scorer="nobody", reason="r", answer="x"),
    ])
    assert status == 202
    (log,) = room.wait(answer["request_uuid"])["logs"]
    assert log["state"] == "failed" and "nobody" in log["reason"]
    assert room.path("new-score").read_bytes() == bytes_before, "all edits of a log or none"


def test_a_sample_is_declared_invalid_and_valid_again(room):
    """With author and reason; the log says so as well, and so does the list of samples."""
    uuid = room.add("invalid")["plain", 1]

    def listed():
        items = room.hawk.get("/meta/samples?eval_set_id=invalid&limit=100")[1]["items"]
        return next((i["is_invalid"], i["invalidation_reason"]) for i in items if i["uuid"] == uuid)

    room.apply(edit(uuid, "invalidate_sample", reason="contaminated"))
    assert room.log("invalid").invalidated
    invalidation = room.sample("invalid", uuid).invalidation
    assert invalidation.reason == "contaminated" and invalidation.author
    assert listed() == (True, "contaminated")
    shown = room.hawk.run("list", "samples", "invalid").stdout.splitlines()
    assert [line.split()[0] for line in shown if " success (invalid) " in line] == [uuid]
    assert f"- Declared invalid: by {invalidation.author}, " in room.hawk.run("transcript", uuid).stdout
    rows = [json.loads(line) for line in room.hawk.run("export", "scores", "invalid", "--format", "ndjson").stdout.splitlines()]
    assert {row["sample_id"] for row in rows if row["is_invalid"]} == {uuid} < {row["sample_id"] for row in rows}
    room.apply(edit(uuid, "uninvalidate_sample"))
    assert not room.log("invalid").invalidated and room.sample("invalid", uuid).invalidation is None
    assert listed() == (False, None)


def test_events_are_added_at_the_end(room):
    """Info and score events, through the routes of their own and through the common one; scores and metrics stay."""
    uuid = room.add("events")["plain", 1]
    before = room.log("events")
    n = len(room.sample("events", uuid).events)
    info = {"sample_uuid": uuid, "source": "me", "data": {"a": [1, None, "x"]}}
    room.apply(info, info, path="/meta/append_info_events", member="events")
    score = {"sample_uuid": uuid, "scorer": "judge", "score": {"value": {"x": 1}, "answer": "a"}, "intermediate": True}
    room.apply(score, path="/meta/append_score_events", member="events")
    room.apply(edit(uuid, "append_info_event", source="you", data={"a": None}))
    added = room.sample("events", uuid).events[n:]
    assert [event.event for event in added] == ["info", "info", "score", "info"]
    assert [added[i].source for i in (0, 1, 3)] == ["me", "me", "you"]
    assert added[0].data == info["data"] and added[3].data == {"a": None}
    assert (added[2].score.value, added[2].intermediate, added[2].scorer) == ({"x": 1}, True, "judge")
    assert len({event.uuid for event in added}) == 4
    assert metrics(room.log("events")) == metrics(before)


def test_a_request_may_be_about_several_logs(room):
    """Each gets its own edits, and is told of on its own."""
    uuids = {name: room.add(name) for name in ("many-1", "many-2", "many-3")}
    answer = room.apply(
        *(edit(uuid, "append_info_event", source="all", data=name)
          for name, samples in uuids.items() for uuid in samples.values()),
        edit(uuids["many-2"]["plain", 1], "invalidate_sample", reason="r"),
    )
    assert {log["eval_set_id"]: log["edit_count"] for log in answer["logs"]} == {"many-1": 14, "many-2": 15, "many-3": 14}
    for name in uuids:
        assert all(sample.events[-1].data == name for sample in room.log(name).samples)
    assert [room.log(name).invalidated for name in uuids] == [False, True, False]


def test_metrics_of_packages_that_are_not_there_stay(room):
    """The score changes, the metrics do not, and the request says so."""

    def change(log):
        log.eval.scorers[0].metrics[0].name = "somewhere/metric"

    uuid = room.add("foreign", change)["plain", 1]
    before = room.log("foreign")
    answer = room.apply(edit(uuid, "score_edit", scorer="exact", reason="r", value="I"))
    assert metrics(room.log("foreign")) == metrics(before)
    assert room.sample("foreign", uuid).scores["exact"].value == "I"
    assert "metrics stay as they were" in answer["logs"][0]["reason"]


def test_the_file_of_a_task_that_a_log_names_is_not_run(room, tmp_path):
    """A log from elsewhere must not choose what is run here."""
    trap, sprung = tmp_path / "task.py", tmp_path / "sprung"
    trap.write_text(f"open({str(sprung)!r}, 'w').close()\n")

    def change(log):
        log.eval.task_file = str(trap)
        log.eval.scorers[0].metrics[0].name = "somewhere/metric"

    uuid = room.add("trap", change)["plain", 1]
    room.apply(edit(uuid, "score_edit", scorer="exact", reason="r", value="I"))
    assert not sprung.exists() and room.log("trap").eval.task_file == str(trap)


def test_a_log_that_was_never_finished_is_not_edited(room, logs):
    """What it needs first is said."""
    path = room.path("crashed")
    path.parent.mkdir()
    with zipfile.ZipFile(logs / "crashed.eval") as old, zipfile.ZipFile(path.with_suffix(".new"), "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename == "_journal/start.json":
                start = json.loads(data)
                start["eval"]["metadata"] = {"eval_set_id": "crashed"}
                start["eval"]["eval_id"] = shortuuid.uuid()
                data = json.dumps(start).encode()
            new.writestr(info.filename, data)
    path.with_suffix(".new").rename(path)
    uuid = next(iter(room.uuids("crashed").values()))
    _, answer = room.post([edit(uuid, "invalidate_sample", reason="r")])
    (log,) = room.wait(answer["request_uuid"])["logs"]
    assert log["state"] == "failed" and "never finished" in log["reason"]


def test_an_edit_that_inspect_cannot_take_fails_at_once(room):
    """Trying it again would keep other edits of the log waiting for nothing."""
    uuid = room.add("toolarge")["plain", 1]
    _, answer = room.post([edit(uuid, "score_edit", scorer="exact", reason="r", value=10**400)])
    (log,) = room.wait(answer["request_uuid"])["logs"]
    assert log["state"] == "failed" and "OverflowError" in log["reason"]
    statement = f"SELECT attempts FROM sample_edit WHERE request_uuid = '{answer['request_uuid']}'"
    assert json.loads(room.hawk.request("POST", "/meta/sql", {"sql": statement})[2])["rows"] == [[1]]


@pytest.mark.parametrize(
    ("edits", "status", "says"),
    [
        ([], 422, "1 to 1000"),
        ([{"sample_uuid": "x"}], 422, "edits[0].details"),
        ([edit("x", "score_edit", scorer="s")], 422, "edits[0].details.reason"),
        ([edit("x", "score_edit", scorer="s", reason="r", value=None)], 422, "edits[0].details.value"),
        ([edit("x", "append_info_event", source="s", data=None)], 422, "edits[0].details.data"),
        ([edit("x", "wrong")], 422, "edits[0].details.type"),
        ([edit("x", "invalidate_sample", reason="r")] * 2, 400, "edits[0] and edits[1]"),
        ([edit("x", "invalidate_sample", reason="r")], 404, "x"),
        ([edit("x", "append_info_event", source="s", data=1)] * 1001, 422, "1001"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(room, edits, status, says):
    """Status, and where it is."""
    code, answer = room.post(edits)
    assert code == status and says in answer["detail"], answer


def test_titles_are_those_that_clients_know(room):
    """Duplicates and unknown samples."""
    assert room.post([edit("x", "invalidate_sample", reason="r")] * 2)[1]["title"] == "Duplicate sample edits"
    assert room.post([edit("x", "invalidate_sample", reason="r")])[1]["title"] == "Sample(s) not found"
    assert room.hawk.get("/meta/sample_edits/none")[0] == 404


def test_the_command_line_sends_and_waits(room, tmp_path):
    """What it prints, and that the edits are in the log when it ends."""
    uuids = room.add("cli")
    lines = tmp_path / "edits.jsonl"
    lines.write_text(
        json.dumps(edit(uuids["plain", 1], "score_edit", scorer="exact", reason="r", value="I")) + "\n\n"
        + json.dumps(edit(uuids["plain", 2], "invalidate_sample", reason="r")) + "\n"
    )
    done = room.hawk.run("edit-samples", str(lines), "--wait", timeout=900)
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("Submitting 2 sample edit(s)...", "Edit request submitted successfully.")
    assert third.startswith("Request UUID: ")
    assert done.stderr.splitlines()[-1].startswith(f"{NAME}: done")
    assert room.log("cli").invalidated
    document = tmp_path / "edits.json"
    document.write_text(json.dumps([edit(uuids["plain", 2], "uninvalidate_sample")]))
    answer = room.hawk.json("edit-samples", str(document), "--wait", timeout=900)
    assert answer["state"] == "done" and not room.log("cli").invalidated
    document.write_text(json.dumps([edit(uuids["plain", 2], "score_edit", scorer="none", reason="r")]))
    failed = room.hawk.run("edit-samples", str(document), "--wait", check=False, timeout=900)
    assert failed.returncode == 1 and "Cannot add new score" in failed.stderr


def test_the_command_line_shows_every_mistake_with_its_line(home, tmp_path):
    """Nothing is sent, and no server is started for it."""
    good = json.dumps(edit("x", "invalidate_sample", reason="r"))
    path = tmp_path / "edits.jsonl"
    path.write_text(f'{good}\n\n{{"sample_uuid"\n{json.dumps(edit("y", "score_edit", scorer="s", reason="r", valeu=1))}\n')
    done = home.run("edit-samples", str(path), check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert f"{path}:3:" in done.stderr and f"{path}:4:" in done.stderr and "valeu" in done.stderr
    path.write_text(f"{good}\n\n{good}\n")
    error = json.loads(home.run("edit-samples", str(path), "--json", check=False).stderr)["error"]
    assert [item["line"] for item in error["diagnostics"]] == [3] and "line 1" in error["diagnostics"][0]["message"]
    for name, text in (("a.txt", good), ("b.json", "[]"), ("c.jsonl", "\n")):
        (tmp_path / name).write_text(text)
        assert home.run("edit-samples", str(tmp_path / name), check=False).returncode == 2
    assert not home.data.exists()


def test_the_edits_of_an_eval_set_that_runs_wait_for_its_end(hawk):
    """Accepted at once, and applied when no run writes there any more."""
    config = config_of(ROOT, eval_set_id="running")
    config["tasks"][0]["items"] = [{"name": "hello", "args": {"samples": 2}}, {"name": "slow", "args": {"seconds": 600}}]
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config})
    assert status == 200, body

    def finished():
        items = hawk.get("/meta/samples?eval_set_id=running&limit=100")[1]["items"]
        return next((i["uuid"] for i in items if "hello" in i["task_name"] and not i["is_provisional"]), None)

    uuid = hawk.wait_for(finished, 600)
    room = Room(hawk, None)
    status, answer = room.post([edit(uuid, "invalidate_sample", reason="r")])
    assert status == 202
    request = f"/meta/sample_edits/{answer['request_uuid']}"
    log = hawk.wait_for(lambda: next((l for l in hawk.get(request)[1]["logs"] if l["reason"]), None))
    assert log["state"] == "pending" and "eval set running is over" in log["reason"]
    hawk.request("POST", "/eval_sets/running/stop", {"action": "score"})
    assert room.wait(answer["request_uuid"])["state"] == "done"
    assert hawk.get("/monitoring/jobs/running/job-status")[1]["status"] in {"complete", "failed"}


def edit_processes(hawk) -> list[int]:
    """The pids of editors and their workers."""
    pids = []
    for pid in hawk.runners():
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"edit" in command:
            pids.append(pid)
    return pids


def test_kills_of_server_and_editor_apply_each_request_once(home, logs):
    """Whatever is killed when, each request that was answered is in the log once."""
    rng = random.Random(11)
    room = Room(home.start(), logs / "tools.eval")
    samples = {name: room.add(name)["plain", 1] for name in ("kill-1", "kill-2")}
    sent: list[tuple[str, str]] = []
    for i in range(N_KILLS):
        for name, uuid in samples.items():
            if len(sent) < 12 and rng.random() < 0.6:
                try:
                    status, answer = room.post([
                        edit(uuid, "append_info_event", source="kill", data=len(sent)),
                        edit(uuid, "score_edit", scorer="exact", reason=str(len(sent)), explanation=str(len(sent))),
                    ])
                except OSError:
                    continue
                assert status == 202, answer
                sent.append((name, answer["request_uuid"]))
        time.sleep(rng.uniform(0.1, 4))
        editors = edit_processes(home)
        if editors and rng.random() < 0.5:
            for pid in rng.sample(editors, 1):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            home.kill()
            home.start()
    for _, request in sent:
        assert room.wait(request)["state"] == "done"
    for name, uuid in samples.items():
        sample = room.sample(name, uuid)
        wanted = [request for place, request in sent if place == name]
        events = [e.metadata["request_uuid"] for e in sample.events if e.event == "info" and e.source == "kill"]
        assert events == wanted
        history = [e.provenance.metadata["request_uuid"] for e in sample.scores["exact"].history if e.provenance]
        assert history == wanted
    home.wait_for(lambda: not list((home.data / "edits").iterdir()))


def test_edits_of_a_log_in_a_bucket(postgresql, bucket, logs, tmp_path, cache):
    """With PostgreSQL and S3 as with a folder and SQLite."""
    hawk = Hawk(tmp_path, cache)
    hawk.env.update(
        bucket.environment(), HAWK_API_DATABASE_URL=postgresql.url(postgresql.make("edits")), HAWK_API_S3_BUCKET_NAME=bucket.name
    )
    try:
        room = Room(hawk.start(), None)
        eval_set = hawk.json("import", str(logs / "tools.eval"))["eval_set_id"]
        uuid = room.uuids(eval_set)["plain", 1]
        room.apply(edit(uuid, "score_edit", scorer="exact", reason="r", value="I"), edit(uuid, "invalidate_sample", reason="r"))
        scores = hawk.get(f"/meta/samples/{uuid}/scores")[1]["scores"]
        assert [score["value"] for score in scores if score["scorer"] == "exact"] == ["I"]
        (item,) = [i for i in hawk.get(f"/meta/samples?eval_set_id={eval_set}&limit=100")[1]["items"] if i["uuid"] == uuid]
        assert item["is_invalid"] and item["invalidation_reason"] == "r"
    finally:
        hawk.stop()
