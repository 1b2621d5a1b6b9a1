"""Where in a transcript something is: the viewer's search, held against Inspect Scout's own on the same logs."""

import base64
import json
import shutil
import subprocess

import pytest

import hawk_peer

NAMES = ["agents", "every_event", "texts", "scores"]
# Scout writes results of tools that are lists of contents as Python shows its objects: tools are asked about elsewhere.
BOTH = {"messages": "all", "events": ["model", "error", "info", "logger", "approval", "sentinel", "store"]}
TOOLS = [
    {"type": "grep", "query": "e", "messages": "all", "events": "all"},
    {"type": "grep", "query": r"o|l|: \w", "regex": True, "word_boundary": True, "events": ["tool"]},
]
QUESTIONS = [
    {"type": "grep", "query": "e", **BOTH},
    {"type": "grep", "query": "THE", "messages": "all"},
    {"type": "grep", "query": "The", "ignore_case": False, **BOTH},
    {"type": "grep", "query": "a", "word_boundary": True, **BOTH},
    {"type": "grep", "query": r"\w+\(", "regex": True, **BOTH},
    {"type": "grep", "query": "x*", "regex": True, "messages": ["user"]},
    {"type": "grep", "query": "o|l", "regex": True, "word_boundary": True, "events": ["model", "info"]},
    {"type": "grep", "query": "assistant:\n", "messages": ["assistant", "tool"]},
    {"type": "grep", "query": "nothing has this", **BOTH},
    {"type": "grep", "query": "e"},
]


@pytest.fixture(scope="module")
def filled(shared, odd_logs):
    """A server with logs of many kinds of messages and events."""
    folder = shared.data / "store/evals/odd"
    folder.mkdir(parents=True)
    for name in NAMES:
        shutil.copyfile(odd_logs / f"{name}.eval", folder / f"{name}.eval")
    shared.wait_imported()
    return shared


def encoded(folder: str) -> str:
    return base64.urlsafe_b64encode(folder.encode()).decode().rstrip("=")


def search(hawk, uuid: str, body, folder: str = "odd", base: str = "/view/logs"):
    status, _, answer = hawk.request("POST", f"{base}/scout/transcripts/{encoded(folder)}/{uuid}/search", body)
    return status, json.loads(answer)


def uuids(hawk) -> list[str]:
    return [item["uuid"] for item in hawk.get("/meta/samples?eval_set_id=odd&limit=500")[1]["items"]]


def chosen(hawk) -> dict[str, str]:
    """A sample of each log."""
    return {item["filename"].removesuffix(".eval"): item["uuid"] for item in hawk.get("/meta/samples?eval_set_id=odd&limit=500")[1]["items"]}


def told(answer: dict) -> dict:
    """What is the same whoever looks."""
    return {"id": answer["id"], **{key: value for key, value in answer["result"].items() if key != "uuid"}}


def test_places_are_those_that_scout_finds(filled, peer, tmp_path):
    """With the same ids, counts, words around them and references, in messages and events of every kind."""
    uuid_of = chosen(filled)
    asked = [[uuid, question] for uuid in uuid_of.values() for question in QUESTIONS]
    asked += [[uuid_of["agents"], question] for question in TOOLS]
    (tmp_path / "questions").write_text(json.dumps(asked))
    program = hawk_peer.HERE / "scout_search.py"
    scout = subprocess.run([peer, program, filled.data / "store/evals/odd", tmp_path / "questions"], stdout=subprocess.PIPE,
                           text=True, check=True, timeout=300)
    expected = json.loads(scout.stdout.splitlines()[-1])
    n_found = 0
    for (uuid, question), (status, answer) in zip(asked, expected, strict=True):
        got = search(filled, uuid, question)
        assert (got[0], told(got[1])) == (status, told(answer)), (uuid, question)
        n_found += answer["result"]["value"]
    assert n_found > 100


def test_what_was_looked_for_is_kept_for_whoever_did(filled):
    """The newest first, each once; and its result can be had again."""
    uuid = uuids(filled)[0]
    for query in ("one", "two", "one"):
        _, answer = search(filled, uuid, {"type": "grep", "query": query, "messages": "all", "events": "all"})
    items = filled.get("/view/logs/scout/searches?type=grep&count=2")[1]["items"]
    assert [item["query"] for item in items] == ["one", "two"] and items[0]["search_id"] == answer["id"]
    again = filled.get(f"/view/logs/scout/transcripts/{encoded('odd')}/{uuid}/searches/{answer['id']}?messages=all&events=all")
    assert again[0] == 200 and {**again[1], "uuid": 0} == {**answer["result"], "uuid": 0}
    assert filled.get("/view/logs/scout/searches?type=llm")[1] == {"items": []}


def test_a_model_is_not_asked(filled):
    """The server calls none; the answer says so and what to do."""
    status, answer = search(filled, uuids(filled)[0], {"type": "llm", "query": "q", "model": "mockllm/model", **BOTH})
    assert status == 501 and "calls no models" in answer["detail"] and "hawk scan run" in answer["detail"]


@pytest.mark.parametrize(("body", "status"), [
    ({"query": "q"}, 422),
    ({"type": "grep"}, 422),
    ({"type": "grep", "query": 1}, 422),
    ({"type": "grep", "query": "q", "more": 1}, 422),
    ({"type": "grep", "query": "q", "model": "m"}, 422),
    ({"type": "grep", "query": "q", "messages": "some"}, 422),
    ({"type": "grep", "query": "q", "regex": "yes"}, 422),
    ({"type": "grep", "query": "(", "regex": True}, 400),
    ({"type": "grep", "query": "(.*)*(.*)*(.*)*x\\1", "regex": True, **BOTH}, 400),
])
def test_a_search_that_cannot_be_done_is_refused(filled, body, status):
    """Whatever it is that it lacks or has too much of."""
    assert search(filled, uuids(filled)[0], body)[0] == status


def test_a_transcript_that_is_not_there_is_not_found(filled):
    """Neither one that is nowhere nor one of another folder."""
    body = {"type": "grep", "query": "q", **BOTH}
    assert search(filled, "nowhere", body)[0] == 404
    assert search(filled, uuids(filled)[0], body, folder="set-2")[0] == 404
    assert search(filled, uuids(filled)[0], body, base="/api")[0] == 200
