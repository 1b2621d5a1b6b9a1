"""Samples as documents: hawk transcript, hawk transcripts and the route behind them, against the logs themselves."""

import html.parser
import json
import shutil
import zipfile

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> & \"quotes\" 'single'"


def put(hawk, log, name: str) -> None:
    """Write a log into the store in one step and wait until its samples are there."""
    folder = hawk.data / f"store/evals/{name}"
    folder.mkdir(parents=True)
    write_eval_log(log, str(folder / "part.eval"))
    (folder / "part.eval").rename(folder / "log.eval")
    hawk.wait_for(lambda: len(samples(hawk, name)) == len(log.samples), 120)


def samples(hawk, name: str) -> list[dict]:
    items = hawk.get(f"/meta/samples?eval_set_id={name}&limit=500")[1]["items"]
    return [item for item in items if not item["is_provisional"]]


@pytest.fixture(scope="module")
def filled(logs, shared):
    """A server with a log of tools and one of hostile texts, and an image."""
    (shared.data / "store/evals/set-1").mkdir(parents=True)
    shutil.copyfile(logs / "tools.eval", shared.data / "store/evals/set-1/tools.eval")
    shared.wait_for(lambda: len(samples(shared, "set-1")) == 14, 60)
    log = read_eval_log(str(logs / "unscored.eval"), resolve_attachments=True)
    log.samples[0].messages.append(ChatMessageUser(content=[ContentText(text=HOSTILE), ContentImage(image=PIXEL)]))
    put(shared, log, "hostile")
    return shared


def test_a_timeline_has_the_calls_of_models_and_tools(filled):
    """Each within the sample and with its end; added up and the longest first for the set."""
    item = samples(filled, "set-1")[0]
    status, line = filled.get(f"/meta/samples/{item['uuid']}/timeline")
    assert status == 200 and line["spans"][0]["name"] == "sample" and not line["truncated"]
    spans = {span["span_id"]: span for span in line["spans"]}
    assert {"sample", "model", "tool", "execution", "scoring"} <= {span["category"] for span in line["spans"]}
    assert all(span["parent_id"] in spans for span in line["spans"][1:])
    assert all(span["duration_ms"] == pytest.approx(span["end_ms"] - span["start_ms"], abs=0.01) for span in line["spans"])
    whole = filled.get("/meta/eval-sets/set-1/timeline")[1]
    assert {total["category"] for total in whole["categories"]} == {"model", "tool"}
    assert whole["span_count"] == sum(total["count"] for total in whole["categories"])
    took = [call["duration_ms"] for call in whole["longest_tool_calls"]]
    assert took and took == sorted(took, reverse=True)
    listed = filled.get("/meta/eval-sets/set-1/timeline-samples")[1]["samples"]
    assert {sample["sample_uuid"] for sample in listed} == {sample["uuid"] for sample in samples(filled, "set-1")}


def original(path, item: dict) -> dict:
    """The sample as it lies in the archive."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(f"samples/{item['id']}_epoch_{item['epoch']}.json"))


class Page(html.parser.HTMLParser):
    """What a page shows, and what in it could do anything."""

    def __init__(self, text: str):
        super().__init__()
        self.text, self.tags, self.links, self.handlers = "", set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(name)
            if name in ("src", "href", "action", "srcset"):
                self.links.append(value)

    def handle_data(self, data):
        self.text += data


def test_json_is_the_sample_of_the_log(filled):
    (item, *_) = [i for i in samples(filled, "set-1") if i["id"] == "plain"]
    status, headers, body = filled.request("GET", f"/meta/samples/{item['uuid']}/transcript?format=json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == original(filled.data / "store/evals/set-1/tools.eval", item)
    assert filled.run("transcript", item["uuid"], "--raw").stdout.encode() == body


@pytest.mark.parametrize(("form", "media_type"), [("md", "text/markdown; charset=utf-8"), ("html", "text/html; charset=utf-8")])
def test_the_command_and_the_route_say_the_same(filled, form, media_type):
    (item, *_) = samples(filled, "set-1")
    status, headers, body = filled.request("GET", f"/meta/samples/{item['uuid']}/transcript?format={form}")
    assert (status, headers["Content-Type"]) == (200, media_type)
    assert filled.run("transcript", item["uuid"], "--format", form).stdout.encode() == body


def test_accept_chooses_the_format(filled):
    (item, *_) = samples(filled, "set-1")
    path = f"/meta/samples/{item['uuid']}/transcript"
    for accept, starts in [("text/html", b"<!DOCTYPE html>"), ("application/json", b"{"), ("*/*", b"# Sample")]:
        assert filled.request("GET", path, headers={"Accept": accept})[2].startswith(starts)
    assert filled.get(f"{path}?format=pdf")[0] == 400


def test_every_message_is_on_the_page(filled):
    (item, *_) = [i for i in samples(filled, "set-1") if i["id"] == "plain"]
    page = Page(filled.run("transcript", item["uuid"], "--format", "html").stdout)
    sample = read_eval_log(str(filled.data / "store/evals/set-1/tools.eval"), resolve_attachments=True).samples
    (sample,) = [s for s in sample if s.id == "plain" and s.epoch == item["epoch"]]
    for message in sample.messages:
        assert message.text in page.text
    assert sample.scores["exact"].explanation in page.text


def test_what_a_model_wrote_stays_text(filled):
    (item,) = samples(filled, "hostile")
    status, headers, body = filled.request("GET", f"/meta/samples/{item['uuid']}/transcript?format=html")
    page = Page(body.decode())
    assert HOSTILE in page.text
    assert "script" not in page.tags and page.handlers == []
    assert page.links == [PIXEL]
    assert headers["Content-Security-Policy"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
    assert "default-src &#39;none" not in body.decode()


def test_transcripts_are_a_file_for_each_sample(filled, tmp_path):
    filled.run("transcripts", "set-1", "--format", "html", "--output-dir", str(tmp_path / "out"))
    files = sorted((tmp_path / "out").iterdir())
    assert {file.name for file in files} == {f"{item['uuid']}.html" for item in samples(filled, "set-1")}
    assert all(file.read_text().endswith("</html>\n") for file in files)


def test_several_html_files_do_not_go_to_standard_output(filled):
    done = filled.run("transcripts", "set-1", "--format", "html", check=False)
    assert done.returncode == 2 and "--output-dir" in done.stderr


def test_what_is_not_there_is_404(filled):
    assert filled.get("/meta/samples/nothing/transcript")[0] == 404


def test_a_sample_larger_than_what_is_held_comes_whole(logs, hawk):
    """Over 32 MiB samples are read through a window."""
    log = read_eval_log(str(logs / "unscored.eval"), resolve_attachments=True)
    log.samples[0].messages += [ChatMessageUser(content=f"{i} " + "words and more words " * 50_000) for i in range(45)]
    put(hawk, log, "large")
    (item,) = samples(hawk, "large")
    path = f"/meta/samples/{item['uuid']}/transcript"
    wanted = original(hawk.data / "store/evals/large/log.eval", item)
    assert json.loads(hawk.request("GET", f"{path}?format=json")[2]) == wanted
    page = Page(hawk.request("GET", f"{path}?format=html")[2].decode())
    assert page.text.count("words and more words") == 45 * 50_000
