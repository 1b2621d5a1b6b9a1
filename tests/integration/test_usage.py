"""Tokens by model: /usage, its history, prices, and `hawk usage`; on both databases what the logs say."""

import datetime
import json
import time

import pytest
from conftest import Hawk, ROOT
from test_jobs_survive import config_of


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def used(request, tmp_path_factory, cache):
    """A server with one eval set that has just run."""
    hawk = Hawk(tmp_path_factory.mktemp("usage"), cache)
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        hawk.env["HAWK_API_DATABASE_URL"] = server.url(server.make("usage"))
    models = hawk.home / "models.yaml"
    models.write_text("- {name: paid, group: model-access-g, provider: acme, input_cost_per_1m: 2.5}\n- {name: free, group: model-access-g}\n")
    hawk.env["HAWK_API_MODELS_FILE"] = str(models)
    hawk.start()
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config_of(ROOT, eval_set_id="used")})
    assert status == 200, body
    assert hawk.wait_job("used", 600)["status"] == "complete"
    hawk.samples = hawk.get("/meta/samples?eval_set_id=used")[1]["items"]
    yield hawk
    hawk.stop()


def history(hawk, **more) -> list:
    """What is said of the last two hours."""
    now = int(time.time())
    query = "&".join(f"{name}={value}" for name, value in {"start": now - 7200, "end": now + 60, **more}.items())
    status, answer = hawk.get(f"/usage/history?{query}")
    assert status == 200, answer
    return answer


@pytest.mark.parametrize(("group", "member", "who"), [("user", "users", None), ("job", "jobs", "used"), ("task", "tasks", None)])
def test_history_has_the_tokens_of_the_samples(used, group, member, who):
    """By person, eval set or task; each bin has their sum."""
    (model,) = history(used, group_by=group, bin_seconds=60)
    assert model["tokens_limit"] == 0 and model["team_filter"] is None
    entries = [entry for bin in model["bins"] for entry in bin[member]]
    assert sum(entry["tokens"] for entry in entries) == sum(sample["total_tokens"] for sample in used.samples) > 0
    assert sum(bin["input_tokens"] for bin in model["bins"]) == sum(sample["input_tokens"] for sample in used.samples)
    assert who is None or {entry[group] for entry in entries} == {who}
    assert all(bin[other] == [] for bin in model["bins"] for other in ("users", "teams", "jobs", "tasks") if other != member)


def test_bins_begin_at_the_start_and_hold_what_ended_in_them(used):
    """A bin is as long as was asked for."""
    ends = [datetime.datetime.fromisoformat(sample["completed_at"].replace("Z", "+00:00")).timestamp() for sample in used.samples]
    start = int(min(ends)) - 90
    (model,) = history(used, start=start, end=int(max(ends)) + 1, bin_seconds=60)
    expected = {start + 60 * int((end - start) // 60) for end in ends}
    assert [bin["start"] for bin in model["bins"]] == sorted(expected)
    assert history(used, start=0, end=3600) == []


def test_what_cannot_be_answered_is_refused(used):
    """As the Python hawk refuses it."""
    for query, status in (("", 422), ("start=a&end=0", 422), ("start=0&end=3600&bin_seconds=61", 400), ("start=0&end=36000000&bin_seconds=60", 400),
                          ("start=3600&end=0", 400), ("start=0&end=3600&group_by=team&team=x", 400), ("start=0&end=3600&group_by=x", 422),
                          ("start=nan&end=1", 422), ("start=1e300&end=2e300", 422)):
        assert used.get(f"/usage/history?{query}")[0] == status, query
    assert history(used, team="x") == []


def test_live_usage_limits_and_prices(used):
    """The last minutes; no limits are known; the registry has prices."""
    (model,) = used.get("/usage")[1]
    assert set(model) == {"provider", "model", "users", "teams", "jobs", "tasks"}
    assert used.get("/usage/limits") == (200, [])
    prices = {price["model"]: price for price in used.get("/usage/prices")[1]}
    assert prices["paid"]["input_cost_per_1m"] == 2.5 and prices["paid"]["provider"] == "acme"
    assert prices["free"]["input_cost_per_1m"] is None


def test_the_command_sums_up_what_one_has_used(used):
    """A table, or JSON with the window."""
    answer = used.json("usage")
    assert answer["window"]["end"] - answer["window"]["start"] == 24 * 3600
    assert [row["tokens"] for row in answer["rows"]] == [sum(sample["total_tokens"] for sample in used.samples)]
    assert answer["rows"][0]["model"] in used.run("usage", "--live").stdout
