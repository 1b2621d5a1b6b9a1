"""The tests of stores, unchanged, on a bucket of a real S3 server in a process of its own."""

import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HAWK_BUILD", HERE.parent.parent / "build" / "dev"))


@pytest.mark.parametrize("program", ["test_store_store"])
@pytest.mark.parametrize("prefix", ["", "/some/prefix +é"])
def test_the_unit_tests_hold_on_a_bucket(bucket, program, prefix):
    env = {**bucket.environment(), "HAWK_TEST_S3_URL": f"s3://{bucket.name}{prefix}"}
    done = subprocess.run([BUILD / "tests/unit" / program], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
