"""The tests of stores, unchanged, on a bucket of a real S3 server in a process of its own."""

import os
import pathlib
import subprocess
import sys
import urllib.request

import pytest

pytest.importorskip("moto")

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))
SERVER = HERE.parent / "peers" / "s3_server.py"


@pytest.fixture(scope="module")
def environment():
    """The environment of a program that uses an empty bucket on a server that ends with the tests."""
    process = subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True)
    try:
        endpoint = f"http://127.0.0.1:{int(process.stdout.readline())}"
        make = urllib.request.Request(f"{endpoint}/hawk-test", method="PUT", headers={
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260131/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"})
        with urllib.request.urlopen(make, timeout=60) as answer:
            assert answer.status == 200
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        yield {
            **kept,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": endpoint,
        }
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("program", ["test_store_store"])
@pytest.mark.parametrize("prefix", ["", "/some/prefix +é"])
def test_the_unit_tests_hold_on_a_bucket(environment, program, prefix):
    env = {**environment, "HAWK_TEST_S3_URL": f"s3://hawk-test{prefix}"}
    done = subprocess.run([BUILD / "tests/unit" / program], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
