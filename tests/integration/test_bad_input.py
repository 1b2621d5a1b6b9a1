"""Bad input: each kind gets an error that a person can act on, the right exit status, and changes nothing."""

import json
import os
import shutil
import subprocess

import pytest
from conftest import ROOT

PACKAGE = f"package: {ROOT}/examples/hawk_examples\n    name: hawk_examples"
GOOD = f"""
eval_set_id: good
tasks:
  - {PACKAGE}
    items:
      - name: hello
models:
  - {PACKAGE}
    items:
      - name: steady
"""


def write(folder, text: str):
    """Write a config; return its path."""
    path = folder / "bad.eval-set.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tasks: [\n", "bad.eval-set.yaml:2:1"),
        ("tasks:\n\t- a", "bad.eval-set.yaml:2:1"),
        ("tasks: 5\n", "bad.eval-set.yaml:1:"),
        ("tasks: []\nlimit: many\n", "bad.eval-set.yaml:2:8"),
        ("tasks: &a\n  - *a\n", "bad.eval-set.yaml:"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntasks: *c\n", "bad.eval-set.yaml:"),
        ("tasks: []\ntasks: []\n", "bad.eval-set.yaml:2:1"),
        ("model: openai/gpt-4o\ntasks: []\n", "models:"),
        ("--- \ntasks: []\n--- \ntasks: []\n", "bad.eval-set.yaml:3:"),
    ],
)
def test_a_config_that_is_wrong_is_refused_with_the_place(home, tmp_path, text, expected):
    """Status 2, the place, and no server is started for it."""
    done = home.run("eval-set", "run", str(write(tmp_path, text)), check=False)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert not (home.data / "server.json").exists()


def test_a_huge_config_is_refused_without_reading_it(home, tmp_path):
    """200 MB: refused at once, by its size."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(200 << 20)
    done = home.run("validate", str(path), check=False)
    assert done.returncode == 2
    assert "limit" in done.stderr + done.stdout


def test_a_config_that_is_not_there_is_not_found(home):
    """Status 5 and the name."""
    done = home.run("eval-set", "run", "nowhere.yaml", check=False)
    assert done.returncode in (2, 5)
    assert "nowhere.yaml" in done.stderr


def submit(hawk, **changes) -> dict:
    """Submit the good config with changes and wait for the end; return the job-status answer."""
    package = {"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples"}
    config = {
        "eval_set_id": "bad",
        "tasks": [{**package, "items": [{"name": "hello"}]}],
        "models": [{**package, "items": [{"name": "steady"}]}],
        **changes,
    }
    status, _, body = hawk.request("POST", "/eval_sets/", {"eval_set_config": config})
    assert status == 200, body
    return hawk.wait_job("bad", 300)


def reason(hawk) -> str:
    """Return all that is told about the job, as text."""
    told = json.dumps(hawk.get("/monitoring/jobs/bad/eval-set-status")[1])
    return told + json.dumps(hawk.get("/monitoring/jobs/bad/job-status")[1])


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"packages": ["no-such-package-for-hawk-tests"]}, "no-such-package-for-hawk-tests"),
        ({"packages": ["inspect-ai==0.0.1.dev0"]}, "inspect-ai"),
        (
            {"tasks": [{"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples", "items": [{"name": "nope"}]}]},
            "nope",
        ),
        (
            {"tasks": [{"package": str(ROOT / "examples/hawk_examples"), "name": "no_such_name", "items": [{"name": "hello"}]}]},
            "no_such_name",
        ),
        ({"models": [{"package": "inspect-ai", "items": [{"name": "nosuchprovider/model"}]}]}, "nosuchprovider"),
    ],
)
def test_a_run_that_cannot_begin_fails_with_the_cause(hawk, changes, expected):
    """The status names what is missing, the output has the details, and nothing is left running."""
    assert submit(hawk, **changes)["status"] == "failed"
    assert expected in reason(hawk)
    hawk.wait_for(lambda: not hawk.runners())


@pytest.mark.timeout(600)
def test_a_run_whose_samples_all_failed_is_not_a_success(hawk):
    """Inspect's log may say success; the job does not."""
    package = {"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples"}
    assert submit(hawk, tasks=[{**package, "items": [{"name": "failing"}]}], retry_attempts=0)["status"] == "failed"


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18, b"PK\x03\x04" + b"\xff" * 200])
def test_a_log_that_is_none_is_reported_and_leaves_the_rest(shared, content):
    """The list of imports names the file and why; the server goes on."""
    folder = shared.data / "store/evals/broken"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"2026-01-01T00-00-00+00-00_task_{len(content)}x{sum(content) % 97}.eval"
    (folder / name).write_bytes(content)
    status, _, body = shared.request("GET", f"/api/log-headers?file=broken%2F{name.replace('+', '%2B')}")
    assert status == 422, body
    assert name in json.loads(body)["detail"]
    assert shared.get("/meta/samples")[0] == 200
    assert shared.get("/health")[0] == 200


def test_a_truncated_log_is_reported(shared, logs):
    """Half of a real log: an error that names it, not rows of half a log."""
    whole = max(logs.rglob("*.eval"), key=lambda path: path.stat().st_size)
    folder = shared.data / "store/evals/cut"
    folder.mkdir(parents=True)
    (folder / whole.name).write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    status, _, body = shared.request("GET", f"/api/log-headers?file=cut%2F{whole.name.replace('+', '%2B')}")
    assert status == 422 and whole.name in json.loads(body)["detail"]
    assert shared.get("/meta/evals?eval_set_id=cut")[1]["items"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_named_and_nothing_is_half_there(home, tmp_path):
    """On a file system without room, submit says so with a status that is not success, and later works again."""
    home.data.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "hawk-full", str(home.data)], check=False)
    if mounted.returncode != 0:
        pytest.skip("cannot mount a tmpfs here")
    try:
        home.start()
        filler = home.data / "filler"
        file = os.open(filler, os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(file, b"\0" * 4096)
        except OSError:
            os.close(file)
        package = {"package": str(ROOT / "examples/hawk_examples"), "name": "hawk_examples"}
        config = {"eval_set_id": "full", "tasks": [{**package, "items": [{"name": "hello"}]}],
                  "models": [{**package, "items": [{"name": "steady"}]}]}
        status, _, body = home.request("POST", "/eval_sets/", {"eval_set_config": config})
        assert status == 507, body
        assert "full" in json.loads(body)["detail"]
        filler.unlink()
        assert home.get("/health")[0] == 200
        assert home.get("/meta/jobs")[1]["items"] == []
        assert home.runners() == []
    finally:
        home.stop()
        subprocess.run(["umount", "-l", str(home.data)], check=False)
        shutil.rmtree(home.data, ignore_errors=True)
