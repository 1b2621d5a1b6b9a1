"""The runner alone, without a server: a folder with two files goes in, logs and exit.json come out."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from conftest import ROOT, clean_environment, find_program

EXAMPLES = ROOT / "examples/hawk_examples"
LIMIT = 300


def config_of(*items: dict, package=EXAMPLES, **more) -> dict:
    """Return a config with these tasks of the example package and its model that does not err."""
    group = {"package": str(package), "name": "hawk_examples"}
    return {
        "tasks": [{**group, "items": list(items) or [{"name": "hello"}]}],
        "models": [{**group, "items": [{"name": "steady"}]}],
        **more,
    }


def wait_for(what, timeout: float = LIMIT):
    """Call what() until it returns something true; return that."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if result := what():
            return result
        time.sleep(0.05)
    pytest.fail(f"waited {timeout} s")


class Job:
    """A job's folder, and the runners started for it."""

    def __init__(self, folder: pathlib.Path, cache: pathlib.Path, config: dict, **infra):
        self.folder = folder
        self.logs = folder / "logs"
        folder.mkdir(parents=True)
        self.env = clean_environment(HAWK_CACHE=str(cache), HOME=os.environ["HOME"])
        metadata = {"eval_set_id": folder.name, "created_by": "me"}
        infra = {
            "job_type": "eval-set", "job_id": folder.name, "log_dir": str(self.logs), "log_level": "notset",
            "continue_on_fail": True, "retry_cleanup": False, "metadata": metadata, **infra,
        }
        (folder / "user-config.json").write_text(json.dumps(config))
        (folder / "infra-config.json").write_text(json.dumps(infra))

    def start(self, *args: str, **env: str) -> subprocess.Popen:
        """Start a runner."""
        files = [str(self.folder / name) for name in ("user-config.json", "infra-config.json")]
        return subprocess.Popen(
            [str(find_program()), "runner", "eval-set", *files, *args], cwd=self.folder, env={**self.env, **env},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )

    def run(self, *args: str, **env: str) -> dict:
        """Run to the end; return exit.json, whose status must be the process's."""
        runner = self.start(*args, **env)
        output, _ = runner.communicate(timeout=LIMIT)
        end = self.end()
        assert end and end["exit_code"] == runner.returncode, (runner.returncode, output, end)
        return end

    def end(self) -> dict | None:
        """Return exit.json, if it is there."""
        path = self.folder / "exit.json"
        return json.loads(path.read_text()) if path.exists() else None

    def phase(self) -> str | None:
        """Return the phase that status.json tells."""
        path = self.folder / "status.json"
        return json.loads(path.read_text())["phase"] if path.exists() else None

    def entries(self) -> list[dict]:
        """Return the entries of runner.log."""
        return [json.loads(line) for line in (self.folder / "runner.log").read_text().splitlines()]

    def text(self) -> str:
        """Return the messages of runner.log."""
        return "\n".join(entry["message"] for entry in self.entries())

    def eval_logs(self) -> list:
        """Return the logs, read by Inspect."""
        from inspect_ai.log import read_eval_log

        return [read_eval_log(str(path)) for path in sorted(self.logs.glob("*.eval"))]

    def wait_for_samples(self, runner: subprocess.Popen) -> None:
        """Wait until samples run."""

        def running():
            assert runner.poll() is None, self.text()
            return self.phase() == "running" and list(self.logs.glob("*.eval"))

        wait_for(running)

    def begun(self) -> list[dict]:
        """Return the summaries of the samples that have begun; only with log_shared=EVERY_WRITE. Old versions have no uuid."""
        found = []
        for path in self.logs.glob(".buffer/*/manifest.json"):
            with contextlib.suppress(ValueError):  # it is being written
                found.append(json.loads(path.read_text())["samples"])
        return [sample["summary"] for samples in found for sample in samples]

    def workers(self) -> list[int]:
        """Return the pids of workers of this job."""
        pids = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (proc / "cmdline").read_bytes()
                state = (proc / "stat").read_text().rsplit(")", 1)[1].split()[0]
                if b"hawk_worker" in command and str(self.folder).encode() in command and state != "Z":
                    pids.append(int(proc.name))
        return pids


@pytest.fixture
def job(tmp_path, cache):
    """Makes jobs: job(config, name=..., **infra)."""

    def make(config: dict, name: str = "job-1", **infra) -> Job:
        return Job(tmp_path / name, cache, config, **infra)

    return make


