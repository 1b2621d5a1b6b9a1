"""hawk import: logs of this machine become an eval set, whatever else lies beside them and whatever dies meanwhile."""

import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import time
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.log import read_eval_log

from conftest import Hawk


@pytest.fixture
def folder(logs, tmp_path) -> pathlib.Path:
    """A folder of logs that are fine, logs that are not, and files that are no logs."""
    it = tmp_path / "in"
    (it / "deep/er").mkdir(parents=True)
    (it / ".hidden").mkdir()
    shutil.copy(logs / "many.eval", it)
    shutil.copy(logs / "tools_json.json", it)
    shutil.copy(logs / "errors.eval", it / "deep/er" / ("long " * 45 + "näme.eval"))
    (it / "deep/cut.eval").write_bytes((logs / "limits_messages.eval").read_bytes()[:2000])
    (it / "deep/nozip.eval").write_text("this is no archive")
    shutil.copy(logs / "many.eval", it / "deep/many.eval")
    shutil.copy(logs / "crashed.eval", it)
    (it / "logs.json").write_text('{"a.eval": {}}')
    shutil.copy(logs / "unscored.eval", it / ".hidden")
    shutil.copy(logs / "unscored.eval", it / "unscored.fast.eval")
    return it


def samples(hawk, eval_set_id: str) -> list[dict]:
    """The samples that the API lists."""
    status, answer = hawk.get(f"/meta/samples?eval_set_id={eval_set_id}&limit=500")
    assert status == 200
    return answer["items"]


def imports(hawk, eval_set_id: str) -> dict[str, str]:
    """The state of every log of an eval set."""
    status, answer = hawk.get(f"/meta/imports?eval_set_id={eval_set_id}&limit=500")
    assert status == 200
    return {item["log"]: item["state"] for item in answer["items"]}


# --- the command ---


def test_a_folder_is_imported_but_for_what_cannot_be(shared, folder):
    """Each failure is named with its reason, the others are imported, the exit status tells."""
    done = shared.run("import", str(folder), "--name", "A name", "--wait", "--json", check=False)
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["eval_set_id"].startswith("imported-a-name-")
    assert answer["viewer_url"].endswith("/eval-set/" + answer["eval_set_id"])
    logs = {pathlib.Path(log["path"]).relative_to(folder).as_posix(): log for log in answer["logs"]}
    assert len(logs) == 7
    good = [log for log in logs.values() if log["status"] == "imported"]
    assert len(good) == 3
    copies = [logs["many.eval"], logs["deep/many.eval"]]
    assert sorted(log["status"] for log in copies) == ["failed", "imported"]
    assert "same eval as" in next(log["reason"] for log in copies if log["reason"])
    assert "not a zip archive" in logs["deep/cut.eval"]["reason"]
    assert "few for an archive" in logs["deep/nozip.eval"]["reason"]
    assert "never finished" in logs["crashed.eval"]["reason"]
    assert "4 of 7 logs could not be imported." in done.stderr
    assert imports(shared, answer["eval_set_id"]) == {log["log"]: "success" for log in good}
    assert len(samples(shared, answer["eval_set_id"])) == 120 + 14 + 3


def test_a_file_that_is_no_log_is_named_and_one_that_is_broken_fails(shared, logs, tmp_path):
    """However the keys of a log are sorted it is one; a byte order mark and a cut are said to be what is wrong."""
    whole = (logs / "tools_json.json").read_bytes()
    log = json.loads(whole)
    log["eval"]["eval_id"] = "with-sorted-keys"
    log["samples"] = [sample | {"uuid": f"sorted-{i}"} for i, sample in enumerate(log["samples"])]
    (tmp_path / "sorted.json").write_text(json.dumps(log, sort_keys=True))
    (tmp_path / "cut.json").write_bytes(whole[:2000])
    (tmp_path / "mark.json").write_bytes(b"\xef\xbb\xbf" + whole)
    (tmp_path / "data.json").write_text("[1, 2]")
    (tmp_path / "logs.json").write_text("{}")
    done = shared.run("import", str(tmp_path), "--json", check=False)
    answer = json.loads(done.stdout)
    logs_of = {pathlib.Path(log["path"]).name: (log["status"], log["reason"]) for log in answer["logs"]}
    assert logs_of["sorted.json"][0] == "uploaded" and answer["n_left_out"] == 1
    assert "byte 2000" in logs_of["cut.json"][1] and "byte order mark" in logs_of["mark.json"][1]
    assert f"{tmp_path}/data.json: " in done.stderr and "; left out, it is no log\n" in done.stderr and "logs.json" not in done.stderr


