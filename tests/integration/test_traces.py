"""Spans of requests at a collector, in the traces of whoever asked."""

import pathlib

import pytest
from collector import Collector
from test_limits import SLOW_INSTALLER

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.fixture
def collector():
    """A running collector."""
    it = Collector()
    yield it
    it.close()


@pytest.fixture
def traced(home, collector):
    """A server that sends its spans there."""
    home.env.update(HAWK_API_OTEL_TRACING_ENABLED="true", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url + "/", OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b,x-other=c",
                    OTEL_SERVICE_NAME="hawk-test")
    return home.start()


def test_a_span_belongs_to_the_trace_of_the_request(traced, collector):
    """By traceparent; it says what was asked and answered, and names no thing."""
    assert traced.request("GET", "/meta/evals?eval_set_id=nothing", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})[0] == 200
    (span,) = traced.wait_for(lambda: collector.of(TRACE))
    assert span["path"] == "/v1/traces" and span["resource"]["service.name"] == "hawk-test"
    assert span["name"] == "GET /meta/evals" and span["kind"] == 2 and span["parentSpanId"] == PARENT and len(span["spanId"]) == 16
    assert span["attributes"] == {"http.request.method": "GET", "http.route": "/meta/evals", "http.response.status_code": "200"}
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    assert "status" not in span
    assert collector.headers[0]["x-key"] == "a b" and collector.headers[0]["x-other"] == "c"


def test_x_ray_headers_are_understood_and_unsampled_traces_stay_unseen(traced, collector):
    """Root and Parent; Sampled=0 and the flag of traceparent are respected. What is none begins a trace of its own."""
    unseen, other = "1" * 32, "2" * 32
    traced.get("/health/live", headers={"X-Amzn-Trace-Id": f"Root=1-{unseen[:8]}-{unseen[8:]};Sampled=0"})
    traced.get("/health/live", headers={"traceparent": f"00-{other}-{PARENT}-00"})
    traced.get("/health/live", headers={"traceparent": "no-trace"})
    traced.get("/health/live", headers={"X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1"})
    (span,) = traced.wait_for(lambda: collector.of(TRACE))
    assert span["parentSpanId"] == PARENT
    assert not collector.of(unseen) and not collector.of(other)
    assert all(len(span["traceId"]) == 32 for span in collector.spans)


def test_the_requests_of_a_command_are_one_trace(traced, collector):
    """Which is the caller's own when the command is traced."""
    traced.env["HAWK_API_URL"] = traced.url
    traced.run("list", "eval-sets", env={"HAWK_ACCESS_TOKEN": traced.token})
    spans = traced.wait_for(lambda: [span for span in collector.spans if span["name"] == "GET /meta/eval-sets"])
    assert [span["name"] for span in collector.of(spans[0]["traceId"])] == ["GET /version", "GET /meta/eval-sets"]
    traced.run("list", "eval-sets", env={"HAWK_ACCESS_TOKEN": traced.token, "TRACEPARENT": f"00-{TRACE}-{PARENT}-01"})
    assert traced.wait_for(lambda: len(collector.of(TRACE)) == 2)


def test_a_runner_belongs_to_the_trace_of_its_submit(traced, collector):
    """Its TRACEPARENT says that it is a part of the request."""
    traced.stop()
    installer = traced.home / "uv"
    installer.write_text(SLOW_INSTALLER)
    installer.chmod(0o700)
    traced.env["HAWK_UV"] = str(installer)
    traced.start()
    package = {"package": "a-package-that-is-nowhere", "name": "nothing"}
    config = {"tasks": [{**package, "items": [{"name": "t"}]}], "models": [{**package, "items": [{"name": "m"}]}]}
    status, _, body = traced.request("POST", "/eval_sets/", {"eval_set_config": config}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert status == 200, body
    (span,) = traced.wait_for(lambda: collector.of(TRACE))
    runner = traced.wait_for(traced.runners)[0]
    said = pathlib.Path(f"/proc/{runner}/environ").read_text().split("\0")
    assert f"TRACEPARENT=00-{TRACE}-{span['spanId']}-01" in said


def test_requests_do_not_wait_for_a_slow_collector(traced, collector):
    """Spans over the length of the queue are dropped; the rest comes when the collector does."""
    collector.may_answer.clear()
    for _ in range(300):
        assert traced.get("/health/live")[0] == 200
    assert not collector.spans
    collector.may_answer.set()
    traced.wait_for(lambda: len(collector.spans) >= 300)
    traced.stop()


def test_a_collector_that_is_away_stops_nothing(home):
    """The server says so once."""
    home.env.update(HAWK_API_OTEL_TRACING_ENABLED="true", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    home.start()
    home.get("/health/live")
    home.wait_for(lambda: "spans.not_sent" in home.server_output())
    assert home.get("/health/live")[0] == 200
    home.stop()


def test_requests_to_a_bucket_belong_to_the_trace_of_the_request(home, bucket):
    """In W3C's words and in X-Ray's; those of no trace say nothing."""
    key = "evals/a-set/2026-01-01T00-00-00+00-00_task_abc.eval"
    bucket.put(key, b"12345")
    bucket.put("evals/a-set/.models.json", b'{"model_names": [], "model_groups": ["model-access-public"]}')
    home.env.update(bucket.env, HAWK_API_S3_BUCKET_NAME=bucket.name)
    home.start()
    address = f"/view/logs/log-size/{key.removeprefix('evals/')}"
    assert home.get(address) == (200, 5)
    assert not bucket.traces()
    assert home.get(address, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}) == (200, 5)
    said = {(trace, xray) for path, trace, xray in bucket.traces() if path == f"/{bucket.name}/{key}"}
    assert said == {(f"00-{TRACE}-{PARENT}-01", f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={PARENT};Sampled=1")}
