"""What Inspect's viewer asks for, held against the description that Inspect's own server has of it."""

import json
import pathlib

import inspect_ai
import jsonschema_rs
import pytest

import one_log

DOCUMENT = json.loads((pathlib.Path(inspect_ai.__file__).parent / "_view/inspect-openapi.json").read_text())
NAME = "2026-01-01T00-00-00+00-00_one_abc.eval"
LOG = f"set%2F{NAME.replace('+', '%2B')}"
ANSWERS = {
    "/app-config": "/app-config",
    "/eval-set": "/eval-set?log_dir=set",
    "/events": "/events?last_eval_time=0",
    "/log-dir": "/log-dir?log_dir=set",
    "/log-files": "/log-files?log_dir=set",
    "/log-headers": f"/log-headers?file={LOG}",
    "/log-info/{log}": f"/log-info/{LOG}",
    "/log-size/{log}": f"/log-size/{LOG}",
    "/logs": "/logs?log_dir=set",
    "/logs/{log}": f"/logs/{LOG}",
    "/user-info": "/user-info",
    "/log-bytes/{log}": f"/log-bytes/{LOG}?start=0&end=10",
    "/log-download/{log}": f"/log-download/{LOG}",
    "/scout/searches": "/scout/searches?type=grep",
}
# Types without an address; what a server of many never does; what only a running log has; what is tested elsewhere.
OTHERS = {
    "/chat-message", "/citation", "/content", "/event", "/tool-choice",
    "/flow", "/log-delete/{log}", "/log-edit/{log}", "/log-message",
    "/pending-samples", "/pending-sample-data", "/pending-sample-data-urls",
    "/scout/transcripts/{dir}/{id}/search", "/scout/transcripts/{dir}/{id}/searches/{search_id}",
}


@pytest.fixture(scope="module")
def viewed(shared, tmp_path_factory):
    """A server with a log of an eval set."""
    place = shared.data / "store/evals/set"
    place.mkdir(parents=True)
    (place / NAME).write_bytes(one_log.make(tmp_path_factory.mktemp("viewed"), "seen"))
    (place / "eval-set.json").write_text(json.dumps({"eval_set_id": "set", "tasks": []}))
    return shared


def test_every_address_of_the_viewer_is_known():
    """One that a newer Inspect adds has to be thought about."""
    assert set(DOCUMENT["paths"]) == set(ANSWERS) | OTHERS


@pytest.mark.parametrize("path", ANSWERS)
@pytest.mark.parametrize("base", ["/view/logs", "/api"])
def test_an_answer_is_as_inspect_says(viewed, base, path):
    """With every member that the viewer may rely on, of the type that it expects."""
    status, headers, body = viewed.request("GET", base + ANSWERS[path])
    assert status == 200
    schema = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    if not schema:  # bytes
        assert headers["Content-Type"] == "application/octet-stream"
        return
    validator = jsonschema_rs.Draft202012Validator({"allOf": [schema], "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(json.loads(body))] == []
