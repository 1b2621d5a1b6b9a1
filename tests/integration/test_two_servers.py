"""Two servers on one PostgreSQL and one bucket: what people change comes to the logs once, whichever of them is there."""

import concurrent.futures
import json
import os
import random
import time

import pytest
from conftest import Hawk
from inspect_ai.log import read_eval_log
from test_access_matrix import config
from test_edits import Room, edit

N_KILLS = int(os.environ.get("HAWK_KILLS", "0"))


class Pair:
    """Two servers, and an eval set of one log in their bucket."""

    def __init__(self, servers: list[Hawk], postgresql, database: str, bucket, log):
        self.servers, self.postgresql, self.database, self.bucket = servers, postgresql, database, bucket
        self.eval_set = servers[0].json("import", str(log))["eval_set_id"]
        self.uuid = Room(servers[0], None).uuids(self.eval_set)["plain", 1]
        self.sent: list[str] = []

    def send(self, server: Hawk, number: int) -> str:
        """Ask for an event and another explanation of a score; return the request's name."""
        edits = [edit(self.uuid, "append_info_event", source="pair", data=number),
                 edit(self.uuid, "score_edit", scorer="exact", reason=str(number), explanation=str(number))]
        status, answer = Room(server, None).post(edits)
        assert status == 202, answer
        self.sent.append(answer["request_uuid"])
        return answer["request_uuid"]

    def state(self, server: Hawk, request: str) -> str:
        return server.get(f"/meta/sample_edits/{request}")[1]["state"]

    def run(self, sql: str) -> str:
        return self.postgresql.run(sql, self.database)

    def in_log(self, tmp_path) -> tuple[list[str], list[str]]:
        """The requests whose events and whose scores are in the log, in its order."""
        self.servers[0].run("download", self.eval_set, "-o", str(tmp_path / "out"))
        (path,) = (tmp_path / "out").rglob("*.eval")
        sample = next(sample for sample in read_eval_log(str(path)).samples if sample.uuid == self.uuid)
        return ([e.metadata["request_uuid"] for e in sample.events if e.event == "info" and e.source == "pair"],
                [e.provenance.metadata["request_uuid"] for e in sample.scores["exact"].history if e.provenance])

    def check(self, tmp_path) -> None:
        """Every request is done and in the log once, in the order in which they came."""
        for request in self.sent:
            assert Room(self.servers[0], None).wait(request)["state"] == "done"
        wanted = self.run("SELECT request_uuid FROM sample_edit ORDER BY pk").split()
        assert sorted(wanted) == sorted(self.sent)
        assert self.in_log(tmp_path) == (wanted, wanted)


@pytest.fixture(scope="module")
def pair(postgresql, bucket, logs, tmp_path_factory, cache):
    """The servers that the tests here share."""
    database = postgresql.make("pair")
    servers = []
    try:
        for name in ("one", "two"):
            it = Hawk(tmp_path_factory.mktemp(name), cache)
            it.env.update(bucket.environment(), HAWK_API_DATABASE_URL=postgresql.url(database), HAWK_API_S3_BUCKET_NAME=bucket.name)
            servers.append(it.start())
        yield Pair(servers, postgresql, database, bucket, logs / "tools.eval")
    finally:
        for it in servers:
            it.stop()


def test_edits_sent_to_both_are_applied_once_each(pair, tmp_path):
    """Also the same one, sent to both at once: those are two requests."""
    for number in range(2):
        pair.send(pair.servers[number], number)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda server: pair.send(server, 2), pair.servers))
    pair.check(tmp_path)


def test_the_edit_of_a_server_that_died_is_applied_by_the_other(pair, tmp_path):
    """Once its lease is over, which here is made so; a server that starts meanwhile takes nothing away from one that lives."""
    one, two = pair.servers
    request = pair.send(one, 3)
    one.wait_for(lambda: pair.state(one, request) != "pending", every=0.01)
    one.kill()
    pair.run("UPDATE sample_edit SET lease_until = now() WHERE state = 'applying'")
    assert Room(two, None).wait(request)["state"] == "done"
    one.start()
    pair.check(tmp_path)


@pytest.mark.skipif(not N_KILLS, reason="HAWK_KILLS says how often")
@pytest.mark.timeout(3000)
def test_kills_of_either_server_apply_each_edit_once(pair, tmp_path):
    """Whatever is killed when."""
    rng = random.Random(5)
    for number in range(N_KILLS):
        killed, other = rng.sample(pair.servers, 2)
        for _ in range(rng.randrange(1, 3)):
            pair.send(rng.choice(pair.servers), 100 + number)
        time.sleep(rng.uniform(0, 3))
        killed.kill()
        if rng.random() < 0.5:
            pair.send(other, 100 + number)
        if rng.random() < 0.5:
            pair.run("UPDATE sample_edit SET lease_until = now() WHERE state = 'applying'")
        killed.start()
    pair.check(tmp_path)


@pytest.mark.parametrize(("method", "path", "body"), [("POST", "stop", {"action": "score"}), ("POST", "control", {"action": "pause"}), ("DELETE", "", None)])
def test_a_job_is_not_ended_by_a_server_that_does_not_have_it(pair, method, path, body):
    """Its runner would go on, and nobody would know."""
    one, two = pair.servers
    if not pair.run("SELECT 1 FROM job WHERE job_id = 'ours'"):
        assert one.request("POST", "/eval_sets/", config("ours"))[0] == 200
        one.wait_for(lambda: "failed" in pair.run("SELECT state FROM job WHERE job_id = 'ours'"))
        pair.run("UPDATE job SET state = 'running' WHERE job_id = 'ours'")  # as for one that goes on
    status, _, answer = two.request(method, f"/eval_sets/ours/{path}".rstrip("/"), body)
    assert (status, json.loads(answer)["code"]) == (409, "job.elsewhere")
    assert pair.run("SELECT state FROM job WHERE job_id = 'ours'").strip() == "running"


def test_a_job_that_was_resumed_on_the_other_server_stays_there(pair):
    """The one that had it before begins no second run of it when it starts."""
    one, two = pair.servers

    def over() -> bool:
        return "failed" in pair.run("SELECT state FROM job WHERE job_id = 'moved'")

    assert one.request("POST", "/eval_sets/", config("moved"))[0] == 200
    one.wait_for(over)
    assert two.request("POST", "/eval_sets/", {"eval_set_id": "moved"})[0] == 200
    two.wait_for(over)
    pair.run("UPDATE job SET state = 'running' WHERE job_id = 'moved'")  # as for one that goes on
    one.kill()
    one.start()
    assert pair.run("SELECT state || ' ' || attempt FROM job WHERE job_id = 'moved'").strip() == "running 2"
    pair.run("UPDATE job SET state = 'failed' WHERE job_id = 'moved'")
