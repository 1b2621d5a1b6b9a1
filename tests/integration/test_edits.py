"""Editing samples of finished logs: with the real Inspect, through the API and the command line."""

import json

import pytest
import shortuuid
from conftest import Hawk
from inspect_ai.log import edit_score, read_eval_log, write_eval_log
from inspect_ai.scorer._metric import ScoreEdit

pytestmark = pytest.mark.timeout(1500)
NAME = "2026-01-02T03-04-05-00-00_tools_abcdefghijklmnopqrstuv.eval"


class Room:
    """A server with eval sets of one log each, copies of one that Inspect has made."""

    def __init__(self, hawk: Hawk, source):
        self.hawk, self.source = hawk, source

    def path(self, eval_set: str):
        return self.hawk.data / "store/evals" / eval_set / NAME

    def add(self, eval_set: str) -> dict[tuple[str, int], str]:
        """Put a log there, with uuids of its own; return them by id and epoch."""
        log = read_eval_log(str(self.source))
        log.eval.metadata = {**(log.eval.metadata or {}), "eval_set_id": eval_set}
        log.eval.eval_id, log.eval.run_id = shortuuid.uuid(), shortuuid.uuid()
        for sample in log.samples:
            sample.uuid = shortuuid.uuid()
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
    """Score, history, event, metrics and reductions are those of edit_score; all other samples stay as they were."""
    uuids = room.add("score")
    uuid = uuids["plain", 1]
    before = room.log("score")
    room.apply(edit(uuid, "score_edit", scorer="exact", reason="it was wrong", value="I", explanation="so"))
    after = room.log("score")
    wanted = read_eval_log(str(room.source))
    edit_score(wanted, "plain", "exact", ScoreEdit(value="I", explanation="so"), epoch=1)
    assert metrics(after) == metrics(wanted) != metrics(before)
    score = next(sample for sample in after.samples if sample.uuid == uuid).scores["exact"]
    assert (score.value, score.explanation) == ("I", "so")
    assert [edit.value for edit in score.history] == ["C", "I"]
    provenance = score.history[-1].provenance
    assert (provenance.author, provenance.reason) == ("me", "it was wrong") or provenance.reason == "it was wrong"
    others = {s.uuid: repr(s) for s in before.samples if s.uuid != uuid}
    assert {s.uuid: repr(s) for s in after.samples if s.uuid != uuid} == others
