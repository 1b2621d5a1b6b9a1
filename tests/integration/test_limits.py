"""What one person may ask of a server of many."""

import concurrent.futures
import contextlib
import json
import time
import urllib.request

import pytest

from conftest import Hawk
from issuer import Issuer

GROUPS = ["model-access-public"]
# Stands in for an installer that takes long, as long as its runner lives.
SLOW_INSTALLER = "#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do sleep 1; done\n"


@pytest.fixture(scope="module")
def issuer():
    """A provider of tokens."""
    it = Issuer()
    yield it
    it.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, cache, issuer):
    """A server with low limits, where ann has a job that goes on."""
    folder = tmp_path_factory.mktemp("limits")
    (folder / "models.yaml").write_text("- {name: steady, group: model-access-public}\n")
    (folder / "uv").write_text(SLOW_INSTALLER)
    (folder / "uv").chmod(0o700)
    hawk = Hawk(folder, cache)
    hawk.env.update(
        issuer.settings(), HAWK_API_MODELS_FILE=str(folder / "models.yaml"), HAWK_UV=str(folder / "uv"),
        HAWK_API_MAX_OUTSTANDING_JOBS_PER_USER="1", HAWK_API_MAX_REQUESTS_PER_SECOND="1", HAWK_API_MAX_REQUEST_BURST="30",
        HAWK_API_MAX_STREAMS_PER_USER="2", HAWK_API_MAX_BODY_BYTES="3000",
    )
    hawk.start()
    status, _, body = submit(hawk, issuer.token("ann", GROUPS), "first")
    assert status == 200, body
    yield hawk
    hawk.stop()


def submit(server, token: str, name: str, **more):
    """Submit an eval set of a package that no machine has."""
    package = {"package": "a-package-that-is-nowhere", "name": "nothing"}
    config = {"eval_set_id": name, "tasks": [{**package, "items": [{"name": "t"}]}], "models": [{**package, "items": [{"name": "steady"}]}]}
    return server.request("POST", "/eval_sets/", {"eval_set_config": config, **more}, token=token)


def assert_limited(answer, code: str, seconds: int) -> None:
    """The answer says which limit and when to come again."""
    status, headers, body = answer
    assert status == 429, body
    assert json.loads(body)["code"] == code
    assert int(headers["Retry-After"]) == seconds


def test_a_person_has_so_many_jobs_and_no_more(server, issuer):
    """Others may; and so may who insists."""
    ann = issuer.token("ann", GROUPS, jti="jobs")
    assert_limited(submit(server, ann, "second"), "outstanding_job_limit", 60)
    assert server.get("/monitoring/jobs/second/job-status", token=ann)[0] == 404
    assert submit(server, issuer.token("ben", GROUPS), "of-ben")[0] == 200
    assert submit(server, ann, "second", force=True)[0] == 200


def test_a_credential_that_asks_too_fast_is_slowed_down(server, issuer):
    """And no other."""
    fast = issuer.token("ann", GROUPS, jti="fast")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: server.request("GET", "/auth/me", token=fast), range(200)))
    limited = [answer for answer in answers if answer[0] == 429]
    assert [answer[0] for answer in answers].count(200) >= 30
    assert_limited(limited[0], "request_rate_limit", 1)
    assert server.request("GET", "/auth/me", token=issuer.token("ann", GROUPS, jti="slow"))[0] == 200


def test_a_person_has_so_many_streams_and_no_more(server, issuer):
    """With whatever credential; one that is given up makes room."""
    path = "/monitoring/jobs/first/eval-set-status/stream"

    def opened(who: str, number: int):
        head = {"Authorization": f"Bearer {issuer.token(who, GROUPS, jti=f'stream {number}')}"}
        answer = urllib.request.urlopen(urllib.request.Request(server.url + path, headers=head), timeout=60)
        assert answer.readline() == b"event: status\n"
        return answer

    streams = [opened("ann", 1), opened("ann", 2)]
    assert_limited(server.request("GET", path, token=issuer.token("ann", GROUPS, jti="stream 3")), "stream_limit", 5)
    opened("ben", 4).close()
    streams.pop().close()
    number = iter(range(5, 1000))
    server.wait_for(lambda: server.request("HEAD", path, token=issuer.token("ann", GROUPS, jti=f"{next(number)}"))[0] == 200)
    streams.pop().close()


@pytest.fixture(scope="module")
def expired(server, issuer):
    """What a stream sent whose credential ended meanwhile; its request's id is "expiring"."""
    head = {"Authorization": f"Bearer {issuer.token('cid', GROUPS, exp=int(time.time()) + 3)}", "X-Request-Id": "expiring"}
    request = urllib.request.Request(f"{server.url}/monitoring/jobs/first/eval-set-status/stream", headers=head)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def test_a_stream_ends_when_its_credential_does(expired):
    """Though the job goes on."""
    assert expired.startswith(b"event: status\n") and b'"status":"running"' in expired


def test_a_stream_is_one_decision(server, expired):
    """However often it looks at the job."""
    lines = [json.loads(line) for line in (server.data / "audit.ndjson").read_text().splitlines()]
    assert [line["action"] for line in lines if line["request_id"] == "expiring"] == ["job.read"]


def test_a_body_over_the_limit_is_refused(server, issuer):
    """Before it has come."""
    status, _, body = server.request("POST", "/meta/sql", {"sql": "x" * 4000}, token=issuer.token("ann", GROUPS, jti="body"))
    assert status == 413 and "3000 bytes" in json.loads(body)["detail"]


def test_an_archive_of_a_scan_is_put_together_so_many_times_at_once_and_no_more(server, issuer):
    """Whoever has the link: a link needs no credential."""
    ann = issuer.token("ann", GROUPS, jti="archive")
    folder = server.data / "store/scans/large/scan_id=a"
    folder.mkdir(parents=True)
    (folder.parent / ".models.json").write_text(json.dumps({"model_names": [], "model_groups": GROUPS}))
    with open(folder / "large.parquet", "wb") as file:
        file.truncate(24 << 20)  # more than connections take on their way
    link = server.get("/view/scans/scan-download-zip/large", token=ann)[1]["url"]
    with contextlib.ExitStack() as opened:
        for _ in range(2):
            assert opened.enter_context(urllib.request.urlopen(link)).status == 200
        assert_limited(server.request("GET", link.removeprefix(server.url), token=""), "archive_limit", 5)
    assert server.wait_for(lambda: server.request("GET", link.removeprefix(server.url), token="")[0] == 200)
