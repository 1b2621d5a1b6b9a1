"""The viewer in a real browser: the list, a transcript, and a running eval that fills in by itself."""

import json
import re

import pytest
from conftest import ROOT
from test_jobs_survive import config_of

playwright = pytest.importorskip("playwright.sync_api")

# A cold browser on a busy machine takes its time; no test asserts how much.
DEADLINE_MS = 240_000
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium without a window."""
    with playwright.sync_playwright() as engine:
        it = engine.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield it
        it.close()


@pytest.fixture
def page(browser, shared):
    """A page that has come in through a one-time link, and the errors that its console has shown."""
    context = browser.new_context()
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    link = json.loads(shared.request("POST", "/auth/login-code", {})[2])["url"]
    page.goto(link)
    page.wait_for_url(re.compile(r"/$"))
    yield page
    context.close()


def submit(hawk, **more):
    """Submit an eval set; return its id."""
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config_of(ROOT, **more)})
    assert status == 200, body
    return json.loads(body)["eval_set_id"]


def test_a_login_link_works_once(shared, browser):
    """The second browser that opens it is asked to log in."""
    link = json.loads(shared.request("POST", "/auth/login-code", {})[2])["url"]
    first, second = browser.new_context(), browser.new_context()
    for context in (first, second):
        context.set_default_timeout(DEADLINE_MS)
    one, two = first.new_page(), second.new_page()
    one.goto(link)
    one.wait_for_url(re.compile(r"/$"))
    assert "Eval sets" in one.content()
    two.goto(link)
    assert "Eval sets" not in two.content()
    two.goto(shared.url + "/")
    assert "Log in" in two.content()
    first.close()
    second.close()


def test_the_list_leads_to_the_transcript_of_a_sample(shared, page):
    """From the front page through the viewer to what the model said."""
    job_id = submit(shared, eval_set_id="seen")
    assert shared.wait_job(job_id, 600)["status"] == "complete"
    shared.wait_for(lambda: shared.get("/meta/samples?eval_set_id=seen")[1]["items"])
    page.goto(shared.url + "/")
    page.get_by_role("link", name="seen").click()
    page.wait_for_url(re.compile("/viewer/"))
    page.get_by_text("Say exactly: hello", exact=True).first.wait_for()
    sample = next(item for item in shared.get("/meta/samples?eval_set_id=seen")[1]["items"] if item["id"] == "1")
    page.goto(f"{shared.url}/permalink/sample/{sample['uuid']}")
    page.get_by_role("tab", name="transcript").wait_for()
    page.get_by_text("model call", exact=False).first.wait_for()
    assert [text for text in page.errors if "Content Security Policy" in text] == []


def test_a_running_eval_fills_in_without_a_reload(shared, page):
    """An open page shows samples that end after it was loaded."""
    config = config_of(ROOT, eval_set_id="growing")
    config["tasks"][0]["items"] = [{"name": "slow", "args": {"samples": 4, "seconds": 4}}]
    config["max_samples"] = 1
    status, _, body = shared.request("POST", "/eval_sets/", {"eval_set_config": config})
    assert status == 200, body
    shared.wait_for(lambda: list((shared.data / "store/evals/growing").glob("*.eval")), 300)
    page.goto(f"{shared.url}/eval-set/growing")
    page.evaluate("window.notReloaded = true")
    page.get_by_text("slow").first.wait_for()
    assert shared.wait_job("growing", 300)["status"] == "complete"
    page.wait_for_function("() => document.body.innerText.includes('4')")
    assert page.evaluate("window.notReloaded") is True