def test_what_is_imported_is_the_log_with_another_identity(shared, logs, tmp_path):
    answer = shared.json("import", str(logs / "limits_messages.eval"))
    shared.run("download", answer["eval_set_id"], "-o", str(tmp_path))
    new = read_eval_log(str(tmp_path / "limits_messages.eval"))
    old = read_eval_log(str(logs / "limits_messages.eval"))
    assert new.eval.metadata["eval_set_id"] == answer["eval_set_id"]
    assert new.eval.metadata["imported"] is True
    assert new.eval.metadata["created_by"] == shared.get("/auth/me")[1]["sub"]
    assert new.eval.eval_id == old.eval.eval_id
    assert [s.model_dump_json() for s in new.samples] == [s.model_dump_json() for s in old.samples]


def test_an_eval_is_imported_once(hawk, logs):
    first = hawk.json("import", str(logs / "unscored.eval"), "--wait")["eval_set_id"]
    done = hawk.run("import", str(logs / "unscored.eval"), "--json", check=False)
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["eval_set_id"] is None
    assert answer["logs"][0]["reason"].endswith(f"its eval is in the warehouse already, in eval set {first}")
    status, sets = hawk.get("/meta/eval-sets")
    assert status == 200 and sets["total"] == 1


def test_a_log_that_is_there_already_is_not_sent(hawk, logs):
    """The address for it is refused when the client says which eval it is."""
    hawk.run("import", str(logs / "unscored.eval"), "--wait")
    eval_id = hawk.get("/meta/samples")[1]["items"][0]["eval_id"]
    file = {"filename": "a.eval", "sha256": "0" * 64, "size_bytes": 10, "eval_id": eval_id}
    status, answer = post(hawk, f"/eval_sets/import/{begin(hawk)}/uploads", {"files": [file]})
    assert (status, answer["title"]) == (409, "Eval already imported")
    status, answer = post(hawk, f"/eval_sets/import/{begin(hawk)}/uploads", {"files": [file | {"eval_id": "another"}]})
    assert status == 200


def test_an_imported_eval_set_is_deleted_with_its_logs_and_rows(hawk, logs):
    answer = hawk.json("import", str(logs / "tools.eval"), "--wait")
    kept = hawk.json("import", str(logs / "unscored.eval"), "--wait")
    done = hawk.run("delete", answer["eval_set_id"], "--yes")
    assert done.stdout == f"Eval set {answer['eval_set_id']} deleted.\n"
    assert not (hawk.data / "store/evals" / answer["eval_set_id"]).exists()
    hawk.wait_for(lambda: not samples(hawk, answer["eval_set_id"]) and not imports(hawk, answer["eval_set_id"]))
    assert [item["eval_set_id"] for item in hawk.get("/meta/eval-sets")[1]["items"]] == [kept["eval_set_id"]]
    assert hawk.run("delete", answer["eval_set_id"], "--yes", check=False).returncode == 5
    assert hawk.json("import", str(logs / "tools.eval"), "--wait")["logs"][0]["status"] == "imported"


def test_the_last_import_is_what_later_commands_mean(hawk, logs):
    done = hawk.run("import", str(logs / "unscored.eval"), "--wait")
    eval_set_id = done.stdout.split()[2]
    assert done.stdout == f"Imported as {eval_set_id}\nView in viewer: {hawk.url}/eval-set/{eval_set_id}\n"
    assert f"Eval Set: {eval_set_id}" in hawk.run("list", "evals").stdout
    assert "unscored.eval: uploaded" in done.stderr


