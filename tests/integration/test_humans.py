"""People who take evaluations themselves: the registry, its routes and `hawk human`."""

import json

import pytest

from conftest import Hawk

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


def send(hawk, method: str, path: str, body=None):
    """Send a request; return status and the JSON that came, or None."""
    status, _, data = hawk.request(method, path, body)
    return status, json.loads(data) if data else None


def test_a_person_is_registered_found_changed_and_forgotten(shared):
    """With the answers of the Python hawk."""
    status, made = send(shared, "POST", "/humans/", {"name": "bob", "ssh_public_key": f"  {KEY} me@host "})
    assert status == 201 and list(made) == ["name", "ssh_public_key", "created_at", "updated_at"]
    assert made["ssh_public_key"] == f"{KEY} me@host" and made["created_at"] == made["updated_at"]
    status, again = send(shared, "POST", "/humans", {"name": "bob", "ssh_public_key": KEY})
    assert (status, again["title"], again["detail"]) == (409, "Human already exists", "A human with name 'bob' already exists")
    assert send(shared, "GET", "/humans/")[1] == [{"name": "bob", "ssh_public_key_fingerprint": FINGERPRINT, "created_at": made["created_at"]}]
    assert send(shared, "GET", "/humans/bob") == (200, made)
    status, changed = send(shared, "PUT", "/humans/bob", {"ssh_public_key": f"{KEY} you@host"})
    assert status == 200 and changed["ssh_public_key"].endswith("you@host") and changed["updated_at"] > made["updated_at"]
    assert send(shared, "DELETE", "/humans/bob") == (204, None)
    status, missing = send(shared, "DELETE", "/humans/bob?force=true")
    assert (status, missing["title"], missing["detail"]) == (404, "Human not found", "No human with name 'bob'")


@pytest.mark.parametrize(("body", "title"), [
    ({"name": "Bob_", "ssh_public_key": KEY}, "Invalid human name"),
    ({"name": "-b", "ssh_public_key": KEY}, "Invalid human name"),
    ({"name": "b" * 64, "ssh_public_key": KEY}, "Invalid human name"),
    ({"name": "b", "ssh_public_key": "ssh-dss AAAA"}, "Invalid SSH public key"),
    ({"name": "b", "ssh_public_key": f"{KEY}\nssh-ed25519 AAAA"}, "Invalid SSH public key"),
    ({"name": "b", "ssh_public_key": f'command="x" {KEY}'}, "Invalid SSH public key"),
    ({"name": "b", "ssh_public_key": "ssh-ed25519 no-base64!"}, "Invalid SSH public key"),
    ({"name": "b"}, None),
    ({"name": ["b"], "ssh_public_key": KEY}, None),
])
def test_what_is_no_name_or_key_is_refused(shared, body, title):
    """422 that says which."""
    status, answer = send(shared, "POST", "/humans/", body)
    assert status == 422 and (title is None or answer["title"] == title)


def test_commands_do_the_same(shared, tmp_path):
    """The key comes from the command line or a file; a private key is never sent."""
    public, private = tmp_path / "id.pub", tmp_path / "id"
    public.write_text(f"{KEY} ada@laptop\n")
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    refused = shared.run("human", "register", "--name", "ada", "--ssh-key", str(private), check=False)
    assert refused.returncode == 2 and "private key" in refused.stderr
    assert shared.json("human", "register", "--name", "ada", "--ssh-key", str(public))["ssh_public_key"] == f"{KEY} ada@laptop"
    assert FINGERPRINT in shared.run("human", "list", "--format", "table").stdout
    shared.run("human", "update", "ada", "--ssh-key", KEY)
    assert [human["name"] for human in shared.json("human", "list")] == ["ada"]
    shared.run("human", "delete", "ada")
    assert shared.run("human", "delete", "ada", check=False).returncode == 5


PACKAGE = {"package": "/nowhere/at/all", "name": "nothing"}
TAKEN = {"tasks": [{**PACKAGE, "items": [{"name": "Puzzle_one"}]}], "message_limit": 5,
         "solvers": [{**PACKAGE, "items": [{"name": "s"}]}], "human_eval": {"agent_args": {"a": 1}}}
AGENT = {"PACKAGE": "/nowhere/agent", "NAME": "agents", "ITEM": "human"}


