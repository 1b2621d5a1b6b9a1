"""Our signatures beside those of botocore, on requests made at random from what S3 finds hard."""

import datetime
import os
import pathlib
import random
import subprocess
import urllib.parse

import pytest

auth = pytest.importorskip("botocore.auth")
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))
NOW = datetime.datetime(2026, 1, 31, 23, 59, 58, tzinfo=datetime.timezone.utc)
HARD = ["+", ":", " ", "%", "%2F", "~", "*", "'", "(", ")", "!", "=", "&", "?", "#", "@", "$", ",", ";", "é", "日本", "🦅", "\u0301", "a", "Z", "0", "-", "_", "."]
HASHES = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "UNSIGNED-PAYLOAD"]


def some(rng: random.Random, n: int) -> str:
    return "".join(rng.choice(HARD) for _ in range(rng.randint(1, n)))


def make_request(rng: random.Random) -> dict:
    """A request as S3 might get it: no path with dot parts, parameters in any order, some twice or without a value."""
    expires = rng.choice([0, 0, 1, 3600])
    parts = [p for p in (some(rng, 8) for _ in range(rng.randint(0, 4))) if p not in {".", ".."}]
    pairs = []
    for _ in range(rng.randint(0, 6)):
        name = urllib.parse.quote(some(rng, 4), safe="-_.~")
        pairs.append(rng.choice([name, f"{name}=", f"{name}={urllib.parse.quote(some(rng, 6), safe='-_.~')}"]))
    if expires:  # botocore keeps one of each name in an address
        pairs = list({p.split("=")[0]: p for p in pairs}.values())
    elif rng.random() < 0.3:
        pairs += pairs[:1]
    rng.shuffle(pairs)
    headers = {"Host": rng.choice(["bucket.s3.eu-west-1.amazonaws.com", "127.0.0.1:9000"])}
    for name in rng.sample(["Range", "If-Match", "x-amz-meta-b", "x-amz-meta-b-c", "X-Amz-Meta-A"], rng.randint(0, 4)):
        headers[name] = rng.choice(["x", "  two  words ", '"etag"', "bytes=0-9", ""])
    return {
        "method": rng.choice(["GET", "PUT", "HEAD", "POST", "DELETE"]),
        "path": "/" + "/".join(parts),
        "query": "&".join(pairs),
        "headers": headers,
        "hash": rng.choice(HASHES),
        "region": rng.choice(["us-east-1", "eu-west-1"]),
        "token": rng.choice(["", "IQoJb3JpZ2luX2VjE+/=="]),
        "expires": expires,
    }


def sign_with_botocore(request: dict, monkeypatch) -> str:
    """The value of Authorization, or the query of the address."""

    class Now(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return NOW.replace(tzinfo=None)

        @classmethod
        def now(cls, tz=None):
            return NOW.astimezone(tz) if tz else NOW.replace(tzinfo=None)

    if hasattr(auth, "get_current_datetime"):
        monkeypatch.setattr(auth, "get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None if remove_tzinfo else NOW.tzinfo))
    else:
        monkeypatch.setattr(auth.datetime, "datetime", Now)
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", request["token"] or None)
    url = f"https://{request['headers']['Host']}" + urllib.parse.quote(request["path"], safe="/-_.~")
    aws = AWSRequest(request["method"], url + (f"?{request['query']}" if request["query"] else ""), headers=dict(request["headers"]))
    if request["expires"]:
        auth.S3SigV4QueryAuth(credentials, "s3", request["region"], request["expires"]).add_auth(aws)
        return aws.url
    aws.context["payload_signing_enabled"] = request["hash"] != "UNSIGNED-PAYLOAD"
    aws.headers["X-Amz-Content-SHA256"] = request["hash"]
    signer = auth.S3SigV4Auth(credentials, "s3", request["region"])
    monkeypatch.setattr(signer, "payload", lambda _request: request["hash"])
    signer.add_auth(aws)
    return aws.headers["Authorization"]


def test_signatures_are_those_of_botocore(monkeypatch):
    rng = random.Random(4)
    requests = [make_request(rng) for _ in range(2000)]
    lines = []
    for r in requests:
        headers = dict(r["headers"]) if r["expires"] else {**r["headers"], "x-amz-content-sha256": r["hash"]}
        payload = "UNSIGNED-PAYLOAD" if r["expires"] else r["hash"]
        lines.append("\t".join([
            r["method"], r["path"], r["query"], payload, r["region"], "s3", str(int(NOW.timestamp()) * 1_000_000),
            "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", r["token"], str(r["expires"]),
            *(text for pair in headers.items() for text in pair),
        ]))
    done = subprocess.run([BUILD / "tests/tools/sigv4_sign"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    ours = done.stdout.splitlines()
    assert len(ours) == len(requests)
    for request, mine in zip(requests, ours):
        theirs = sign_with_botocore(request, monkeypatch)
        if request["expires"]:
            # botocore writes the parameters in its own way; only the signature has to be the same
            mine, theirs = (dict(urllib.parse.parse_qsl(q.split("?", 1)[-1]))["X-Amz-Signature"] for q in ("?" + mine, theirs))
        assert mine == theirs, request