def test_equal_names_from_different_folders_are_told_apart(hawk, logs, tmp_path):
    for i, kind in enumerate(["unscored", "errors", "tools"]):
        (tmp_path / "in" / str(i)).mkdir(parents=True)
        shutil.copy(logs / f"{kind}.eval", tmp_path / "in" / str(i) / "log.eval")
    answer = hawk.json("import", str(tmp_path / "in"), "--wait")
    assert imports(hawk, answer["eval_set_id"]) == {"log.eval": "success", "log-2.eval": "success", "log-3.eval": "success"}


def test_a_path_without_logs_is_an_error(home, tmp_path):
    assert home.run("import", str(tmp_path), "--no-start", check=False).returncode != 0
    assert "cannot find" in home.run("import", str(tmp_path / "none"), "--no-start", check=False).stderr
    (tmp_path / "x.txt").write_text("x")
    assert "does not end in .eval or .json" in home.run("import", str(tmp_path / "x.txt"), "--no-start", check=False).stderr


def test_the_queue_is_listed(hawk, logs, tmp_path):
    (tmp_path / "bad.eval").write_text("x")
    answer = hawk.json("import", str(logs / "unscored.eval"), "--wait")
    (hawk.data / "store/evals/other").mkdir()
    shutil.copy(tmp_path / "bad.eval", hawk.data / "store/evals/other")
    hawk.wait_for(lambda: imports(hawk, "other") == {"bad.eval": "failed"}, 60)
    assert "few for an archive" in hawk.run("list", "imports").stdout
    (item,) = hawk.json("list", "imports", "--state", "failed")["items"]
    assert item["log"] == "bad.eval" and item["attempts"] == 1
    assert hawk.run("list", "imports", "--format", "csv").stdout.splitlines()[0].startswith("log,eval_set_id,location,state,")
    (item,) = hawk.json("list", "imports", answer["eval_set_id"])["items"]
    assert (item["state"], item["samples_done"], item["samples_total"]) == ("success", 1, 1)


# --- the routes ---


def post(hawk, path: str, body=None):
    """POST; return (status, JSON)."""
    status, _, answer = hawk.request("POST", path, body={} if body is None else body)
    return status, json.loads(answer)


def begin(hawk) -> str:
    """Begin an import; return its id."""
    status, answer = post(hawk, "/eval_sets/import/", {"name": "x"})
    assert status == 200
    return answer["eval_set_id"]


def entry(name: str, data: bytes, **more) -> dict:
    """What is announced of a file."""
    return {"filename": name, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), **more}


def address(hawk, eval_set_id: str, name: str, data: bytes, **more) -> str:
    """Ask where a file can be sent; return the path."""
    status, answer = post(hawk, f"/eval_sets/import/{eval_set_id}/uploads", {"files": [entry(name, data, **more)]})
    assert status == 200, answer
    (upload,) = answer["uploads"]
    assert upload["filename"] == name and upload["expires_at"].endswith("Z")
    assert upload["url"].startswith(hawk.url + "/")
    return upload["url"].removeprefix(hawk.url)


def put(hawk, path: str, data: bytes, **kwargs) -> int:
    """Send a file without a token."""
    return hawk.request("PUT", path, body=data, token="", **kwargs)[0]


def stamped(log: pathlib.Path, **metadata) -> bytes:
    """A log as a client stamps it, by appending another header to the archive."""
    copy = pathlib.Path(log.parent / f"{random.random()}.eval")
    shutil.copy(log, copy)
    with zipfile.ZipFile(copy, "a") as archive:
        header = json.loads(archive.read("header.json"))
        header["eval"]["metadata"] = {**(header["eval"].get("metadata") or {}), **metadata}
        archive.filelist = [info for info in archive.filelist if info.filename != "header.json"]
        archive.NameToInfo.pop("header.json")
        archive.writestr("header.json", json.dumps(header))
    data = copy.read_bytes()
    copy.unlink()
    return data


