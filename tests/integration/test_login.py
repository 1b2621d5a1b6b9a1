"""Logging in at a real identity provider, and what the server makes of its tokens."""

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.request

import pytest

import identity_provider
from conftest import ROOT
from identity_provider import Browser

pytestmark = pytest.mark.skipif(identity_provider.why_not() is not None, reason=str(identity_provider.why_not()))


@pytest.fixture(scope="module")
def provider():
    """A running identity provider."""
    running = identity_provider.Provider()
    yield running
    running.close()


@pytest.fixture
def server(home, provider):
    """A server that trusts the provider; its commands use files for credentials."""
    home.env.update(provider.settings())
    home.start()
    home.env.update(HAWK_API_URL=home.url, HAWK_CREDENTIALS="file", XDG_DATA_HOME=str(home.home / "share"), HAWK_VERSION_CHECK="off")
    yield home
    home.stop()


def log_in(server, provider, user: str, **env: str) -> subprocess.CompletedProcess:
    """`hawk login --device`, with a person who enters the code."""
    child = subprocess.Popen([str(server.program), "login", "--device"], env={**server.env, **env}, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, cwd=server.home)
    said = []
    for line in child.stderr:
        said.append(line)
        if match := re.search(r"or open (\S+)", line):
            Browser(provider, user).enter_code(match[1])
    out = child.stdout.read()
    return subprocess.CompletedProcess(child.args, child.wait(60), out, "".join(said))


def tokens_of(server) -> dict:
    """What the file of credentials holds for the one login."""
    path = server.home / "share/hawk/credentials.json"
    assert path.stat().st_mode & 0o777 == 0o600
    (entry,) = json.loads(path.read_text()).values()
    return entry


def test_a_login_by_device_code_lets_commands_in(server, provider):
    """Without a login a command says what to do; with one it works, as the person who entered the code."""
    refused = server.run("list", "jobs", check=False)
    assert refused.returncode == 3 and "hawk login" in refused.stderr
    done = log_in(server, provider, "ada")
    assert done.returncode == 0, done.stderr
    assert "Logged in successfully" in done.stderr
    assert server.json("list", "jobs")["items"] == []
    token = server.run("auth", "access-token").stdout.strip()
    status, me = server.get("/auth/me", token=token)
    assert status == 200 and me["sub"] == "ada" and me["email"] == "ada@example.org"


def test_a_login_by_browser_lets_commands_in(server, provider):
    """The browser comes back to the waiting command, with PKCE."""
    child = subprocess.Popen([str(server.program), "login"], env=server.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.PIPE, text=True, cwd=server.home)
    address = next(line.strip() for line in child.stderr if line.startswith("http"))
    assert "code_challenge_method=S256" in address
    back = Browser(provider, "bob").authorize(address)
    with urllib.request.urlopen(back, timeout=30) as page:
        assert page.status == 200
    err = child.stderr.read()
    assert child.wait(60) == 0, err
    assert server.get("/auth/me", token=server.run("auth", "access-token").stdout.strip())[1]["sub"] == "bob"


def test_a_login_by_browser_elsewhere_takes_the_address_it_ends_at(server, provider):
    """Pasted into the terminal."""
    child = subprocess.Popen([str(server.program), "login"], env=server.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             stdin=subprocess.PIPE, text=True, cwd=server.home)
    address = next(line.strip() for line in child.stderr if line.startswith("http"))
    child.stdin.write(Browser(provider, "bob").authorize(address) + "\n")
    child.stdin.flush()
    assert child.wait(60) == 0, child.stderr.read()


def test_an_answer_to_another_login_is_refused(server, provider):
    """The state does not fit."""
    done = server.run("login", check=False, input="http://localhost:18922/callback?code=x&state=of-another\n")
    assert done.returncode == 3 and "does not belong to this login" in done.stderr


