"""Logs of old versions of Inspect, made by those versions, read as today's Inspect reads them.

HAWK_OLD_INSPECT is "all" or versions with commas between; without it three of them. Their virtualenvs and logs are kept
in the cache of ./dev.
"""

import hashlib
import os
import pathlib
import subprocess
import sys

import pytest
from log_compare import check_header, check_samples, check_summaries

MAKER = pathlib.Path(__file__).resolve().parent / "make_old_logs.py"
CACHE = pathlib.Path(os.environ.get("HAWK_DEV_CACHE", pathlib.Path.home() / ".cache/hawk-dev")) / "old-inspect"

# A day by which the version was out; what it needs is taken from before then. 0.3.43 was the first with `.eval`.
OLD = {
    "0.3.30": "2024-09-20", "0.3.43": "2024-11-05", "0.3.45": "2024-11-12", "0.3.70": "2025-03-05", "0.3.100": "2025-06-05",
    "0.3.140": "2025-10-20", "0.3.188": "2026-03-15",
}
DEFAULT = ["0.3.30", "0.3.43", "0.3.140"]


def versions() -> list[str]:
    """The versions to test."""
    asked = os.environ.get("HAWK_OLD_INSPECT", "")
    return list(OLD) if asked == "all" else asked.split(",") if asked else DEFAULT


def make(version: str) -> pathlib.Path:
    """The folder of logs of a version; made once."""
    mark = hashlib.sha256(MAKER.read_bytes()).hexdigest()[:16]
    folder = CACHE / f"logs-{version}-{mark}"
    if (folder / "old.json").exists():
        return folder
    uv = [os.environ.get("HAWK_UV", "uv")]
    venv = CACHE / version
    if not (venv / "ready").exists():
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, venv], check=True, timeout=300)
        install = [*uv, "pip", "install", "-q", "--python", venv / "bin/python", "--exclude-newer", OLD[version], f"inspect-ai=={version}"]
        done = subprocess.run(install, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            pytest.skip(f"cannot install inspect-ai {version}: {done.stderr[-300:]}")
        (venv / "ready").touch()
    env = {key: value for key, value in os.environ.items() if not key.startswith("INSPECT_")}
    done = subprocess.run([venv / "bin/python", MAKER, folder], capture_output=True, text=True, env=env, cwd=CACHE, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module", params=versions())
def old_logs(request) -> list[pathlib.Path]:
    """The logs of one version."""
    return sorted(make(request.param).glob("old.*"))


def test_the_version_makes_the_logs_that_it_should(old_logs, request):
    version = request.node.callspec.params["old_logs"]
    assert [log.name for log in old_logs] == (["old.json"] if version == "0.3.30" else ["old.eval", "old.json"])


def test_the_header_of_an_old_log_is_as_inspect_reads_it(old_logs):
    for log in old_logs:
        check_header(log)


def test_the_summaries_of_an_old_log_are_as_inspect_reads_them(old_logs):
    for log in old_logs:
        check_summaries(log)


def test_the_samples_of_an_old_log_are_as_inspect_reads_them(old_logs):
    for log in old_logs:
        check_samples(log)