@pytest.fixture
def log(logs, tmp_path) -> pathlib.Path:
    """A log that may be changed."""
    return pathlib.Path(shutil.copy(logs / "unscored.eval", tmp_path / "log.eval"))


def test_nothing_is_seen_before_it_is_finalized(hawk, log):
    eval_set_id = begin(hawk)
    me = hawk.get("/auth/me")[1]["sub"]
    data = stamped(log, eval_set_id=eval_set_id, created_by=me, imported=True)
    assert put(hawk, address(hawk, eval_set_id, "a.eval", data), data) == 200
    assert not (hawk.data / "store/evals" / eval_set_id).exists()
    assert imports(hawk, eval_set_id) == {}
    for _ in range(2):  # the second time does nothing
        status, answer = post(hawk, f"/eval_sets/import/{eval_set_id}/finalize")
        assert status == 200
        assert answer == {"eval_set_id": eval_set_id, "viewer_url": f"{hawk.url}/eval-set/{eval_set_id}"}
    assert set(imports(hawk, eval_set_id)) == {"a.eval"}
    hawk.wait_for(lambda: len(samples(hawk, eval_set_id)) == 1, 60)
    models = json.loads((hawk.data / "store/evals" / eval_set_id / ".models.json").read_text())
    assert models == {"model_names": ["mockllm/model"], "model_groups": ["local"]}


def test_nothing_staged_is_nothing_to_finalize(shared):
    status, answer = post(shared, f"/eval_sets/import/{begin(shared)}/finalize")
    assert (status, answer["title"]) == (404, "Nothing to finalize")


def test_files_that_are_not_as_they_were_announced_are_not_taken(shared):
    eval_set_id = begin(shared)
    path = address(shared, eval_set_id, "a.eval", b"12345")
    assert put(shared, path, b"1234") == 400
    assert put(shared, path, b"123456") == 413
    assert put(shared, path, b"12346") == 400
    assert put(shared, path, b"") == 400
    assert put(shared, path, b"12345") == 200


def test_an_address_is_good_for_nothing_else(shared):
    eval_set_id = begin(shared)
    path = address(shared, eval_set_id, "a.eval", b"12345")
    for old, new in [("a.eval", "b.eval"), ("size=5", "size=50"), (eval_set_id, eval_set_id[:-1] + "x"), ("expires=", "expires=9"),
                     ("signature=", "signature=0"), ("&signature", "&signatur")]:
        assert old in path
        assert put(shared, path.replace(old, new), b"12345") == 403
    # A part of the path that is encoded is the same part.
    assert put(shared, path.replace("a.eval", "%61.eval"), b"12345") == 200


@pytest.mark.parametrize("name", ["", ".eval", "a", "a.json", "a.eval\n", "../a.eval", "a/b.eval", "/a.eval", ".a.eval", "a b.eval",
                                  "a.fast.eval", "ä.eval", "a\\b.eval", "a" * 196 + ".eval", "a.eval\x00.eval", "%2e%2e%2fa.eval"])
def test_names_that_lead_elsewhere_are_refused(shared, name):
    status, answer = post(shared, f"/eval_sets/import/{begin(shared)}/uploads", {"files": [entry(name, b"x")]})
    assert (status, answer["title"]) == (400, "Invalid filename")


def test_announcements_are_held_to_their_limits(shared):
    path = f"/eval_sets/import/{begin(shared)}/uploads"
    good = entry("a.eval", b"x")
    assert post(shared, path, {"files": [good, good]})[1]["title"] == "Duplicate filename"
    assert post(shared, path, {"files": [{**good, "sha256": "0" * 63}]})[1]["title"] == "Invalid sha256"
    assert post(shared, path, {"files": [{**good, "sha256": "g" * 64}]})[1]["title"] == "Invalid sha256"
    for size in (0, -1, 2**31 + 1, 2**63):
        assert post(shared, path, {"files": [{**good, "size_bytes": size}]})[0] == 400
    assert post(shared, path, {"files": [{**good, "size_bytes": 2**31}]})[0] == 200
    assert post(shared, path, {"files": []})[0] == 422
    assert post(shared, path, {"files": [{**good, "filename": f"{i}.eval"} for i in range(201)]})[0] == 422
    assert post(shared, path, {"files": [{**good, "filename": f"{i}.eval"} for i in range(200)]})[0] == 200


