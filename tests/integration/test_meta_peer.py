"""The reading routes below /meta, of our server and of the Python hawk's 3.7.2, both on PostgreSQL: the same questions over
the same logs, the same answers.

Both read one bucket, each with its own importer, and trust one identity provider. REQUESTS is what is asked; EXCEPTIONS
names what differs on purpose; docs/warehouse.md has the same list.
"""

import concurrent.futures
import dataclasses
import datetime
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import hawk_peer
import identity_provider
import pytest
from conftest import Hawk
from hawk_server import Server
from test_import_peer import of_model, token_of

pytestmark = pytest.mark.skipif(identity_provider.why_not() is not None, reason=str(identity_provider.why_not()))

GROUPS = {"model": "model-access-public", "hidden": "model-access-secret"}
SETS = {
    "set-1": ["tools", "errors", "limits_tokens"],
    "two": ["intermediate", "failed"],
    "odd": ["scores", "invalidated", "agents", "texts"],
    "mixed": ["unscored"],
}
"""Eval sets and their logs; in the last one is also a log of a model that not everybody may see."""


@dataclasses.dataclass
class Answer:
    """What a server says."""

    status: int
    body: object


def ask(url: str, path: str, token: str) -> Answer:
    """Ask a server."""
    request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Answer(answer.status, json.load(answer))
    except urllib.error.HTTPError as error:
        return Answer(error.code, json.load(error))


class World:
    """Both servers, and the tokens of somebody who may see all models and of one who may see fewer."""

    def __init__(self, folder, cache, peer, postgresql, bucket, logs, odd_logs):
        self.bucket, self.peer, self.postgresql = bucket, peer, postgresql
        self.provider = identity_provider.Provider()
        self.keys = self._put_logs(folder, logs, odd_logs)
        models = folder / "models.yaml"
        models.write_text("".join(f"- {{name: {name}, group: {group}}}\n" for name, group in GROUPS.items()))
        settings = {**bucket.env, **self.provider.settings(), "HAWK_API_S3_BUCKET_NAME": bucket.name}
        theirs = postgresql.tcp_url(postgresql.make("theirs"))
        (folder / "theirs").mkdir()
        self.theirs = Server(peer, folder / "theirs", {**settings, "HAWK_API_DATABASE_URL": hawk_peer.driver_url(theirs)}, GROUPS)
        self.errors: list[str] = []
        pool = concurrent.futures.ThreadPoolExecutor(1)
        filled = pool.submit(self._fill_theirs)
        self.ours = Hawk(folder / "ours", cache)
        self.ours.home.mkdir()
        self.ours.env.update(settings, HAWK_API_MODELS_FILE=str(models), HAWK_API_DATABASE_URL=postgresql.url(postgresql.make("ours")))
        self.ours.start()
        self.ours.provider = self.provider
        self.ours.env.update(HAWK_API_URL=self.ours.url, HAWK_CREDENTIALS="file", HAWK_VERSION_CHECK="off")
        self.token, self.token_of_fewer = token_of(self.ours, "ada"), token_of(self.ours, "bob")
        self.ours.wait_for(self._has_all)
        filled.result()
        pool.shutdown()
        assert self.errors == []
        self.theirs.wait()

    def _put_logs(self, folder, logs, odd_logs) -> list[str]:
        keys = []
        for eval_set, names in SETS.items():
            groups = ["model-access-public"] + (["model-access-secret"] if eval_set == "mixed" else [])
            self.bucket.put(f"evals/{eval_set}/.models.json", json.dumps({"model_names": ["model"], "model_groups": groups}).encode())
            for name in names:
                path = next(path for path in (logs / f"{name}.eval", odd_logs / f"{name}.eval") if path.exists())
                keys.append(f"evals/{eval_set}/{name}.eval")
                self.bucket.put(keys[-1], path.read_bytes())
        keys.append("evals/mixed/secret.eval")
        self.bucket.put(keys[-1], of_model(logs / "limits_messages.eval", folder / "secret.eval", "hidden").read_bytes())
        return keys

    def _fill_theirs(self) -> None:
        """The peer's rows are the same for the same logs, so they are kept."""
        objects = [(key, self.bucket.get(key)) for key in self.keys]
        hawk_peer.fill_database(self.peer, self.postgresql, "theirs", self._import_theirs, repr((GROUPS, objects)).encode())

    def _import_theirs(self) -> bool:
        for model, group in GROUPS.items():
            self.postgresql.run(f"INSERT INTO middleman.model_group (name) VALUES ('{group}')", "theirs")
            self.postgresql.run(f"INSERT INTO middleman.model (name, model_group_pk) SELECT '{model}', pk FROM middleman.model_group "
                                f"WHERE name = '{group}'", "theirs")
        url = self.postgresql.tcp_url("theirs")
        answers, _ = hawk_peer.import_logs(self.peer, [(url, f"s3://{self.bucket.name}/{key}") for key in self.keys], self.bucket.env)
        self.errors = [answer.error for answer in answers if answer.error]
        return not self.errors

    def _has_all(self) -> bool:
        return self.ours.get("/meta/imports", token=self.token)[1]["counts"]["success"] == len(self.keys)

    def close(self) -> None:
        """End it."""
        self.theirs.close()
        self.ours.stop()
        self.provider.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory, cache, peer, postgresql, bucket, logs, odd_logs):
    it = World(tmp_path_factory.mktemp("world"), cache, peer, postgresql, bucket, logs, odd_logs)
    yield it
    it.close()