@pytest.fixture(scope="module")
def taken(tmp_path_factory, cache):
    """A server with an agent for people, and somebody to take evaluations."""
    hawk = Hawk(tmp_path_factory.mktemp("taken"), cache)
    hawk.env.update({f"HAWK_API_DEFAULT_HUMAN_AGENT_{key}": value for key, value in AGENT.items()}, HAWK_API_JUMPHOST_HOST="jump.example")
    hawk.start()
    assert send(hawk, "POST", "/humans/", {"name": "ann", "ssh_public_key": KEY})[0] == 201
    yield hawk
    hawk.stop()


def test_somebody_takes_an_eval_set(taken):
    """With the server's agent, which gets the key, one sample once and no limits; it is nobody else's and not resumed."""
    status, made = send(taken, "POST", "/human_evals/", {"human": "ann", "eval_set_config": TAKEN})
    assert status == 201 and made["human"] == "ann" and made["eval_set_id"].startswith("ann-puzzle-one-")
    config = taken.get(f"/eval_sets/{made['eval_set_id']}/config")[1]
    assert config["agents"] == [{"package": AGENT["PACKAGE"], "name": AGENT["NAME"],
                                 "items": [{"name": AGENT["ITEM"], "args": {"a": 1, "public_key": KEY}}]}]
    assert [config[key] for key in ("solvers", "message_limit", "limit", "epochs")] == [None, None, 1, 1]
    assert config["runner"]["cleanup"] is False
    assert json.loads((taken.data / "jobs" / made["eval_set_id"] / "infra-config.json").read_text())["is_human_eval"] is True
    told = taken.wait_for(lambda: (got := taken.get(f"/human_evals/{made['eval_set_id']}")[1])["assignments"][0]["completed_at"] and got)
    assert told["jumphost_host"] == "jump.example" and told["assignments"][0]["human"] == "ann"
    status, problem = send(taken, "POST", "/eval_sets/", {"eval_set_id": made["eval_set_id"]})
    assert (status, problem["title"]) == (409, "Cannot resume a human eval")
    again = {"human": "ann", "eval_set_config": {**TAKEN, "eval_set_id": made["eval_set_id"]}}
    assert send(taken, "POST", "/human_evals/", again)[0] == 409
    assert send(taken, "DELETE", "/humans/ann")[1]["title"] == "Human has assignments"


def test_a_config_that_is_not_rewritten_keeps_what_it_has(taken):
    """But for the key."""
    _, made = send(taken, "POST", "/human_evals", {"human": "ann", "eval_set_config": TAKEN, "rewrite": False})
    config = taken.get(f"/eval_sets/{made['eval_set_id']}/config")[1]
    assert config["solvers"][0]["items"][0]["args"] == {"public_key": KEY} and config["message_limit"] == 5


@pytest.mark.parametrize(("body", "status", "title"), [
    ({"human": "nobody", "eval_set_config": TAKEN}, 404, "Human not found"),
    ({"human": "ann", "eval_set_config": {**TAKEN, "isolation": "strict"}}, 422, "Strict isolation not supported"),
    ({"human": "ann"}, 422, None),
    ({"eval_set_config": TAKEN}, 422, None),
])
def test_what_nobody_can_take_is_refused(taken, body, status, title):
    """Before anything is submitted."""
    got, problem = send(taken, "POST", "/human_evals/", body)
    assert got == status and title in (None, problem["title"])


def test_without_an_agent_for_people_a_config_needs_its_own(shared):
    """The answer says which settings are missing."""
    send(shared, "POST", "/humans/", {"name": "ann", "ssh_public_key": KEY})
    status, problem = send(shared, "POST", "/human_evals/", {"human": "ann", "eval_set_config": TAKEN})
    assert status == 422 and problem["code"] == "human.no_agent" and "HAWK_API_DEFAULT_HUMAN_AGENT_PACKAGE" in problem["fix"]


# --- the commands for somebody who takes an eval set ---

