"""Imports where several people and several programs meet: the Python hawk's own command line against our server."""

import json
import os
import pathlib
import shutil
import subprocess
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.log import read_eval_log

import identity_provider
from conftest import Hawk
from test_login import log_in

pytestmark = pytest.mark.skipif(identity_provider.why_not() is not None, reason=str(identity_provider.why_not()))

MODELS = """
- {name: mockllm/model, group: model-access-public}
- {name: hidden, group: model-access-secret}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, cache):
    """A server for several people."""
    provider = identity_provider.Provider()
    home = Hawk(tmp_path_factory.mktemp("several"), cache)
    (home.home / "models.yaml").write_text(MODELS)
    home.env.update(provider.settings(), HAWK_API_MODELS_FILE=str(home.home / "models.yaml"))
    home.start()
    home.env.update(HAWK_API_URL=home.url, HAWK_CREDENTIALS="file", XDG_DATA_HOME=str(home.home / "share"), HAWK_VERSION_CHECK="off")
    home.provider = provider
    yield home
    home.stop()
    provider.close()


def token_of(server, user: str) -> str:
    """The access token of a person who has logged in."""
    share = server.home / user
    if not share.exists():
        done = log_in(server, server.provider, user, XDG_DATA_HOME=str(share))
        assert done.returncode == 0, done.stderr
    return server.run("auth", "access-token", env={"XDG_DATA_HOME": str(share)}).stdout.strip()


def run_peer(server, peer: pathlib.Path, user: str, *args: str) -> subprocess.CompletedProcess:
    """The Python hawk's command line, as a person."""
    env = {"PATH": os.environ["PATH"], "HOME": str(server.home / f"home-{user}"), "HAWK_API_URL": server.url,
           "HAWK_ACCESS_TOKEN": token_of(server, user), "HAWK_VERSION_CHECK": "off", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    return subprocess.run([str(peer.parent / "hawk"), *args], env=env, capture_output=True, text=True, timeout=300, check=False, cwd=server.home)


def test_the_python_hawk_imports_into_our_server(server, peer, logs, tmp_path):
    (tmp_path / "in/deep").mkdir(parents=True)
    shutil.copy(logs / "unscored.eval", tmp_path / "in/a.eval")
    shutil.copy(logs / "errors.eval", tmp_path / "in/deep/b+c.eval")
    done = run_peer(server, peer, "ada", "import", str(tmp_path / "in"), "--name", "from python", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    eval_set_id = done.stdout.split("Imported as ")[1].split()[0]
    assert eval_set_id.startswith("imported-from-python-")
    ada = token_of(server, "ada")
    rows = server.wait_for(lambda: server.get(f"/meta/samples?eval_set_id={eval_set_id}", token=ada)[1]["items"], 60)
    server.wait_for(lambda: server.get(f"/meta/imports?eval_set_id={eval_set_id}", token=ada)[1]["counts"]["success"] == 2, 60)
    assert {row["created_by"] for row in rows} == {"ada"}
    again = run_peer(server, peer, "ada", "import", str(tmp_path / "in/a.eval"), "--yes")
    assert again.returncode == 1 and "Eval already imported" in again.stderr


def test_both_programs_stamp_alike(server, peer, logs, tmp_path):
    """What ends up in the store differs by the ids only."""
    stamped = {}
    for who, kind in (("peer", "limits_tokens.eval"), ("ours", "intermediate.eval")):
        shutil.copy(logs / kind, tmp_path / f"{who}.eval")
    for program in ("peer", "ours"):
        if program == "peer":
            done = run_peer(server, peer, "ada", "import", str(tmp_path / "peer.eval"), "--yes")
        else:
            done = server.run("import", str(tmp_path / "ours.eval"), env={"XDG_DATA_HOME": str(server.home / "ada")}, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        eval_set_id = done.stdout.split("Imported as ")[1].split()[0]
        header = json.loads(read_eval_log(str(server.data / "store/evals" / eval_set_id / f"{program}.eval"), header_only=True).model_dump_json())
        stamped[program] = (header["eval"]["eval_set_id"] == eval_set_id,
                            {**header["eval"]["metadata"], "eval_set_id": ""}, {**header["metadata"], "eval_set_id": ""})
    assert stamped["peer"] == stamped["ours"]


def test_an_import_is_its_owners(server, logs):
    """Others can neither send to it nor finalize it, and do not see what they are not in all groups of."""
    ada, bob = token_of(server, "ada"), token_of(server, "bob")
    status, _, body = server.request("POST", "/eval_sets/import/", body={}, token=ada)
    assert status == 200
    eval_set_id = json.loads(body)["eval_set_id"]
    for path in ("uploads", "finalize"):
        status, _, body = server.request("POST", f"/eval_sets/import/{eval_set_id}/{path}", body={"files": []}, token=bob)
        assert status == 403, body


def of_model(log: pathlib.Path, out: pathlib.Path, model: str) -> pathlib.Path:
    """The log as if it were of another model and another eval, with samples of its own."""
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(out, "w") as new:
        uuids = [json.loads(old.read(name))["uuid"] for name in old.namelist() if name.startswith("samples/")]
        for name in old.namelist():
            data = old.read(name)
            for uuid in uuids:
                data = data.replace(uuid.encode(), uuid[::-1].encode())
            if name == "header.json":
                header = json.loads(data)
                header["eval"].update(model=model, eval_id=f"eval-of-{model}")
                header["stats"]["model_usage"] = {}
                data = json.dumps(header).encode()
            new.writestr(zipfile.ZipInfo(name), data)  # which has no date: the same bytes each time
    return out


def test_models_decide_who_imports_and_who_sees(server, logs, tmp_path):
    """Logs of a model that is not known, or in a group that one is not in, are not published; others see neither the logs
    nor that they are being imported."""
    ada, bob = token_of(server, "ada"), token_of(server, "bob")

    def imported(user: str, model: str) -> subprocess.CompletedProcess:
        path = of_model(logs / "unscored.eval", tmp_path / f"{user}-{model}.eval", model)
        return server.run("import", str(path), "--json", env={"XDG_DATA_HOME": str(server.home / user)}, check=False)

    unknown = imported("ada", "unheard-of")
    assert unknown.returncode != 0 and "no model that this server knows" in unknown.stderr
    denied = imported("bob", "hidden")
    assert denied.returncode != 0 and "not in all its model groups" in denied.stderr
    assert not list((server.data / "store/evals").glob("*/bob-hidden.eval"))
    allowed = imported("ada", "hidden")
    assert allowed.returncode == 0, allowed.stderr
    eval_set_id = json.loads(allowed.stdout)["eval_set_id"]
    path = f"/meta/imports?eval_set_id={eval_set_id}"
    assert [item["log"] for item in server.get(path, token=ada)[1]["items"]] == ["ada-hidden.eval"]
    assert server.get(path, token=bob)[1]["items"] == []
    server.wait_for(lambda: server.get(path, token=ada)[1]["counts"]["success"] == 1, 60)
    server.wait_for(lambda: len(server.get(f"/meta/samples?eval_set_id={eval_set_id}", token=ada)[1]["items"]) == 1, 60)
    assert server.get(f"/meta/samples?eval_set_id={eval_set_id}", token=bob)[1]["items"] == []