NOWHERE = object()

SORTED = [
    "id", "uuid", "epoch", "started_at", "completed_at", "input_tokens", "output_tokens", "reasoning_tokens", "total_tokens", "action_count",
    "message_count", "working_time_seconds", "total_time_seconds", "generation_time_seconds", "eval_id", "eval_set_id", "task_name",
    "task_version", "model", "score_value", "score_scorer", "status", "author", "created_by", "invalid", "is_invalid", "error_message",
    "location",
]
NARROWED = [
    "eval_set_id=set-1", "eval_set_id=", "eval_set_id=nothing", "search=tools", "search=set-1%20TOOLS", "search=%25", "search=nowhere",
    "search=", "status=success", "status=error", "status=error&status=token_limit", "status=bogus", "status=", "score_min=0.5", "score_max=0.5",
    "score_min=0&score_max=1", "score_min=1&score_max=0", "score_min=abc", "score_min=", "scorer=exact", "scorer=exact&score_min=1",
    "scorer=match&score_max=0", "scorer=%20", "scorer=nobody", "scorer=nobody&score_min=0", "scorer=intermediate_0&score_min=0",
    "filter_model=MODEL", "filter_model=", "filter_created_by=", "filter_created_by=nobody", "filter_task_name=ool", "filter_task_version=",
    "filter_task_version=0", "completed_after=2020-01-01", "completed_before=2020-01-01", "completed_after=2020-01-01T00:00:00",
    "completed_before=2100-01-01T00:00:00Z", "completed_after=2100-01-01&completed_before=2020-01-01", "completed_after=yesterday",
]
OF_A_SAMPLE = [
    "", "/scores", "/events", "/events?limit=3", "/events?from_order=2&limit=2", "/events?event_type=model&event_type=tool&limit=5",
    "/events?event_uuid=nothing", "/events?resolve=true", "/events?limit=0", "/events?limit=1001", "/events?limit=101&resolve=true",
    "/events?from_order=-1",
]
SAMPLES = ["tools", "errors", "scores", "agents", "secret", "intermediate"]
REQUESTS = {
    "eval sets": [f"/meta/eval-sets{rest}" for rest in (
        "", "?page=99", "?search=set", "?search=TOOLS%20set-1", "?search=errors%20tools", "?search=100%25",
        "?limit=0", "?limit=501", "?page=0", "?limit=x")],
    "evals": [f"/meta/evals{rest}" for rest in (
        "", "?eval_set_id=set-1", "?eval_set_id=two", "?eval_set_id=odd", "?eval_set_id=mixed", "?eval_set_id=nothing")],
    "samples in an order": [f"/meta/samples?limit=500&sort_by={column}&sort_order={order}" for column in SORTED for order in ("asc", "desc")],
    "some of the samples": [
        *(f"/meta/samples?limit=500&sort_by=uuid&{more}" for more in NARROWED),
        "/meta/samples?limit=7&page=2&sort_by=uuid", "/meta/samples?limit=500&page=2", "/meta/samples?limit=0", "/meta/samples?page=0",
        "/meta/samples?sort_by=colour", "/meta/samples?sort_by=", "/meta/samples?sort_order=up", "/meta/samples?sort_order=ASC",
        "/meta/samples?limit=500&sort_by=uuid&search={tools}"],
    "a sample": [f"/meta/samples/{name}{rest}" for name in ("nothing", *(f"{{{name}}}" for name in SAMPLES)) for rest in OF_A_SAMPLE],
}
"""What is asked; a name in braces stands for the uuid of a sample of that task."""

REQUESTS_OF_FEWER = [
    *REQUESTS["eval sets"], *(path for path in REQUESTS["evals"] if "mixed" not in path), *(path for path in REQUESTS["a sample"] if "{secret}" in path),
    *(f"/meta/samples?limit=500&sort_by={column}" for column in ("uuid", "completed_at", "total_tokens", "score_value", "model")),
    *(f"/meta/samples?limit=500&sort_by=uuid&{more}" for more in (
        "eval_set_id=set-1", "search=secret", "filter_model=hidden", "status=success", "score_min=0.5")),
]
"""What somebody asks who does not see the group of one model of the set "mixed"."""