# Stands in for an agent: what is said here is in the output of the job, which goes on as long as its runner lives.
SAYS = """#!/bin/sh
echo 'SSH connection: ssh root@10.0.0.1 -p 22 is not there yet'
echo 'SSH connection: ssh agent@10.0.0.2 -p 2222'
echo 'SSH connection: ssh $(reboot)@10.0.0.3 -p 2222'
echo 'SSH connection: ssh -oProxyCommand=reboot@10.0.0.3 -p 2222'
echo 'SSH connection: ssh agent@10.0.0.3;reboot -p 2222'
echo 'SSH connection: ssh agent@10.0.0.3 -p 22222222'
while kill -0 $PPID 2>/dev/null; do sleep 1; done
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory, cache):
    """A server, and the id of an eval set that ann takes, which has said how to log in."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "uv").write_text(SAYS)
    (folder / "uv").chmod(0o700)
    hawk = Hawk(folder, cache)
    hawk.env.update({f"HAWK_API_DEFAULT_HUMAN_AGENT_{key}": value for key, value in {**AGENT, "PACKAGE": "nowhere"}.items()},
                    HAWK_API_JUMPHOST_HOST="127.0.0.1", HAWK_UV=str(folder / "uv"))
    hawk.start()
    package = {"package": "a-package-that-is-nowhere", "name": "nothing"}
    (folder / "set.yaml").write_text(json.dumps({"tasks": [{**package, "items": [{"name": "puzzle"}]}]}))
    hawk.run("human", "register", "--name", "ann", "--ssh-key", KEY)
    lines = hawk.run("human", "eval", "start", str(folder / "set.yaml"), "--human", "ann").stdout.splitlines()
    assert lines[0].startswith("Eval set ID: ann-puzzle-") and lines[1] == "Human: ann" and lines[2].startswith("See your eval set log: ")
    yield hawk, lines[0].removeprefix("Eval set ID: ")
    hawk.stop()


def test_the_command_to_log_in_goes_through_the_jump_host(begun):
    """By what was said last; what would be something else to a shell or to ssh is passed over."""
    hawk, _ = begun
    done = hawk.run("human", "eval", "ssh-command", "--skip-verify", "--timeout", "60")
    assert done.stdout == "ssh -J ssh-user@127.0.0.1 agent@10.0.0.2 -p 2222\n"
    told = hawk.json("human", "eval", "ssh-command", "--skip-verify")
    assert (told["user"], told["address"], told["port"], told["jumphost_host"]) == ("agent", "10.0.0.2", 2222, "127.0.0.1")


def test_a_sandbox_that_was_not_reached_is_told_and_its_command_is_printed(begun):
    """It may be reached from elsewhere."""
    hawk, eval_set_id = begun
    done = hawk.run("human", "eval", "ssh-command", eval_set_id)
    assert "not found out whether the sandbox can be reached" in done.stderr and done.stdout.startswith("ssh -J ")


def test_a_sandbox_that_answers_is_not_warned_of(begun, tmp_path):
    """The jump host is asked for the port of the sandbox, and what listens there says that it is SSH."""
    hawk, eval_set_id = begun
    (tmp_path / "ssh").write_text('#!/bin/sh\ncase "$*" in *" -W 10.0.0.2:2222 ssh-user@127.0.0.1") echo SSH-2.0-OpenSSH_9;; esac\n')
    (tmp_path / "ssh").chmod(0o700)
    done = hawk.run("human", "eval", "ssh-command", eval_set_id, env={**hawk.env, "PATH": f"{tmp_path}:{hawk.env['PATH']}"})
    assert done.stderr == "" and done.stdout == "ssh -J ssh-user@127.0.0.1 agent@10.0.0.2 -p 2222\n"


@pytest.mark.parametrize(("words", "says"), [
    (["start", "SET"], "--human is needed"), (["start", "SET", "--human", "nobody"], "No human with name 'nobody'"),
    (["ssh-command", "none"], "none"), (["strt"], "did you mean hawk human eval start?"),
])
def test_what_cannot_be_taken_is_refused_in_words(begun, words, says):
    """Nothing is submitted then."""
    hawk, _ = begun
    done = hawk.run("human", "eval", *(str(hawk.home / "set.yaml") if word == "SET" else word for word in words), check=False)
    assert done.returncode != 0 and says in done.stderr, done.stderr


def test_of_an_eval_set_that_is_over_no_command_is_told(begun):
    """Its sandbox is gone."""
    hawk, eval_set_id = begun
    hawk.run("delete", eval_set_id, "--yes")
    done = hawk.run("human", "eval", "ssh-command", eval_set_id, "--skip-verify", check=False)
    assert done.returncode != 0 and "is over" in done.stderr
