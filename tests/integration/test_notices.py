"""Notices to the operator's webhook."""

import datetime
import json
import time

import pytest
from faults import config_of, submit
from webhook import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BROKEN = {"tasks": [{"package": "./nowhere", "name": "n", "items": [{"name": "t"}]}]}


@pytest.fixture
def webhook():
    """A running receiver."""
    it = Webhook(SECRET)
    yield it
    it.close()


def end_a_job(home, job_id: str) -> None:
    """Let a job come to a quick end: its package does not exist."""
    config = home.home / f"{job_id}.json"
    config.write_text(json.dumps({**BROKEN, "eval_set_id": job_id}))
    home.run("eval-set", str(config))


def test_the_end_of_a_job_is_told_once_and_again_until_it_is_taken(home, webhook):
    """Signed, with the same id each time; the second attempt of the job is another notice."""
    webhook.answers = [500]
    home.env.update(HAWK_API_WEBHOOK_URL=webhook.url, HAWK_API_WEBHOOK_SECRET=SECRET)
    home.start()
    home.env["HAWK_API_URL"], home.env["HAWK_ACCESS_TOKEN"] = home.url, home.token
    end_a_job(home, "broken")
    home.wait_for(webhook.taken)
    refused, taken = webhook.messages
    assert (refused["status"], refused["id"], refused["body"]) == (500, taken["id"], taken["body"])
    assert taken["is_signed"] and refused["is_signed"]
    body = taken["body"]
    assert body["type"] == "job.failed" and "broken failed: " in body["text"]
    data = body["data"]
    assert (data["job_id"], data["job_type"], data["attempt"], data["state"]) == ("broken", "eval-set", 1, "failed")
    assert data["url"] == f"{home.url}/eval-set/broken" and data["reason"]
    home.wait_job("broken")
    home.run("eval-set", "resume", "broken")
    home.wait_for(lambda: len(webhook.taken()) == 2)
    assert webhook.taken()[1]["body"]["data"]["attempt"] == 2 and webhook.taken()[1]["id"] != taken["id"]


def test_what_nobody_took_is_sent_by_the_next_server_and_events_can_be_chosen(home, webhook):
    """The receiver was away."""
    away = webhook.url.replace(f":{webhook.server.server_port}/", ":1/")
    home.env.update(HAWK_API_WEBHOOK_URL=away, HAWK_API_WEBHOOK_SECRET=SECRET, HAWK_API_WEBHOOK_EVENTS="job.failed")
    home.start()
    end_a_job(home, "first")
    home.wait_job("first")
    home.stop()
    home.env.update(HAWK_API_WEBHOOK_URL=webhook.url, HAWK_API_WEBHOOK_EVENTS="job.complete")
    home.start()
    end_a_job(home, "second")
    home.wait_job("second")
    home.wait_for(webhook.taken)
    assert [message["body"]["data"]["job_id"] for message in webhook.messages] == ["first"]


def test_a_run_in_which_nothing_happens_is_told_once(home, webhook):
    """Not again as long as it lasts."""
    home.env.update(HAWK_API_WEBHOOK_URL=webhook.url, HAWK_API_WEBHOOK_SECRET=SECRET, HAWK_NO_PROGRESS_SECONDS="2")
    home.start()
    job = submit(home, "stands", config_of({"kind": "wait", "seconds": 600}))
    home.wait_for(webhook.taken)
    looks = home.get(f"/monitoring/jobs/{job}/explain")[1]
    home.wait_for(lambda: age_of(home, job) > 14)
    (told,) = webhook.messages
    data = told["body"]["data"]
    assert (told["body"]["type"], data["reason_code"], data["state"], data["finished_at"]) == ("job.no_progress", "progress.none", "running", None)
    assert looks["reason"] == "progress.none" and "nothing has happened in any sample" in told["body"]["text"]


def age_of(home, job_id: str) -> float:
    """For how many seconds a job has made no progress."""
    (since,) = [item["since"] for item in home.get(f"/monitoring/jobs/{job_id}/explain")[1]["evidence"] if item["reason"] == "progress.none"]
    return time.time() - datetime.datetime.fromisoformat(since).timestamp()


@pytest.mark.parametrize(("name", "value", "words"), [
    ("HAWK_API_WEBHOOK_URL", "http://elsewhere.example/in", "begins with https://"),
    ("HAWK_API_WEBHOOK_SECRET", "whsec_short", "whsec_"),
    ("HAWK_API_WEBHOOK_FORMAT", "teams", "'standard' or 'slack'"),
])
def test_a_server_does_not_start_with_a_webhook_that_cannot_work(home, webhook, name, value, words):
    """And says what is wrong."""
    home.env.update(HAWK_API_WEBHOOK_URL=webhook.url, HAWK_API_WEBHOOK_SECRET=SECRET)
    done = home.run("serve", "--port", "0", env={name: value}, check=False)
    assert done.returncode == 2 and words in done.stderr and "short" not in done.stderr
