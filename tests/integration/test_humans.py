"""People who take evaluations themselves: the registry, its routes and `hawk human`."""

import json

import pytest

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
