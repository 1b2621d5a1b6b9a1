"""The token of a job: what it opens, and when it ends. The runs wait for an installer that takes its time."""

import contextlib
import json
import socket
import sqlite3
import time

import pytest
from conftest import Hawk
from issuer import Issuer

GROUP = "model-access-public"


class Office:
    """A server with an identity provider, whose runs come as far as installing and stay there."""

    def __init__(self, hawk: Hawk, issuer: Issuer):
        self.hawk, self.issuer = hawk, issuer
        self.owner = issuer.token("owner", [GROUP])

    def submit(self, job_id: str, token: str) -> str:
        """Submit a run and wait until it is there; return its token."""
        package = {"package": "hawk-nothing", "name": "nothing"}
        config = {"eval_set_id": job_id, "tasks": [{**package, "items": [{"name": "t"}]}], "models": [{**package, "items": [{"name": "open"}]}]}
        status, _, body = self.hawk.request("POST", "/eval_sets/", {"eval_set_config": config}, token=token)
        assert status == 200, body
        file = self.hawk.data / "jobs" / job_id / "runner.json"
        self.hawk.wait_for(file.exists)
        environment = open(f"/proc/{json.loads(file.read_text())['pid']}/environ").read().split("\0")
        (found,) = [text.split("=", 1)[1] for text in environment if text.startswith("HAWK_JOB_TOKEN=")]
        return found

    def self(self, token: str, renew: bool = False) -> tuple[int, dict]:
        """What the job of a token is told about itself."""
        status, _, body = self.hawk.request("POST" if renew else "GET", "/jobs/self" + "/renew" * renew, token=token)
        return status, json.loads(body) if status == 200 else {}

    def set_end(self, job_id: str, seconds: float) -> None:
        """Let a token end so many seconds from now."""
        with sqlite3.connect(self.hawk.data / "hawk.db", timeout=60) as db:
            db.execute("UPDATE job_token SET expires_at = ? WHERE job_id = ?", (int((time.time() + seconds) * 1e6), job_id))


@pytest.fixture(scope="module")
def office(tmp_path_factory, cache):
    """One for all tests."""
    folder = tmp_path_factory.mktemp("tokens")
    issuer = Issuer()
    (folder / "models.yaml").write_text(f"- {{name: open, group: {GROUP}}}\n")
    (folder / "uv").write_text("#!/bin/sh\nexec sleep 600\n")
    (folder / "uv").chmod(0o755)
    hawk = Hawk(folder, cache)
    hawk.env.update(issuer.settings(), HAWK_API_MODELS_FILE=str(folder / "models.yaml"), HAWK_UV=str(folder / "uv"))
    hawk.start("--max-running", "20")
    try:
        yield Office(hawk, issuer)
    finally:
        hawk.stop()
        issuer.close()


def test_a_job_sees_itself_and_nothing_else(office):
    """Its token is no login for people's routes, and theirs is none for its."""
    ours, other = office.submit("ours", office.owner), office.submit("other", office.owner)
    status, told = office.self(ours)
    assert (status, told["job_id"], told["created_by"], told["attempt"], told["model_groups"]) == (200, "ours", "owner", 1, [GROUP])
    assert office.self(other)[1]["job_id"] == "other"
    for method, path in (("GET", "/meta/jobs"), ("GET", "/monitoring/jobs/ours/status"), ("GET", "/eval_sets/ours/config"),
                         ("DELETE", "/eval_sets/ours"), ("GET", "/auth/me")):
        assert office.hawk.request(method, path, token=ours)[0] == 401, path
    for token in (office.owner, office.issuer.token("boss", [GROUP, "hawk-admin"]), "", "hawk-job-" + "a" * 40, ours[:-1], ours + "a"):
        assert office.self(token)[0] == 401 and office.self(token, renew=True)[0] == 401


def test_the_token_is_in_no_file(office):
    """Neither in the database nor in the folder of the job; the row has a hash."""
    token = office.submit("filed", office.owner).encode()
    n_read = 0
    for file in office.hawk.data.rglob("*"):
        # The job runs, and its temporary files come and go.
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            assert token not in file.read_bytes(), file
            n_read += 1
    assert n_read


def test_a_run_outlives_the_login_of_its_submitter(office):
    """Whoever submitted it is nobody any more, and its token still counts and is renewed."""
    brief = office.issuer.token("owner", [GROUP], exp=int(time.time()) + 3)
    token = office.submit("outlives", brief)
    office.hawk.wait_for(lambda: office.hawk.request("GET", "/auth/me", token=brief)[0] == 401)
    before = office.self(token)[1]["token_expires_at"]
    status, renewed = office.self(token, renew=True)
    assert status == 200 and renewed["token_expires_at"] > before and renewed["token_seconds"] == 3600


def test_a_token_that_has_ended_opens_nothing_and_cannot_be_renewed(office):
    """Also while the job runs."""
    token = office.submit("ends", office.owner)
    office.set_end("ends", -1)
    assert office.self(token)[0] == 401 and office.self(token, renew=True)[0] == 401


def test_a_deleted_job_has_no_token(office):
    """From the answer to the deletion on, though its runner may still be there."""
    token = office.submit("deleted", office.owner)
    assert office.self(token)[0] == 200
    assert office.hawk.request("DELETE", "/eval_sets/deleted", token=office.owner)[0] == 200
    assert office.self(token)[0] == 401 and office.self(token, renew=True)[0] == 401


def test_each_attempt_has_a_token_of_its_own(office):
    """That of the last one is gone with its end."""
    first = office.submit("again", office.owner)
    assert office.hawk.request("POST", "/eval_sets/again/stop", token=office.owner)[0] == 200
    office.hawk.wait_for(lambda: office.hawk.get("/monitoring/jobs/again/explain", token=office.owner)[1]["state"] == "cancelled")
    assert office.self(first)[0] == 401
    (office.hawk.data / "jobs/again/runner.json").unlink()
    second = office.submit("again", office.owner)
    assert second != first and office.self(second)[1]["attempt"] == 2 and office.self(first)[0] == 401


def begin_renewing(home, tmp_path, *args: str):
    """Start a server and a run that comes as far as installing; return the server and what reads the end of the run's token."""
    (tmp_path / "uv").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "uv").chmod(0o755)
    home.env.update(HAWK_UV=str(tmp_path / "uv"), HAWK_API_JOB_TOKEN_SECONDS="30")
    package = {"package": "hawk-nothing", "name": "nothing"}
    hawk = home.start(*args)
    body = {"eval_set_config": {"eval_set_id": "renews", "tasks": [{**package, "items": [{"name": "t"}]}]}}
    assert hawk.request("POST", "/eval_sets/", body)[0] == 200

    def end() -> int:
        with sqlite3.connect(hawk.data / "hawk.db", timeout=60) as db:
            return db.execute("SELECT expires_at FROM job_token").fetchone()[0]

    return hawk, end


def test_a_runner_renews_the_token_of_its_job(home, tmp_path):
    """As long as it lives, also for a server that has been started anew elsewhere meanwhile."""
    hawk, end = begin_renewing(home, tmp_path)
    first = end()
    hawk.wait_for(lambda: end() > first)
    hawk.kill()
    hawk.start()
    second = end()  # the server itself has moved it
    hawk.wait_for(lambda: end() > second)


def test_a_runner_renews_at_the_address_that_it_was_given(home, tmp_path):
    """Where there is no server.json, as on another machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home.env["HAWK_API_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
    hawk, end = begin_renewing(home, tmp_path, "--port", str(port))
    (hawk.data / "server.json").unlink()
    first = end()
    hawk.wait_for(lambda: end() > first)
