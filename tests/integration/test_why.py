"""`auth why` says what the routes do, to everybody and about everything that can be refused."""

import itertools
import json
import shutil

import one_log
import pytest
from conftest import Hawk
from issuer import Issuer
from test_access_matrix import config, scan_files

PUBLIC, SECRET = "model-access-public", "model-access-secret"
# What .models.json says of each eval set; None: there is none.
SETS = {"public": [PUBLIC], "secret": [SECRET], "both": [PUBLIC, SECRET], "unresolved": [PUBLIC, "__unresolved__"], "empty": [],
        "odd": [1], "wrong": "x", "stray": None}
SCANS = {"scan": [PUBLIC], "scan-secret": [SECRET], "scan-called": [PUBLIC]}  # the last by a model that the file does not know of
PEOPLE = {"nobody": [], "reader": [f"{PUBLIC}:read", f"{SECRET}:read"], "some": [PUBLIC], "all": [PUBLIC, SECRET],
          "owner": [PUBLIC, SECRET], "admin": [PUBLIC, "hawk-admin"]}
NAME = "2026-01-01T00-00-00+00-00_task_abc.eval"


def put_models(folder, groups) -> None:
    """Say which groups a folder of the store is for."""
    folder.mkdir(parents=True, exist_ok=True)
    if groups is not None:
        (folder / ".models.json").write_text(json.dumps({"model_names": [], "model_groups": groups}))


def fill(store, log: bytes) -> None:
    """Eval sets and scans that nobody submitted; one log is of the public set, and one scan has called what it did not say."""
    for name, groups in SETS.items():
        put_models(store / "evals" / name, groups)
        (store / "evals" / name / "x").write_bytes(b"")
    (store / "evals/public" / NAME).write_bytes(log)
    for name, groups in SCANS.items():
        put_models(store / "scans" / name, groups)
        scan = store / "scans" / name / f"scan_id={name}"
        scan.mkdir()
        for file, data in scan_files(name, name, "u", "hidden" if name == "scan-called" else None, f"result-{name}").items():
            (scan / file).write_bytes(data)


@pytest.fixture(scope="module")
def places(tmp_path_factory, cache, postgresql):
    """Two servers with the same in their stores, one of which shows public models only, on PostgreSQL; and the people's tokens."""
    issuer = Issuer()
    tokens = {name: issuer.token(name, groups) for name, groups in PEOPLE.items()}
    base = tmp_path_factory.mktemp("why")
    log = one_log.make(base / "logs", "t", eval_set_id="public")
    servers = []
    try:
        for name in ("all", "public"):
            (base / name).mkdir()
            hawk = Hawk(base / name, cache)
            models = base / name / "models.yaml"
            models.write_text(f"- {{name: hidden, group: {SECRET}}}\n- {{name: mockllm/model, group: {PUBLIC}}}\n")
            hawk.env.update(issuer.settings(), HAWK_API_MODELS_FILE=str(models))
            if name == "public":
                shutil.copytree(base / "all/store-to-be", hawk.data / "store", dirs_exist_ok=True)
                hawk.env.update(HAWK_API_PUBLIC_MODELS_ONLY="true", HAWK_API_DATABASE_URL=postgresql.url(postgresql.make("why")))
            else:
                fill(base / "all/store-to-be", log)
                shutil.copytree(base / "all/store-to-be", hawk.data / "store")
            servers.append(hawk.start())
        hawk = servers[0]
        assert hawk.request("POST", "/eval_sets/", config("job"), token=tokens["owner"])[0] == 200
        hawk.wait_for(lambda: hawk.get("/monitoring/jobs/job/job-status", token=tokens["owner"])[1]["status"] == "failed")
        for it in servers:
            it.wait_for(lambda it=it: it.get("/meta/samples", token=tokens["some"])[1]["items"])
            it.wait_for(lambda it=it: it.server_output().count("scan.imported") == len(SCANS))
        yield servers, tokens
    finally:
        for it in servers:
            it.stop()
        issuer.close()


def problem(answer) -> tuple[bool, str | None]:
    """Whether a route let somebody through, and what it said if not."""
    status, _, body = answer
    return status != 403, json.loads(body)["detail"] if status == 403 else None


def told(why: dict, action: str) -> tuple[bool, str | None]:
    """The same, as `auth why` has it."""
    (item,) = [item for item in why["actions"] if item["action"] == action]
    return item["allowed"], item["reason"]


@pytest.mark.parametrize(("person", "server"), list(itertools.product(PEOPLE, ["all", "public"])))
def test_why_says_of_each_thing_what_its_routes_answer(places, person, server):
    """Reading logs and results, adding to samples and changing jobs: the same decision, in the same words."""
    hawk, token = places[0][server == "public"], places[1][person]
    names = [*SETS, *SCANS, *(["job"] if server == "all" else [])]
    for name in names:
        status, why = hawk.get(f"/auth/why/{name}", token=token)
        assert status == 200, name
        route = f"/view/scans/scan-download-zip/{name}" if name in SCANS else f"/view/logs/log-files?log_dir={name}"
        assert told(why, "log.read") == problem(hawk.request("GET", route, token=token)), (name, why)
        assert (why["allowed"], why["code"] is None) == (told(why, "log.read")[0],) * 2
    listed = {item["job_id"] for item in hawk.get("/meta/scans", token=token)[1]["items"]}
    assert listed == {name for name in SCANS if hawk.get(f"/auth/why/{name}", token=token)[1]["allowed"]}
    if server == "all":
        why = hawk.get("/auth/why/job", token=token)[1]
        allowed, reason = told(why, "job.control")
        answer = hawk.request("POST", "/eval_sets/job/stop", token=token)
        assert allowed == (answer[0] != 403)
        assert reason is None or reason.split(": ")[-1].split()[-2:] == json.loads(answer[2])["detail"].split()[-2:]


@pytest.mark.parametrize("server", [0, 1])
def test_a_file_of_groups_that_is_changed_counts_for_lists_too(places, server):
    """Within minutes, or from the next start on."""
    hawk, tokens = places[0][server], places[1]
    assert hawk.get("/auth/why/public", token=tokens["some"])[1]["allowed"]
    put_models(hawk.data / "store/evals/public", [PUBLIC, SECRET])
    hawk.stop()
    hawk.start()  # it looks at everything then, as it does every few minutes
    hawk.wait_for(lambda: not hawk.get("/meta/samples", token=tokens["some"])[1]["items"])
    why = hawk.get("/auth/why/public", token=tokens["some"])[1]
    assert (why["allowed"], why["code"]) == (False, ["access.groups", "access.public_only"][server])
    assert hawk.request("GET", "/view/logs/log-files?log_dir=public", token=tokens["some"])[0] == 403
    assert bool(hawk.get("/meta/samples", token=tokens["all"])[1]["items"]) == (server == 0)


def test_a_server_that_shows_public_models_only_says_that_this_is_why(places):
    """Nobody is told to ask for a group that they have."""
    hawk = places[0][1]
    why = hawk.get("/auth/why/secret", token=places[1]["all"])[1]
    assert why["code"] == "access.public_only" and "this server shows models of model-access-public only" in why["reason"]


def test_what_is_nowhere_is_not_found(places):
    """As opposed to what may not be seen."""
    assert places[0][0].get("/auth/why/nowhere", token=places[1]["all"])[0] == 404