def test_a_run_leaves_logs_a_lock_file_and_its_result(job):
    """The files of a run that went well say so."""
    it = job(config_of())
    end = it.run("--attempt", "3")
    assert (end["attempt"], end["exit_code"], end["reason"]) == (3, 0, "run.done")
    (log,) = it.eval_logs()
    assert log.status == "success"
    assert log.eval.metadata == {"eval_set_id": "job-1", "created_by": "me"}
    assert [sample.scores["exact"].value for sample in log.samples] == ["C", "C", "C"]
    lock = (it.logs / ".hawk/requirements.lock").read_text()
    assert "inspect-ai==" in lock and "hawk-examples" in lock
    assert all(set(entry) == {"timestamp", "level", "service", "message"} for entry in it.entries())
    assert {"eval-set.json", "logs.json"} <= {path.name for path in it.logs.iterdir()}


def test_a_second_run_of_the_same_packages_needs_no_uv(job):
    """The virtualenv is there, so nothing is asked of uv or the index."""
    assert job(config_of(), "first").run()["exit_code"] == 0
    assert job(config_of(), "second").run(HAWK_UV="/bin/false")["exit_code"] == 0


def test_a_changed_local_package_is_installed_anew(job, tmp_path):
    """A change of the source counts, although nothing else has changed; and what is printed has no secrets in it."""
    package = tmp_path / "a package"
    shutil.copytree(EXAMPLES, package)
    config = config_of(package=package)
    first = job(config, "first")
    assert first.run()["exit_code"] == 0
    tasks = package / "src/hawk_examples/tasks.py"
    tasks.write_text(
        tasks.read_text().replace('"hello", "bonjour"', '"moin", "bonjour"')
        + "\nprint('key: ' + os.environ['SOME_API_KEY'], os.environ['GIVEN'])\n"
    )
    second = job(config, "second")
    assert second.run(SOME_API_KEY="canary-1234", GIVEN="canary-5678", HAWK_RUNNER_SECRETS="GIVEN")["exit_code"] == 0
    assert first.eval_logs()[0].samples[0].target == "hello"
    assert second.eval_logs()[0].samples[0].target == "moin"
    assert "key: [secret] [secret]" in second.text()
    assert not any(b"canary" in path.read_bytes() for path in second.folder.rglob("*") if path.is_file())


BROKEN = """
[project]
name = "broken"
version = "1"
[build-system]
requires = []
build-backend = "no_such_backend"
"""


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        (["inspect-ai==99.99"], 78, ["inspect-ai", "99.99", "no such version"]),
        (["inspect-ai<0.3.100"], 78, ["inspect-ai", "do not go together"]),
        (["BROKEN"], 78, ["broken", "does not build"]),
        (["/no/such/folder"], 78, ["/no/such/folder", "not there"]),
        (["inspect ai"], 78, ["inspect ai"]),
    ],
)
def test_packages_that_cannot_be_installed_say_which_and_why(job, tmp_path, packages, status, words):
    """The result names the package and the cause, and that trying again is useless."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/pyproject.toml").write_text(BROKEN)
    named = [str(tmp_path / "broken") if package == "BROKEN" else package for package in packages]
    end = job(config_of(packages=named)).run()
    assert end["exit_code"] == status
    assert all(word in end["detail"] for word in words), end["detail"]


def test_an_index_that_cannot_be_reached_is_tried_again_and_then_given_up(job, tmp_path):
    """Without a network nothing is known to be wrong with the config; each try is told."""
    env = {"UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_HTTP_RETRIES": "0"}
    it = job(config_of())
    end = it.run(**env, HAWK_CACHE=str(tmp_path / "cache"), HAWK_INSTALL_WAITS="0 0")
    assert end["exit_code"] == 1
    assert "tried 3 times" in end["detail"] and "cannot be reached" in end["detail"]
    assert [line for line in it.text().splitlines() if "after a wait" in line] == [
        f"cannot install the packages: the package index cannot be reached; try {n} of 3, after a wait of 0 s" for n in (2, 3)]


def test_an_install_goes_on_once_the_network_is_back(job, tmp_path):
    """The program that installs fails as without a network until it is told otherwise; the state says what is waited for."""
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\n[ -e {tmp_path}/back ] && exec {os.environ['HAWK_UV']} \"$@\"\necho 'error: dns error' >&2; exit 2\n")
    uv.chmod(0o755)
    package = tmp_path / "package"
    shutil.copytree(EXAMPLES, package)  # so that it has to be installed
    it = job(config_of(package=package))
    runner = it.start(HAWK_UV=str(uv), HAWK_INSTALL_WAITS="1 1 1 1 1 1 1 1 1 1")
    wait_for(lambda: it.phase() == "retrying")
    assert "cannot be reached; try" in json.loads((it.folder / "status.json").read_text())["detail"]
    (tmp_path / "back").touch()
    runner.communicate(timeout=LIMIT)
    assert it.end()["reason"] == "run.done"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"name": "no_such_task"}, ["hawk_examples/no_such_task"]),
        ({"name": "hello", "args": {"sampels": 3}}, ["sampels", "samples"]),
        ({"name": "hello", "sample_ids": [1, 77]}, ["77"]),
    ],
)
def test_a_config_that_cannot_be_loaded_ends_with_78(job, item, words):
    """What is wrong is in the result."""
    end = job(config_of(item)).run()
    assert (end["exit_code"], end["reason"]) == (78, "load.failed")
    assert all(word in end["detail"] for word in words), end["detail"]


def test_an_entry_point_that_is_not_there_ends_with_78(job):
    """The package has another name for Inspect than the config says."""
    config = config_of()
    config["tasks"][0]["name"] = "hawk_exampels"
    end = job(config).run()
    assert end["exit_code"] == 78
    assert "hawk_exampels" in end["detail"] and "hawk_examples" in end["detail"]


def test_a_provider_without_its_key_ends_with_78(job):
    """Inspect's own words about the missing key arrive."""
    config = config_of(packages=["openai"])
    config["models"] = [{"package": "inspect-ai", "items": [{"name": "openai/gpt-4o-mini"}]}]
    end = job(config).run()
    assert end["exit_code"] == 78
    assert "OPENAI_API_KEY" in end["detail"]


