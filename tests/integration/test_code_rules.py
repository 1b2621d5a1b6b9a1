"""Which group the code of a place is for: the routes of administrators."""

import json
import uuid

import pytest

from conftest import Hawk


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request, tmp_path_factory, cache):
    """A server of one user, who is its administrator, on either database."""
    hawk = Hawk(tmp_path_factory.mktemp("rules"), cache)
    if request.param == "postgresql":
        hawk.env["HAWK_API_DATABASE_URL"] = request.getfixturevalue("postgresql").url()
    hawk.start()
    yield hawk
    hawk.stop()


def send(server, method: str, path: str, body=None) -> tuple[int, object]:
    """Return the status and what came back, or the detail of a refusal."""
    status, _, text = server.request(method, path, body)
    got = json.loads(text) if text else None
    return status, got["detail"] if status >= 400 else got


def test_rules_are_made_listed_changed_and_removed(server):
    """In the order of their prefixes; a change keeps the key, and a group may be had by several."""
    status, org = send(server, "POST", "/code_rules/", {"url_prefix": "github.com/org", "group": "insiders"})
    assert status == 201 and uuid.UUID(org.pop("pk")) and org == {"url_prefix": "github.com/org", "group": "insiders"}
    status, package = send(server, "POST", "/code_rules", {"url_prefix": "a-package", "group": None})
    assert status == 201
    status, listed = send(server, "GET", "/code_rules/")
    assert status == 200 and [(rule["url_prefix"], rule["group"]) for rule in listed] == [("a-package", None), ("github.com/org", "insiders")]
    changed = {"url_prefix": "github.com/org/secret", "group": "insiders"}
    assert send(server, "PUT", f"/code_rules/{package['pk']}", changed) == (200, {"pk": package["pk"], **changed})
    assert send(server, "POST", "/code_rules/", {"url_prefix": "github.com/org", "group": None}) == (409, "a rule for this prefix already exists")
    assert send(server, "PUT", f"/code_rules/{package['pk']}", {"url_prefix": "github.com/org", "group": None})[0] == 409
    assert send(server, "DELETE", f"/code_rules/{package['pk']}") == (204, None)
    assert send(server, "DELETE", f"/code_rules/{package['pk']}") == (404, "no such rule")
    assert send(server, "PUT", f"/code_rules/{package['pk']}", changed) == (404, "no such rule")
    assert [rule["url_prefix"] for rule in send(server, "GET", "/code_rules")[1]] == ["github.com/org"]


GOOD = ["a", "a-b-1", "git.example", "git.example/a", "git.example/a/b/c/d", "my_host.example/._-", "127.0.0.1/a", "1.2.3.4.example", "github.com/a/b"]
WRONG = ["", "A", "a--b", "-a", "a_b", "localhost/a", "https://git.example/a", "user@git.example/a", "git.example:22/a", "git.example/", "git.example//a",
         "git.example/..", "git.example/-/a", "git.example/A", "127.0.1/a", "0x7f.0.0.1/a", "127.0.0.01/a", "1.2.3.256", "github.com/a/b/c",
         "acme.ghe.com/a/b/c", "a\0b", "a" * 1001]


def test_a_prefix_is_spelled_in_one_way(server):
    """Others would fit nothing, or something that nobody has thought of."""
    for prefix in GOOD:
        status, rule = send(server, "POST", "/code_rules/", {"url_prefix": prefix, "group": None})
        assert status == 201, prefix
        assert send(server, "DELETE", f"/code_rules/{rule['pk']}")[0] == 204
    for prefix in WRONG:
        assert send(server, "POST", "/code_rules/", {"url_prefix": prefix, "group": None})[0] == 422, prefix


@pytest.mark.parametrize("body", [
    {"url_prefix": "a"}, {"group": None}, {"url_prefix": "a", "group": None, "more": 1}, {"url_prefix": 1, "group": None}, {"url_prefix": "a", "group": 1},
    {"url_prefix": "a", "group": ""}, {"url_prefix": "a", "group": "A"}, {"url_prefix": "a", "group": "1a"}, {"url_prefix": "a", "group": "a" * 53}, [],
])
def test_a_rule_says_its_place_and_its_group_and_nothing_else(server, body):
    """That a rule is for everybody has to be said, too."""
    assert send(server, "POST", "/code_rules/", body)[0] == 422


def test_what_is_no_key_is_refused(server):
    """As 3.7.2 does."""
    for method, body in (("PUT", {"url_prefix": "a", "group": None}), ("DELETE", None)):
        assert send(server, method, "/code_rules/1", body)[0] == 422
