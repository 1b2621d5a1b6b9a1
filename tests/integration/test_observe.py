"""What an operator sees: metrics, request lines, the audit trail."""

import json
import re

import pytest

import identity_provider
from test_login import log_in

SAMPLE = re.compile(r'^([a-z_]+)(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? (-?[0-9.e+-]+|\+Inf|NaN)$')


def metrics(hawk) -> dict[str, float]:
    """Return the values of /metrics by name with labels; every line is well-formed."""
    status, headers, body = hawk.request("GET", "/metrics", token="")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values = {}
    for line in body.decode().splitlines():
        if line.startswith("# "):
            continue
        assert SAMPLE.match(line), line
        name, value = line.rsplit(" ", 1)
        values[name] = float(value)
    return values


def test_requests_are_counted_by_route_and_answer(hawk):
    """By the route's pattern, so that no id becomes a label."""
    name = 'hawk_http_requests_total{method="GET",route="/meta/samples/{sample_uuid}",code="4xx"}'
    before = metrics(hawk).get(name, 0)
    for _ in range(3):
        assert hawk.request("GET", "/meta/samples/not-there")[0] == 404
    after = metrics(hawk)
    assert after[name] == before + 3
    assert "not-there" not in "".join(after)
    total = 'hawk_http_request_seconds_count{method="GET",route="/meta/samples/{sample_uuid}"}'
    assert after[total] == after[total.replace("count{", "bucket{").replace('"}', '",le="+Inf"}')]
    assert after["process_resident_memory_bytes"] > 1e6


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"])
def test_metrics_are_not_for_what_a_proxy_on_this_machine_passes_on(shared, header):
    """Its own address says nothing of who asks."""
    assert shared.request("GET", "/metrics", token="", headers={header: "203.0.113.7"})[0] == 403


def test_a_line_for_each_request_has_its_id_and_no_token(home):
    """As JSON; the answer has the same id, and the caller's trace is named."""
    home.start("--log-json", "--log-requests")
    try:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        _, headers, _ = home.request("GET", "/meta/jobs?search=needle", headers={"traceparent": trace, "X-Request-Id": "my-id"})
        assert headers["x-request-id"] == "my-id"
        lines = home.wait_for(lambda: [line for line in home.server_output().splitlines() if '"my-id"' in line])
        line = json.loads(lines[0])
        assert line["event"] == "request" and line["route"] == "/meta/jobs" and line["status"] == 200 and line["trace"] == trace
        assert home.token not in home.server_output() and "needle" not in home.server_output()
    finally:
        home.stop()


@pytest.mark.skipif(identity_provider.why_not() is not None, reason=str(identity_provider.why_not()))
def test_decisions_are_in_the_audit_trail(home):
    """Allowed ones and refused ones, with who asked and about what."""
    provider = identity_provider.Provider()
    try:
        home.env.update(provider.settings())
        home.start()
        home.env.update(HAWK_API_URL=home.url, HAWK_CREDENTIALS="file", XDG_DATA_HOME=str(home.home / "share"))
        assert log_in(home, provider, "bob").returncode == 0
        token = home.run("auth", "access-token").stdout.strip()
        assert home.get("/meta/jobs", token=token)[0] == 200
        assert home.request("GET", "/view/logs/logs?log_dir=of-another", token=token, headers={"X-Request-Id": "probe"})[0] == 403
        path = home.data / "audit.ndjson"
        assert path.stat().st_mode & 0o777 == 0o600
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert {"sub": "bob", "action": "job.list", "resource": None, "allowed": True, "refusal": None}.items() <= lines[0].items()
        probe = next(line for line in lines if line["request_id"] == "probe")
        assert {"sub": "bob", "action": "log.read", "resource": "of-another", "allowed": False, "refusal": "access.unknown"}.items() <= probe.items()
        assert token not in path.read_text()
    finally:
        home.stop()
        provider.close()


def test_readiness_is_the_database_s(hawk):
    """It answers while the database does."""
    assert hawk.get("/health/ready", token="") == (200, {"status": "ok"})