def test_tokens_are_renewed_once_for_many_commands_at_a_time(home):
    """The provider rotates refresh tokens and revokes all of them when one is used twice."""
    short = identity_provider.Provider(access_token_seconds=200)  # always about to expire
    try:
        home.env.update(short.settings())
        home.start()
        home.env.update(HAWK_API_URL=home.url, HAWK_CREDENTIALS="file", XDG_DATA_HOME=str(home.home / "share"))
        assert log_in(home, short, "ada").returncode == 0
        first = tokens_of(home)
        results = []
        threads = [threading.Thread(target=lambda: results.append(home.run("list", "jobs", check=False).returncode)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [0] * 6
        assert tokens_of(home)["refresh_token"] != first["refresh_token"]
        assert home.run("list", "jobs", check=False).returncode == 0
    finally:
        home.stop()
        short.close()


def test_a_login_is_for_its_server_only(server, provider):
    """Another server that claims the same provider gets neither of the tokens."""
    assert log_in(server, provider, "ada").returncode == 0
    with urllib.request.urlopen(f"{server.url}/auth/config", timeout=20) as answer:
        config = json.load(answer)
    seen = []

    class Other(http.server.BaseHTTPRequestHandler):
        """Says that it belongs to the provider, and that tokens are renewed here."""

        def do_GET(self):
            """Answer everything with the config."""
            seen.append(str(self.headers.get("Authorization", "")))
            body = json.dumps({**config, "token_endpoint": f"http://127.0.0.1:{self.server.server_port}/token"}).encode()
            self.send_response(200 if self.path == "/auth/config" else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            """Note what is sent."""
            seen.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_error(400)

        def log_message(self, *args):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = {"HAWK_API_URL": f"http://127.0.0.1:{other.server_port}"}
        assert server.run("list", "jobs", check=False, env=url).returncode == 3
        other.shutdown()
    assert seen and not any(seen)


def test_an_ended_login_says_so(server, provider):
    """The refresh token was revoked; the command asks for a login and does not hang."""
    assert log_in(server, provider, "ada").returncode == 0
    path = server.home / "share/hawk/credentials.json"
    entries = json.loads(path.read_text())
    for entry in entries.values():
        entry["access_token"] = "gone"
        entry["refresh_token"] = "gone"
    path.write_text(json.dumps(entries))
    done = server.run("auth", "access-token", check=False)
    assert done.returncode == 3 and "hawk login" in done.stderr and "gone" not in done.stderr


def test_a_logout_forgets(server, provider):
    """Commands are refused afterwards."""
    assert log_in(server, provider, "ada").returncode == 0
    server.run("logout")
    assert server.run("list", "jobs", check=False).returncode == 3


MODELS = """
- {name: steady, group: model-access-public}
- {name: hidden, group: model-access-secret, lab: example}
- {name: gone, group: model-access-public, dead: true}
- {name: twofold, group: model-access-public}
- {name: hawk_examples/twofold, group: model-access-secret}
"""


def token_for(server, provider, user: str) -> str:
    """Log in as a user, each with files of its own; return the access token."""
    env = {"XDG_DATA_HOME": str(server.home / f"share-{user}")}
    assert log_in(server, provider, user, **env).returncode == 0
    return server.run("auth", "access-token", env=env).stdout.strip()


def submit(server, token: str, model: str, name: str):
    """Submit an eval set with one model; return (status, answer)."""
    package = {"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples"}
    config = {"eval_set_id": name, "tasks": [{**package, "items": [{"name": "hello", "args": {"samples": 1}}]}],
              "models": [{**package, "items": [{"name": model}]}]}
    status, _, body = server.request("POST", "/eval_sets/", {"eval_set_config": config}, token=token)
    return status, json.loads(body)


def test_models_decide_who_runs_and_who_sees(home, provider):
    """A model outside of one's groups, one that is not known and one that is gone are refused; another's job with a model of
    a group that one is not in is nowhere: not in lists, not by its id, and `auth why` says why."""
    models = home.home / "models.yaml"
    models.write_text(MODELS)
    home.env.update(provider.settings(), HAWK_API_MODELS_FILE=str(models))
    home.start()
    home.env.update(HAWK_API_URL=home.url, HAWK_CREDENTIALS="file", HAWK_VERSION_CHECK="off")
    try:
        ada, bob = token_for(home, provider, "ada"), token_for(home, provider, "bob")
        assert submit(home, bob, "hidden", "of-bob")[0] == 403
        assert submit(home, bob, "twofold", "of-bob")[0] == 403  # that of the package, not the one of its name alone
        status, problem = submit(home, bob, "unheard-of", "of-bob")
        assert status == 422 and problem["title"] == "Declared model unavailable"
        status, problem = submit(home, bob, "gone", "of-bob")
        assert status == 400 and problem["title"] == "Dead models"
        assert submit(home, bob, "none/none", "of-bob")[0] == 422
        assert home.get("/meta/jobs", token=ada)[1]["items"] == []
        assert submit(home, ada, "hidden", "of-ada")[0] == 200
        assert submit(home, bob, "steady", "of-bob")[0] == 200
        seen = {user: {job["job_id"] for job in home.get("/meta/jobs", token=token)[1]["items"]} for user, token in (("ada", ada), ("bob", bob))}
        assert seen == {"ada": {"of-ada", "of-bob"}, "bob": {"of-bob"}}
        assert home.request("GET", "/monitoring/jobs/of-ada/status", token=bob)[0] == 403
        assert home.request("GET", "/view/logs/logs?log_dir=of-ada", token=bob)[0] == 403
        assert home.request("DELETE", "/eval_sets/of-bob", token=ada)[0] == 403
        why = home.json("auth", "why", "of-ada", env={"XDG_DATA_HOME": str(home.home / "share-bob")})
        assert why["allowed"] is False and why["model_groups"] == [{"name": "model-access-secret", "is_yours": False}]
    finally:
        home.stop()


def test_reading_rights_do_not_change_anything(server, provider):
    """403, and nothing is submitted."""
    assert log_in(server, provider, "reader").returncode == 0
    token = server.run("auth", "access-token").stdout.strip()
    config = {"tasks": [{"package": "p", "name": "p", "items": [{"name": "t"}]}]}
    status, _, body = server.request("POST", "/eval_sets/", {"eval_set_config": config}, token=token)
    assert status == 403 and b"read-only" in body
    assert server.get("/meta/jobs", token=token)[1]["items"] == []


def test_the_single_user_s_token_means_nothing_here(server):
    """There is no such file, and any token that is no JWT of the provider is refused."""
    assert not (server.data / "token").exists()
    assert server.request("GET", "/meta/jobs", token="x" * 43)[0] == 401


def test_the_secret_service_keeps_a_login(server, provider):
    """Where the desktop has one, no file is written."""
    if not shutil.which("secret-tool") or not shutil.which("gnome-keyring-daemon") or not shutil.which("dbus-run-session"):
        pytest.skip("no Secret Service is installed")
    run = server.home / "run"
    run.mkdir(mode=0o700)
    script = ('printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@"')
    env = {**server.env, "XDG_RUNTIME_DIR": str(run), "HAWK_CREDENTIALS": "keyring", "PATH": os.environ["PATH"]}
    inner = f"{server.program} login --device && {server.program} list jobs --json && {server.program} auth access-token >/dev/null"
    child = subprocess.Popen(["dbus-run-session", "--", "sh", "-c", script, "sh", "sh", "-c", inner], env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, cwd=server.home)
    said = []
    for line in child.stderr:
        said.append(line)
        if match := re.search(r"or open (\S+)", line):
            Browser(provider, "ada").enter_code(match[1])
    out = child.stdout.read()
    assert child.wait(60) == 0, said
    assert json.loads(out)["items"] == []
    assert not (server.home / "share/hawk/credentials.json").exists()


def test_no_token_is_in_a_process_list_or_an_output(server, provider):
    """Not in what login prints, nor in the server's log."""
    done = log_in(server, provider, "ada")
    entry = tokens_of(server)
    for name in ("access_token", "refresh_token", "id_token"):
        assert entry[name] not in done.stdout + done.stderr + server.server_output()


def test_the_server_listens_anywhere_with_a_provider(home, provider):
    """Without one it refuses, because everybody there would be the user."""
    home.env.update(provider.settings())
    home.start("--listen", "0.0.0.0")
    try:
        status, config = home.get("/auth/config", token="")
        assert status == 200 and config["issuer"] == provider.issuer and config["audience"] == "hawk"
    finally:
        home.stop()


def test_a_setting_that_is_missing_is_named(home, provider):
    """Status 2, before anything is made."""
    settings = provider.settings()
    del settings["HAWK_API_MODEL_ACCESS_TOKEN_JWKS_URI"]
    done = home.run("serve", "--port", "0", check=False, env=settings, cwd=ROOT)
    assert done.returncode == 2 and "HAWK_API_MODEL_ACCESS_TOKEN_JWKS_URI" in done.stderr
    assert not home.data.exists()