def test_a_config_that_is_none_ends_with_78(job):
    """The runner checks for itself."""
    end = job({"tasks": 3}).run()
    assert end["exit_code"] == 78
    assert "tasks" in end["detail"]


def test_samples_that_fail_fail_the_run_with_the_first_reason(job):
    """Also when Inspect calls the task a success because errors are allowed."""
    end = job(config_of({"name": "failing"}, retry_attempts=0), "strict").run()
    assert end["exit_code"] == 1
    assert "fails on purpose" in end["detail"]
    lenient = job(config_of({"name": "failing"}, fail_on_error=False), "lenient")
    end = lenient.run()
    assert end["exit_code"] == 1
    assert "all 3 samples ended with an error" in end["detail"] and "fails on purpose" in end["detail"]
    assert lenient.eval_logs()[0].status == "success"


def test_waiting_for_the_turn_and_the_second_runner(job):
    """Nothing begins before `go` names the attempt, and one runner at a time has the job."""
    it = job(config_of())
    (it.folder / "go").write_text("1\n")
    first = it.start("--attempt", "2", "--wait")
    wait_for(lambda: it.phase() == "queued")
    self_named = json.loads((it.folder / "runner.json").read_text())
    assert (self_named["pid"], self_named["attempt"]) == (first.pid, 2)
    assert it.start("--attempt", "2", "--wait").wait(LIMIT) == 75
    (it.folder / "go.tmp").write_text("2\n")
    (it.folder / "go.tmp").rename(it.folder / "go")
    assert first.wait(LIMIT) == 0
    assert it.start("--attempt", "2").wait(LIMIT) == 75, "the attempt is over"


def test_sigterm_before_the_turn_is_a_cancel(job):
    """A job that waits can be told to end."""
    it = job(config_of())
    runner = it.start("--wait")
    wait_for(lambda: it.phase() == "queued")
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(LIMIT) == 130
    assert (it.end()["exit_code"], it.end()["reason"]) == (130, "run.cancelled")
    assert not it.logs.exists()


VERSIONS = [[], ["inspect-ai==0.3.188"]]
EVERY_WRITE = -1  # Inspect shares what is written later than so many seconds after the last time, and samples that wait write once.


@pytest.mark.parametrize("packages", VERSIONS)
def test_sigterm_cancels_the_run_as_inspect_does(job, packages):
    """The log says cancelled, with the samples that had begun."""
    it = job(config_of({"name": "slow", "args": {"seconds": 600}}, packages=packages), log_shared=EVERY_WRITE)
    runner = it.start()
    it.wait_for_samples(runner)
    wait_for(it.begun)  # Inspect opens the log a moment before the samples begin.
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(LIMIT) == 130
    assert it.end()["reason"] == "run.cancelled"
    assert [log.status for log in it.eval_logs()] == ["cancelled"]
    assert not it.workers()


