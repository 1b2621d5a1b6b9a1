"""Requests that Schemathesis makes up from /openapi.json: no answer is a failure of the server, each is as the document says.

HAWK_TEST_REQUESTS_SECONDS says for how long (default: 20), HAWK_TEST_REQUESTS_SEED which ones (default: 1).
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import one_log
from conftest import Hawk
from issuer import Issuer

CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,"
          "ignored_auth")
NAME = "2026-01-01T00-00-00+00-00_seen-task_abc.eval"


@pytest.fixture(scope="module")
def server(tmp_path_factory, cache):
    """A server with one log, where no model may be run and an administrator sees everything; and his token."""
    folder = tmp_path_factory.mktemp("any")
    issuer = Issuer()
    hawk = Hawk(folder, cache)
    hawk.env.update(issuer.settings(), HAWK_API_MAX_REQUESTS_PER_SECOND="0")
    place = hawk.data / "store/evals/seen"
    place.mkdir(parents=True)
    (place / NAME).write_bytes(one_log.make(folder / "logs", "seen", eval_set_id="seen"))
    (place / ".models.json").write_text('{"model_names": ["m"], "model_groups": ["g"]}')
    hawk.start()
    token = issuer.token("admin", ["g", "hawk-admin"])
    try:
        hawk.wait_for(lambda: hawk.get("/meta/samples", token=token)[1]["items"])
        yield hawk, token
    finally:
        hawk.stop()
        issuer.close()


def test_no_request_makes_the_server_fail(server, tmp_path):
    """Right ones and wrong ones, of every route."""
    hawk, token = server
    seconds = int(os.environ.get("HAWK_TEST_REQUESTS_SECONDS", "20"))
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    done = subprocess.run(
        # What says 503 on purpose is left out (tests/integration/test_server.py has it).
        [program, "run", f"{hawk.url}/openapi.json", "--exclude-path-regex", r"^/schema\.", "--header", f"Authorization: Bearer {token}", "--checks", CHECKS, "--no-color",
         "--phases", "coverage,fuzzing", "--max-time", str(seconds), "--seed", os.environ.get("HAWK_TEST_REQUESTS_SEED", "1"),
         "--continue-on-failure", "--generation-database", "none", "--warnings", "off", "--request-timeout", "60", "--workers", "2",
         "--report-json-path", str(tmp_path / "report.json")],
        cwd=tmp_path, env=hawk.env, capture_output=True, text=True, timeout=seconds + 600, check=False,
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["failures"] == [], done.stdout[-30000:]
    # It sometimes cannot make up a request for one of our larger schemas, and says so.
    assert {error["title"] for error in report["errors"]} <= {"Runtime Error"}, done.stdout[-30000:]
    assert report["operations"]["tested"] > 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert hawk.get("/health", token="")[0] == 200
