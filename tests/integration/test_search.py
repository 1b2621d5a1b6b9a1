"""Lists, search and SQL over HTTP and on the command line, on logs of the real Inspect."""

import csv
import io
import json

import pytest
from inspect_ai.event import Event
from inspect_ai.log import read_eval_log
from inspect_ai.model import ChatMessage
from pydantic import TypeAdapter

SETS = {"tools": "set-1", "errors": "set-errors", "many": "set-many", "intermediate": "set-intermediate"}  # tools.eval says which it is of


@pytest.fixture(scope="module")
def filled(shared, logs):
    """A server that has imported and indexed some logs."""
    for name, eval_set_id in SETS.items():
        shared.add_log(logs / f"{name}.eval", eval_set_id)
    shared.wait_imported()
    return shared


def samples_of(filled, *args: str) -> list[str]:
    """The uuids that the command lists."""
    return [item["uuid"] for item in filled.json("list", "samples", "--everywhere", *args)["items"]]


def test_a_list_goes_on_at_its_cursor(filled):
    """Page by page there is what one page has, in its order, over HTTP and on the command line."""
    whole = samples_of(filled, "--limit", "500", "--sort", "total_tokens")
    assert len(whole) > 20 and len(set(whole)) == len(whole)
    found, cursor = [], None
    for _ in range(100):
        args = ["--limit", "7", "--sort", "total_tokens", *(["--cursor", cursor] if cursor else [])]
        answer = filled.json("list", "samples", "--everywhere", *args)
        found += [item["uuid"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert found == whole
    streamed = filled.run("list", "samples", "--everywhere", "--stream", "--sort", "total_tokens").stdout.splitlines()
    assert [json.loads(line)["uuid"] for line in streamed] == whole
    assert len(filled.run("list", "samples", "--everywhere", "--stream", "--limit", "2").stdout.splitlines()) == 2
    assert filled.run("list", "samples", "--everywhere", "--stream", "--format", "csv", check=False).returncode == 2


def test_a_foreign_cursor_is_refused_with_a_fix(filled):
    """400, and the command line says what to do."""
    cursor = filled.get("/meta/samples?limit=1")[1]["next_cursor"]
    status, answer = filled.get(f"/meta/samples?limit=1&sort_by=id&cursor={cursor}")
    assert status == 400 and "cursor" in answer["detail"] and answer["fix"]


def test_filters_of_the_api_are_options(filled):
    """Status, words, order; a wrong one is named."""
    failed = filled.json("list", "samples", "--everywhere", "--status", "error", "--status", "token_limit")["items"]
    assert failed and {item["status"] for item in failed} <= {"error", "token_limit"}
    tokens = [item["total_tokens"] or 0 for item in
              filled.json("list", "samples", "--everywhere", "--sort", "total_tokens", "--limit", "5")["items"]]
    assert tokens == sorted(tokens, reverse=True)
    assert all(item["eval_set_id"] == "set-many" for item in
               filled.json("list", "samples", "set-many", "--search", "many")["items"])
    for option, choice in (("--sort", "total_tokens"), ("--status", "token_limit")):
        done = filled.run("list", "samples", "--everywhere", option, "colour", check=False)
        assert done.returncode == 2 and "'colour'" in done.stderr and choice in done.stderr


def test_samples_of_all_eval_sets_are_listed_with_theirs(filled):
    """And with the task; those of one set go without."""
    assert filled.run("list", "samples", "--everywhere").stdout.split("\n")[0].split() == ["UUID", "Eval", "Set", "Task", "ID", "Epoch", "Status", "Scores"]
    assert filled.run("list", "samples", "set-1").stdout.split("\n")[0].split() == ["UUID", "ID", "Epoch", "Status", "Scores"]


@pytest.mark.parametrize("args", [["list", "samples", "--everywhere", "--search"], ["list", "eval-sets", "--search"], ["search"]])
def test_conditions_that_do_not_fit_are_not_left_out(filled, args):
    """A list without its last condition is another one."""
    done = filled.run(*args, "x" * 20000, check=False)
    assert done.returncode == 2 and "over the limit" in done.stderr
    assert done.stdout == ""


def test_words_are_found_and_marked(filled):
    """A word of an answer leads to its sample; without a terminal the marks are gone."""
    some = filled.get("/meta/samples?limit=1&filter_task_name=tools")[1] or {}
    answer = filled.json("search", "tools", "--limit", "5")
    assert answer["items"], some
    hit = answer["items"][0]
    assert hit["eval_set_id"].startswith("set-") and "\ue000" in hit["snippet"] and "\ue001" in hit["snippet"]
    printed = filled.run("search", "tools", "--limit", "5").stdout
    assert "\ue000" not in printed and "\x1b" not in printed and hit["eval_set_id"] in printed


def test_a_hit_is_opened_where_it_is(filled):
    """What is printed behind a hit is what view-sample takes, and the viewer's address has it."""
    args = ["search", "--regex", "[a-z]", "--limit", "200"]
    hit = next(hit for hit in filled.json(*args)["items"] if hit["transcript_anchor"])
    kind, _, place = hit["transcript_anchor"].partition("=")
    assert f"{hit['sample_uuid']}  {kind}={place}" in filled.run(*args).stdout
    url = filled.json("view-sample", hit["sample_uuid"], "--at", hit["transcript_anchor"])["url"]
    assert f"{kind}%3D" in url or f"{kind}=" in url
    status, headers, _ = filled.request("GET", f"/permalink/sample/{hit['sample_uuid']}?{kind}={place}", follow=False)
    assert status == 302 and headers["Location"].endswith(f"/{'messages' if kind == 'message' else 'transcript'}?{kind}={place}")
    assert filled.run("view-sample", hit["sample_uuid"], "--at", "nowhere", check=False).returncode == 2


@pytest.mark.parametrize("args", [
    ["list", "imports"], ["search", "tools", "--eval-set"], ["web"], ["view-sample"]])
def test_an_id_that_is_nowhere_is_said(filled, args):
    """Nothing at all there is something else than nothing in it."""
    done = filled.run(*args, "nosuch", check=False)
    assert done.returncode == 5 and done.stdout == "", done.stderr


def test_a_scan_is_told_from_an_eval_set_and_from_nothing(filled):
    """Where an eval set is asked for; and why it may be seen is told, as of one."""
    folder = filled.data / "store/scans/looked"
    folder.mkdir(parents=True)
    (folder / ".models.json").write_text(json.dumps({"model_names": [], "model_groups": ["model-access-a"]}))
    done = filled.run("list", "imports", "looked", check=False)
    assert done.returncode == 5 and "looked is a scan, not an eval set" in done.stderr
    why = filled.json("auth", "why", "looked")
    assert (why["type"], why["allowed"], [group["name"] for group in why["model_groups"]]) == ("scan", True, ["model-access-a"])


def test_an_expression_is_found_and_a_broken_one_is_named(filled):
    """PCRE2, its mistakes in words."""
    assert filled.json("search", "--regex", "t[o]{2}ls?")["items"]
    done = filled.run("search", "--regex", "(", check=False)
    assert done.returncode == 2 and "bad expression" in done.stderr
    assert filled.run("search", "--regex", ".*", check=False).returncode == 2
    assert filled.get("/meta/search?q=x&mode=grep&sort=colour")[0] == 400


def test_a_statement_reads_and_nothing_else(filled):
    """Rows in four forms; writing is refused; time and rows are bounded."""
    statement = "SELECT eval_set_id, count(*) AS n FROM eval GROUP BY eval_set_id ORDER BY 1"
    rows = json.loads(filled.run("sql", statement, "--format", "json").stdout)
    assert rows == [{"eval_set_id": name, "n": 1} for name in sorted(SETS.values())]
    table = list(csv.DictReader(io.StringIO(filled.run("sql", statement, "--format", "csv").stdout)))
    assert [row["eval_set_id"] for row in table] == [row["eval_set_id"] for row in rows]
    lines = filled.run("sql", statement, "--format", "ndjson", "--limit", "2")
    assert len(lines.stdout.splitlines()) == 2 and "more rows" in lines.stderr
    assert "set-1" in filled.run("sql", statement).stdout
    for bad in ("DELETE FROM eval", "SELECT 1; DROP TABLE eval", "PRAGMA user_version = 1", "ATTACH '/etc/passwd' AS x"):
        assert filled.run("sql", bad, check=False).returncode != 0, bad
    assert len(json.loads(filled.run("sql", statement, "--json").stdout)) == len(SETS)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    assert filled.run("sql", endless, "--timeout", "1", check=False).returncode != 0


def resolved(text: str, attachments: dict[str, str]) -> str:
    """A text with what it refers to in its place."""
    return attachments[text.removeprefix("attachment://")] if text.startswith("attachment://") else text


def test_csv_of_a_statement_has_every_digit_and_tells_null_from_empty(filled):
    """What goes on to a notebook is not what people read."""
    done = filled.run("sql", "SELECT 0.0001234567 AS a, 2.0 / 3 AS b, '' AS c, NULL AS d, '0.10' AS e", "--format", "csv")
    assert done.stdout.splitlines() == ["a,b,c,d,e", '0.0001234567,0.6666666666666666,"",,0.10']


def test_columns_of_one_name_are_all_there(filled):
    """As members of an object they get names of their own."""
    done = filled.run("sql", "SELECT 1 AS a, 2 AS a, 3 AS a_2", "--json")
    assert json.loads(done.stdout) == [{"a": 1, "a_2": 2, "a_2_2": 3}]


def test_events_are_those_of_the_log(filled, logs):
    """Page by page: the same kinds in the same order, what models were asked, all of it readable for Inspect."""
    for sample in read_eval_log(str(logs / "tools.eval"), resolve_attachments=True).samples:
        expected = [event for event in sample.events if event.event != "step"]
        found, asked, start = [], [], 0
        while start is not None:
            status, page = filled.get(f"/meta/samples/{sample.uuid}/events?limit=5&from_order={start}")
            assert status == 200 and page["total"] == len(expected)
            messages = TypeAdapter(list[ChatMessage]).validate_python(page["events_data"]["messages"])
            assert len(messages) == len(page["events_data_orders"]["messages"])
            for event in page["events"]:
                if event["event"] == "model":
                    asked.append([resolved(messages[i].text, page["attachments"])
                                  for a, b in event.get("input_refs") or [] for i in range(a, b)])
            found += page["events"]
            assert (page["next_from_order"] is not None) == page["has_more"]
            start = page["next_from_order"]
        TypeAdapter(list[Event]).validate_python(found)
        assert [event["event"] for event in found] == [event.event for event in expected]
        assert [event.get("uuid") for event in found] == [event.uuid for event in expected]
        assert asked == [[message.text for message in event.input] for event in expected if event.event == "model"]


def test_resolved_events_have_in_them_what_they_refer_to(filled, logs):
    for sample in read_eval_log(str(logs / "tools.eval"), resolve_attachments=True).samples:
        page = filled.get(f"/meta/samples/{sample.uuid}/events?resolve=true")[1]
        assert page["events_data"] == {"messages": [], "calls": []}
        assert page["attachments"] == {} and "attachment://" not in json.dumps(page["events"])
        found = [event for event in TypeAdapter(list[Event]).validate_python(page["events"]) if event.event == "model"]
        asked = [event for event in sample.events if event.event == "model"]
        assert [[message.text for message in event.input] for event in found] == [[message.text for message in event.input] for event in asked]
        assert [event.call.request for event in found] == [event.call.request for event in asked]


def test_events_of_some_kinds_and_of_nobody(filled):
    """Kinds narrow what is listed and counted; an unknown sample is 404, a limit out of bounds 400."""
    uuid = filled.get("/meta/samples?limit=1&eval_set_id=set-1")[1]["items"][0]["uuid"]
    page = filled.get(f"/meta/samples/{uuid}/events?event_type=model&event_type=tool")[1]
    assert page["events"] and {event["event"] for event in page["events"]} <= {"model", "tool"}
    one = filled.get(f"/meta/samples/{uuid}/events?event_uuid={page['events'][0]['uuid']}")[1]
    assert one["total"] == 1 and one["events"] == page["events"][:1]
    assert filled.get("/meta/samples/nobody/events")[0] == 404
    assert filled.get(f"/meta/samples/{uuid}/events?limit=1001")[0] == 422
    assert filled.get(f"/meta/samples/{uuid}/events?limit=101&resolve=true")[0] == 422