EXCEPTIONS = {
    ".next_cursor": "only ours",
    ".items[].total_samples": "of a log without results we count the samples, there it is 0",
    ".items[].completed_samples": "the same",
    ".events[].events": "what is in no log: an empty list of older versions",
    ".events[].traceback_ansi": "of an error we keep it",
}

def without_references(value, texts: dict[str, str]):
    """Resolved in full: the peer leaves references where Inspect's resolver does not look, with their texts beside them."""
    if isinstance(value, dict):
        return {key: without_references(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [without_references(item, texts) for item in value]
    return texts.get(value.removeprefix("attachment://"), value) if isinstance(value, str) else value


def plain(value):
    """A JSON value as both servers mean it: null is what is not there, keys of rows are a database's own, and instants may be
    written in two ways."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "pk" and item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", value):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return value


def differences(ours, theirs, where: str = "") -> list[tuple[str, object, object]]:
    """Where two values are not the same."""
    if where in EXCEPTIONS:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [found for key in sorted(ours.keys() | theirs.keys())
                for found in differences(ours.get(key, NOWHERE), theirs.get(key, NOWHERE), f"{where}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [found for one, other in zip(ours, theirs, strict=True) for found in differences(one, other, f"{where}[]")]
    if isinstance(ours, float | int) and isinstance(theirs, float | int) and ours == pytest.approx(theirs, abs=1e-6):
        return []
    return [] if type(ours) is type(theirs) and ours == theirs else [(where, ours, theirs)]


def name_of(item: dict) -> str:
    """What tells an item of a list from the others."""
    return item.get("uuid") or item.get("id") or item["eval_set_id"]


def score_of(item: dict) -> float | None:
    """The one score of a sample, as a number."""
    try:
        return float(item["score_value"])
    except (KeyError, ValueError):
        return None


def order_of(path: str, body: dict) -> list:
    """The values that a list is sorted by. Items that are equal in it stand in the order of each database's own keys."""
    column = next((part.removeprefix("sort_by=") for part in path.split("?")[-1].split("&") if part.startswith("sort_by=")), "")
    if column == "score_value":  # sorted as a number; scores that are none are equal
        return [score_of(item) for item in body["items"]]
    if column == "status":  # to the peer all limits are one
        return [re.sub(r".*_limit$", "limit", str(item.get(column))) for item in body["items"]]
    return [item.get(column) for item in body["items"]]


def body_of(path: str, answer: Answer, hidden: str) -> dict:
    """What an answer says, in one form, without items of the hidden set."""
    body = answer.body
    if "resolve=true" in path:
        body = without_references(body, body["attachments"]) | {"attachments": {}}
    body = plain(body)
    if "items" in body:
        body["items"] = [item for item in body["items"] if item.get("eval_set_id") != hidden]
        body = body | {"order": order_of(path, body), "items": sorted(body["items"], key=name_of)}
        for item in body["items"]:
            if "task_names" in item:
                item["task_names"] = sorted(item["task_names"])
    return body


def compare(world: World, path: str, token: str, hidden: str = "") -> list:
    """How two answers differ, but for a set that ours hides and the peer shows in part."""
    theirs, ours = ask(world.theirs.url, path, token), ask(world.ours.url, path, token)
    if ours.status != theirs.status:
        return [(path, ours.status, theirs.status)]
    if ours.status != 200:
        return []
    return [(path, *found) for found in differences(body_of(path, ours, hidden), body_of(path, theirs, hidden))]


@pytest.fixture(scope="module")
def names(world) -> dict[str, str]:
    """Uuids of samples by the name of their log or task."""
    found: dict[str, str] = {}
    for item in ask(world.theirs.url, "/meta/samples?limit=500&sort_by=uuid&sort_order=asc", world.token).body["items"]:
        found.setdefault(item["task_name"], item["uuid"])
        found.setdefault(item["filename"].split(".")[0], item["uuid"])
    return found


@pytest.mark.parametrize("what", REQUESTS)
def test_both_servers_say_the_same_of(world, names, what):
    found = [line for path in REQUESTS[what] for line in compare(world, path.format_map(names), world.token)]
    assert found == [], "\n".join(str(line)[:300] for line in found[:20])


def items_for(server: str, token: str, search: str) -> list[dict]:
    """The samples that are found."""
    return ask(server, f"/meta/samples?search={search}", token).body["items"]


def test_both_servers_show_the_same_to_somebody_who_may_see_fewer_models(world, names):
    servers = (world.ours.url, world.theirs.url)
    assert all(items_for(server, world.token, "secret") for server in servers)
    assert not any(items_for(server, world.token_of_fewer, "secret") for server in servers)
    assert not items_for(world.ours.url, world.token_of_fewer, "mixed")
    found = [line for path in REQUESTS_OF_FEWER for line in compare(world, path.format_map(names), world.token_of_fewer, "mixed")]
    assert found == [], "\n".join(str(line)[:300] for line in found[:20])