@pytest.mark.parametrize("packages", VERSIONS)
def test_a_stop_file_ends_the_samples_and_scores_them(job, packages):
    """The run goes on to its end: scored, with success, and with the operator's limit in each sample."""
    it = job(config_of({"name": "slow", "args": {"seconds": 600}}, packages=packages))
    runner = it.start()
    it.wait_for_samples(runner)
    (it.logs / ".commands").mkdir()
    (it.logs / ".commands/stop.json").write_text('{"type": "stop", "action": "score"}')
    assert runner.wait(LIMIT) == 0
    (log,) = it.eval_logs()
    assert log.status == "success"
    assert [sample.limit.type for sample in log.samples] == ["operator"] * 3
    assert all("exact" in sample.scores for sample in log.samples)


def test_a_stop_file_for_one_sample_leaves_the_others(job):
    """Only the sample of that uuid ends, as asked with an error; the other goes on until all are stopped."""
    task = {"name": "slow", "args": {"samples": 2, "seconds": 600}}
    it = job(config_of(task, fail_on_error=False), log_shared=EVERY_WRITE)
    runner = it.start()
    it.wait_for_samples(runner)
    wait_for(lambda: len(it.begun()) == 2)
    one, other = (summary["uuid"] for summary in it.begun())
    (it.logs / ".commands").mkdir()
    (it.logs / f".commands/stop-sample-{one}.json").write_text('{"type": "stop", "action": "error"}')
    wait_for(lambda: "Sample error" in it.text())
    (it.logs / ".commands/stop.json").write_text('{"type": "stop", "action": "score"}')
    assert runner.wait(LIMIT) == 0
    samples = {sample.uuid: sample for sample in it.eval_logs()[0].samples}
    assert samples[one].error and not samples[one].scores
    assert samples[other].limit.type == "operator" and not samples[other].error


def test_a_killed_runner_takes_its_worker_along_and_can_be_followed(job):
    """kill -9 leaves no worker behind, no lock and no result; the next attempt finishes the set."""
    it = job(config_of({"name": "slow", "args": {"seconds": 8}}))
    runner = it.start()
    it.wait_for_samples(runner)
    assert it.workers()
    runner.kill()
    runner.wait()
    wait_for(lambda: not it.workers())
    assert it.end() is None
    assert it.run("--attempt", "2")["exit_code"] == 0
    assert "success" in [log.status for log in it.eval_logs()]


def test_byte_code_that_cannot_be_written_whole_is_not_written(tmp_path):
    """Half a file of it would end every later run that has the same virtualenv."""
    (tmp_path / "long.py").write_text("x = [\n" + "".join(f"    'word {i}',\n" for i in range(2000)) + "]\n")
    program = """if True:
        import resource, sys
        sys.path[:0] = sys.argv[1:]
        import hawk_worker
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
        import long
    """

    def kept(limit: int) -> list[pathlib.Path]:
        subprocess.run(["/usr/bin/python3", "-B", "-c", program, str(ROOT / "python"), str(tmp_path), str(limit)], check=True)
        return list(tmp_path.glob("__pycache__/long.*"))

    assert kept(4096) == []
    (whole,) = kept(1 << 20)
    assert whole.suffix == ".pyc" and whole.stat().st_size > 4096


def test_half_a_virtualenv_is_made_anew(tmp_path):
    """What a crash during an install leaves is not taken for a whole one."""
    cache = tmp_path / "cache"
    assert Job(tmp_path / "first", cache, config_of()).run()["exit_code"] == 0
    (ready,) = (cache / "venvs").glob("*/ready")
    ready.unlink()
    shutil.rmtree(next((ready.parent / "lib").glob("python3*")) / "site-packages/inspect_ai")
    assert Job(tmp_path / "second", cache, config_of()).run()["exit_code"] == 0
    assert ready.exists()


@pytest.mark.parametrize("packages", VERSIONS)
@pytest.mark.parametrize("name", ["agent", "choices", "limits-epochs", "two-models-and-roles"])
def test_the_examples_run_with_old_and_new_inspect(job, name, packages):
    """Every example ends well with the oldest supported version and the newest."""
    import yaml

    text = (ROOT / f"examples/{name}.eval-set.yaml").read_text().replace("./hawk_examples", str(EXAMPLES))
    it = job({**yaml.safe_load(text), "packages": packages})
    end = it.run()
    assert end["exit_code"] == 0, end
    assert {log.status for log in it.eval_logs()} == {"success"}
