"""The tasks of an eval set are processes of their own: what one of them does to itself the others do not feel."""

import contextlib
import json
import os
import shutil
import signal
import zipfile
from pathlib import Path

import pytest
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401 - teaches zipfile about zstd
from test_runner import EXAMPLES, config_of, job, wait_for  # noqa: F401 - a fixture

TASKS = '''

def _note(path: str, text: str) -> None:
    import os

    with open(path, "a") as file:
        file.write(f"{os.getpid()} {text}\\n")


@solver
def noted(path: str, seconds: float, limit: int, dies: bool) -> Solver:
    """Notes in a file when it begins and ends a sample."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        import os

        from inspect_ai.util import concurrency

        if dies:
            os.kill(os.getpid(), 11)
        async with concurrency("noted", limit):
            _note(path, f"begin {state.sample_id}")
            await anyio.sleep(seconds)
            _note(path, f"end {state.sample_id}")
        return state

    return solve


@task
def noting(path: str, samples: int = 4, seconds: float = 0.5, limit: int = 100, dies: bool = False) -> Task:
    """Samples that leave a trace."""
    dataset = MemoryDataset([Sample(id=i + 1, input="hello", target="hello") for i in range(samples)])
    return Task(dataset=dataset, solver=noted(path, seconds, limit, dies))
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """The examples and a task that leaves a trace."""
    package = tmp_path_factory.mktemp("package") / "examples"
    shutil.copytree(EXAMPLES, package)
    source = package / "src/hawk_examples"
    with (source / "tasks.py").open("a") as file:
        file.write(TASKS)
    registry = (source / "registry.py").read_text()
    (source / "registry.py").write_text(registry.replace("    slow,\n", "    noting,\n    slow,\n"))
    return package


def noting(package: Path, *args: dict, **settings) -> dict:
    """A config with a task for each of args."""
    config = config_of(package=package, **settings)
    config["tasks"][0]["items"] = [{"name": "noting", "args": {key: str(value) if isinstance(value, Path) else value
                                                               for key, value in arg.items()}} for arg in args]
    return config


def tasks_of(it) -> list[dict]:
    """What tasks.json says."""
    path = it.folder / "tasks.json"
    return json.loads(path.read_text())["tasks"] if path.exists() else []


def lines(path: Path) -> list[list[str]]:
    """The lines of a trace: process, `begin` or `end`, sample."""
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def logged(it, n_samples: int) -> list[str]:
    """The finished samples in the log of the task that has so many samples."""
    for path in it.logs.glob("*.eval"):
        with contextlib.suppress(zipfile.BadZipFile, KeyError), zipfile.ZipFile(path) as archive:
            if json.loads(archive.read("_journal/start.json"))["eval"]["dataset"]["samples"] == n_samples:
                return [Path(name).name.split("_epoch")[0] for name in archive.namelist() if name.startswith("samples/")]
    return []


def ended(path: Path) -> list[str]:
    """The samples whose end was noted, in that order."""
    return [sample for _, what, sample in lines(path) if what == "end"]


@pytest.mark.parametrize("packages", [[], ["inspect-ai==0.3.188"]])
def test_a_killed_worker_loses_only_its_own_unfinished_samples(job, package, tmp_path, packages):  # noqa: F811
    """It is started again with half as many samples at once; the samples that it had finished are not run again, and the
    other task goes on in the same process."""
    one, other = tmp_path / "one", tmp_path / "other"
    config = noting(package, {"path": one, "seconds": 1}, {"path": other, "samples": 5, "seconds": 1}, packages=packages)
    it = job(config, max_samples=2, log_buffer=1)
    runner = it.start()
    finished = wait_for(lambda: logged(it, 4))
    os.kill(tasks_of(it)[0]["pid"], signal.SIGKILL)
    assert runner.wait(300) == 0
    first, second = tasks_of(it)
    assert (first["deaths"], first["max_samples"], second["deaths"]) == (1, 1, 0)
    assert len({process for process, _, _ in lines(other)}) == 1
    assert sorted(ended(other)) == ["1", "2", "3", "4", "5"]
    assert all(ended(one).count(sample) == 1 for sample in finished), lines(one)
    whole = [log for log in it.eval_logs() if log.status == "success"]
    assert [sorted(sample.id for sample in log.samples) for log in sorted(whole, key=lambda log: len(log.samples))] == [[1, 2, 3, 4], [1, 2, 3, 4, 5]]
    manifest = json.loads((it.logs / "eval-set.json").read_text())
    assert len(manifest["tasks"]) == 2


def test_a_worker_that_always_dies_is_given_up_and_named(job, package, tmp_path):  # noqa: F811
    """The run fails with its signal; the other task has its scores."""
    it = job(noting(package, {"path": tmp_path / "one", "dies": True}, {"path": tmp_path / "other"}))
    end = it.run()
    assert (end["exit_code"], end["reason"]) == (1, "run.failed")
    assert "noting" in end["detail"] and "1 of 2 tasks failed" in end["detail"] and "signal 11" in end["detail"]
    assert [task["deaths"] for task in tasks_of(it)] == [5, 0]
    assert sorted(ended(tmp_path / "other")) == ["1", "2", "3", "4"]


def test_the_process_that_starts_workers_can_be_killed(job, package, tmp_path):  # noqa: F811
    """Its workers die with it and all is taken up again."""
    it = job(noting(package, {"path": tmp_path / "one", "seconds": 2}, {"path": tmp_path / "other"}))
    runner = it.start()
    wait_for(lambda: lines(tmp_path / "one") and "pid" in tasks_of(it)[0])
    pool = Path(f"/proc/{tasks_of(it)[0]['pid']}/stat").read_text().rsplit(")", 1)[1].split()[1]
    os.kill(int(pool), signal.SIGKILL)
    assert runner.wait(300) == 0
    assert {log.status for log in it.eval_logs()} >= {"success"}
    assert set(ended(tmp_path / "one")) == {"1", "2", "3", "4"} == set(ended(tmp_path / "other"))
    assert not it.workers()


def test_no_more_tasks_run_at_once_than_allowed(job, package, tmp_path):  # noqa: F811
    """With max_tasks of one, a task begins when the one before has ended."""
    path = tmp_path / "all"
    it = job(noting(package, *({"path": path, "samples": n, "seconds": 0.1} for n in (2, 3, 4))), max_tasks=1)
    assert it.run()["exit_code"] == 0
    processes = [process for process, _, _ in lines(path)]
    assert len(dict.fromkeys(processes)) == 3
    assert processes == sorted(processes, key=list(dict.fromkeys(processes)).index)


@pytest.mark.parametrize("packages", [[], ["inspect-ai==0.3.188"]])
def test_a_limit_holds_for_all_workers_together(job, package, tmp_path, packages):  # noqa: F811
    """Three tasks of four samples under one limit of two."""
    path = tmp_path / "all"
    args = ({"path": path, "samples": n, "seconds": 0.2, "limit": 2} for n in (4, 5, 6))
    it = job(noting(package, *args, packages=packages))
    assert it.run()["exit_code"] == 0
    inside, most = 0, 0
    for _, what, _ in lines(path):
        inside += 1 if what == "begin" else -1
        most = max(most, inside)
    assert (inside, most) == (0, 2)
    assert len(ended(path)) == 15


def test_a_package_that_loads_numpy_is_loaded_once(job, package, tmp_path):  # noqa: F811
    """Its threads end before a fork, so that tasks are forked from the process that has loaded it."""
    numeric = tmp_path / "examples"
    shutil.copytree(package, numeric)
    source = numeric / "src/hawk_examples/tasks.py"
    note = f"import numpy, os\n\nopen({str(tmp_path / 'loads')!r}, 'a').write(f'{{os.getpid()}}\\n')\nnumpy.ones((300, 300)) @ numpy.ones((300, 300))\n"
    source.write_text(source.read_text() + note)
    it = job(noting(numeric, {"path": tmp_path / "one", "seconds": 0}, {"path": tmp_path / "other", "seconds": 0}))
    assert it.run()["exit_code"] == 0
    assert len((tmp_path / "loads").read_text().splitlines()) == 1