def test_only_imports_can_be_sent_to(shared):
    """The id of another eval set, of an import that nobody began, and ones that are no ids."""
    for eval_set_id, status in [("set-1", 400), ("imported-x-1", 404), ("imported-..%2f..", 400), ("imported-X", 400)]:
        assert post(shared, f"/eval_sets/import/{eval_set_id}/uploads", {"files": [entry("a.eval", b"x")]})[0] == status
        assert post(shared, f"/eval_sets/import/{eval_set_id}/finalize")[0] == status


def test_logs_must_say_whose_they_are(hawk, log):
    me = hawk.get("/auth/me")[1]["sub"]
    eval_set_id = begin(hawk)
    good = {"eval_set_id": eval_set_id, "created_by": me, "imported": True}
    for change, title in [({"eval_set_id": "imported-other"}, "Stamped eval_set_id mismatch"),
                          ({"created_by": "eve"}, "Stamped created_by mismatch"),
                          ({"imported": False}, "File not marked as imported")]:
        data = stamped(log, **{**good, **change})
        assert put(hawk, address(hawk, eval_set_id, "a.eval", data), data) == 200
        status, answer = post(hawk, f"/eval_sets/import/{eval_set_id}/finalize")
        assert (status, answer["title"]) == (400, title)
        assert not (hawk.data / "store/evals" / eval_set_id).exists()
    assert put(hawk, address(hawk, eval_set_id, "a.eval", b"no log"), b"no log") == 200
    status, answer = post(hawk, f"/eval_sets/import/{eval_set_id}/finalize")
    assert (status, answer["title"]) == (400, "Invalid .eval file")
    # The one that is in order replaces it.
    data = stamped(log, **good)
    assert put(hawk, address(hawk, eval_set_id, "a.eval", data), data) == 200
    assert post(hawk, f"/eval_sets/import/{eval_set_id}/finalize")[0] == 200


def test_of_equal_evals_none_or_one_is_published(hawk, log):
    """All or nothing, unless the client wants what can be had."""
    me = hawk.get("/auth/me")[1]["sub"]
    eval_set_id = begin(hawk)
    data = stamped(log, eval_set_id=eval_set_id, created_by=me, imported=True)
    for name in ("a.eval", "b.eval"):
        assert put(hawk, address(hawk, eval_set_id, name, data), data) == 200
    status, answer = post(hawk, f"/eval_sets/import/{eval_set_id}/finalize")
    assert (status, answer["title"]) == (400, "Duplicate eval ids in import")
    status, answer = post(hawk, f"/eval_sets/import/{eval_set_id}/finalize?partial=true")
    assert status == 200 and answer["published"] == 1
    assert [failed["filename"] for failed in answer["failed"]] == ["b.eval"]
    assert set(imports(hawk, eval_set_id)) == {"a.eval"}


def test_a_second_wave_joins_the_first(hawk, logs):
    me = hawk.get("/auth/me")[1]["sub"]
    eval_set_id = begin(hawk)
    for kind in ("unscored", "errors"):
        data = stamped(logs / f"{kind}.eval", eval_set_id=eval_set_id, created_by=me, imported=True)
        assert put(hawk, address(hawk, eval_set_id, f"{kind}.eval", data), data) == 200
        assert post(hawk, f"/eval_sets/import/{eval_set_id}/finalize")[0] == 200
    assert set(imports(hawk, eval_set_id)) == {"unscored.eval", "errors.eval"}


# --- deaths ---


def test_ten_deaths_of_the_server_lose_and_double_nothing(hawk, logs):
    """Logs are laid into the store while the server is killed again and again at any moment."""
    kinds = ["many", "tools", "errors", "failed", "limits_messages", "intermediate", "unscored", "tools_json"]
    expected = {}
    for kind in kinds:
        path = logs / (f"{kind}.json" if kind.endswith("json") else f"{kind}.eval")
        answer = hawk.json("import", str(path), "--name", kind, "--no-wait")
        expected[answer["eval_set_id"]] = sorted(s.uuid for s in read_eval_log(str(path)).samples)
    chance = random.Random(1)
    for _ in range(10):
        time.sleep(chance.uniform(0, 0.15))
        hawk.kill()
        # As if all were new: what is in the warehouse is found to be the same.
        for log in (hawk.data / "store/evals").glob("*/*.eval"):
            log.touch()
        hawk.start()

    def settled() -> bool:
        """Whether all logs are in and no importer is at work."""
        status, answer = hawk.get("/meta/imports")
        counts = answer["counts"]
        return status == 200 and counts["success"] == len(kinds) and sum(counts.values()) == len(kinds)

    hawk.wait_for(settled, 120)
    for eval_set_id, uuids in expected.items():
        assert sorted(sample["uuid"] for sample in samples(hawk, eval_set_id)) == uuids


def another_eval(log: pathlib.Path, out: pathlib.Path, eval_id: str) -> None:
    """The log as if it were of another eval, with samples of its own."""
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "header.json":
                header = json.loads(data)
                header["eval"]["eval_id"] = eval_id
                data = json.dumps(header).encode()
            if name.startswith("samples/"):
                sample = json.loads(data)
                sample["uuid"] = f"sample-of-{eval_id}"
                data = json.dumps(sample).encode()
            new.writestr(name, data)


def test_a_command_outlives_a_new_start_of_the_server(hawk, logs, tmp_path):
    """Addresses that an earlier server gave out are asked for again."""
    port = hawk.url.rsplit(":", 1)[1]
    (tmp_path / "in").mkdir()
    for i in range(60):
        another_eval(logs / "unscored.eval", tmp_path / f"in/{i:02}.eval", f"e{i}")
    command = subprocess.Popen([str(hawk.program), "import", str(tmp_path / "in"), "--no-start", "--wait", "-j", "1"], env=hawk.env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    for _ in range(5):
        assert "uploaded" in command.stderr.readline()
    hawk.kill()
    hawk.start("--port", port)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    eval_set_id = out.split()[2]
    assert imports(hawk, eval_set_id) == {f"{i:02}.eval": "success" for i in range(60)}
    assert len(samples(hawk, eval_set_id)) == 60


# --- several servers ---


def test_two_servers_share_the_work_of_one_database(postgresql, bucket, logs, tmp_path, cache):
    """Both import, each log is imported once, and what one has begun when it dies the other ends."""
    database = postgresql.make("shared")
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        it = Hawk(tmp_path / name, cache)
        it.env.update(bucket.environment(), HAWK_API_DATABASE_URL=postgresql.url(database), HAWK_API_S3_BUCKET_NAME=bucket.name)
        servers.append(it.start())
    one, two = servers
    try:
        kinds = ["many", "tools", "errors", "failed", "limits_messages", "intermediate", "unscored"]
        made = [one.json("import", str(logs / f"{kind}.eval"), "--name", kind)["eval_set_id"] for kind in kinds]
        one.kill()

        def settled() -> bool:
            """Whether all logs are in."""
            counts = two.get("/meta/imports")[1]["counts"]
            return counts["success"] == len(kinds) and sum(counts.values()) == len(kinds)

        two.wait_for(settled, 180)
        for kind, eval_set_id in zip(kinds, made, strict=True):
            uuids = sorted(s.uuid for s in read_eval_log(str(logs / f"{kind}.eval")).samples)
            assert sorted(sample["uuid"] for sample in samples(two, eval_set_id)) == uuids
    finally:
        for it in servers:
            it.stop()
