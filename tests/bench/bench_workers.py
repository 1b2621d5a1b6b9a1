"""A task that leaks memory among thirty: what becomes of the 29 others, by hawk's runner and by `inspect eval-set`, one after
the other under the same limit of memory; then the same thirty without the leak, for memory and time.

`inspect eval-set` is begun anew over its logs as long as it is killed, as somebody would do by hand; hawk's runner is started
once. Needs root and a cgroup for memory (version 1 or 2). HAWK_BENCH_SAMPLES changes the number of samples of a task (100).
"""

import collections
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from common import new_hawk, row

from conftest import find_program, venv_of
from test_runner import EXAMPLES, Job

N_TASKS = 30
N_SAMPLES = int(os.environ.get("HAWK_BENCH_SAMPLES", "100"))
LIMIT_MB = 3000
LEAK_MB = 64
STARTS_MAX = 6
"""As often as hawk starts a task."""

SOURCE = f"""

_kept = []


@solver
def leaks(name: str, megabytes: int) -> Solver:
    \"\"\"Keep so much more with each sample.\"\"\"

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        with open(os.environ["BENCH_TRACE"], "a") as trace:
            trace.write(f"{{name}} {{state.sample_id}}\\\\n")
        _kept.append(bytearray(b"x") * (megabytes << 20))
        await anyio.sleep(0.3)
        return await generate(state)

    return solve


def _numbered(n: int, megabytes: int) -> Task:
    dataset = MemoryDataset([Sample(id=i + 1, input="Say exactly: hello", target="hello") for i in range({N_SAMPLES})])
    return Task(name=f"numbered_{{n}}", dataset=dataset, solver=leaks(f"numbered_{{n}}", megabytes), scorer=exact())
""".replace("\\\\n", "\\n")
TASK = """

@task
def numbered_{n}() -> Task:
    return _numbered({n}, {megabytes})
"""


def make_package(folder: pathlib.Path, leak_mb: int) -> pathlib.Path:
    """Return the example package with thirty more tasks, the first of which keeps so much with each sample."""
    package = folder / "package"
    shutil.copytree(EXAMPLES, package)
    source = package / "src/hawk_examples"
    with (source / "tasks.py").open("a") as file:
        file.write(SOURCE)
        for n in range(N_TASKS):
            file.write(TASK.format(n=n, megabytes=0 if n else leak_mb))
    registry = (source / "registry.py").read_text()
    names = "".join(f"    numbered_{n},\n" for n in range(N_TASKS))
    (source / "registry.py").write_text(registry.replace("    slow,\n", names + "    slow,\n", 1))
    return package


class Cgroup:
    """A cgroup of its own with a limit of memory, which counts memory and processor time."""

    def __init__(self):
        root = pathlib.Path("/sys/fs/cgroup")
        self.is_v1 = (root / "memory").is_dir()
        self.folders = [top / f"hawk-bench-{os.getpid()}" for top in ([root / "memory", root / "cpuacct"] if self.is_v1 else [root])]
        for folder in self.folders:
            folder.mkdir()
        (self.folders[0] / ("memory.limit_in_bytes" if self.is_v1 else "memory.max")).write_text(str(LIMIT_MB << 20))
        self.peak = 0

    def _number(self, name: str, of: str) -> int:
        for line in (self.folders[0] / name).read_text().splitlines():
            if line.split()[0] == of:
                return int(line.split()[1])
        return 0

    def _look(self, ended: threading.Event) -> None:
        while not ended.wait(0.05):
            self.peak = max(self.peak, self._number("memory.stat", "total_rss" if self.is_v1 else "anon"))

    def run(self, command: list[str], **options) -> int:
        """Run a command in it to its end; return its status."""

        def enter():
            for folder in self.folders:
                (folder / "cgroup.procs").write_text(str(os.getpid()))

        ended = threading.Event()
        looks = threading.Thread(target=self._look, args=(ended,))
        looks.start()
        try:
            return subprocess.run(command, preexec_fn=enter, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, **options).returncode
        finally:
            ended.set()
            looks.join()

    def peak_mb(self) -> float:
        """The most memory that its processes had at once, without files that the system keeps for them."""
        return self.peak / (1 << 20)

    def processor_seconds(self) -> float:
        """What all its processes took, also those that were killed."""
        return int((self.folders[1] / "cpuacct.usage").read_text()) / 1e9 if self.is_v1 else self._number("cpu.stat", "usage_usec") / 1e6

    def kills(self) -> int:
        """How many of its processes the system killed for want of memory."""
        return self._number("memory.oom_control" if self.is_v1 else "memory.events", "oom_kill")

    def close(self) -> None:
        """Remove it, once its processes are gone."""
        for folder in self.folders:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.1)


def finished(logs: pathlib.Path) -> tuple[set[str], int]:
    """The tasks that have a log with all their samples scored, and how many scored samples there are in logs."""
    from inspect_ai.log import read_eval_log

    whole = set()
    samples: dict[str, set] = collections.defaultdict(set)
    for path in logs.glob("*.eval"):
        with contextlib.suppress(Exception):  # a log that was cut off
            log = read_eval_log(str(path))
            scored = {sample.id for sample in log.samples or [] if sample.scores}
            samples[log.eval.task] |= scored
            if log.status == "success" and len(scored) == N_SAMPLES:
                whole.add(log.eval.task.split("/")[-1])
    return whole, sum(len(ids) for ids in samples.values())


def run_one(who: str, job: Job, python: pathlib.Path) -> dict:
    """Run the thirty tasks; return what they came to."""
    trace = job.folder / "trace"
    env = {**job.env, "INSPECT_DISPLAY": "none", "BENCH_TRACE": str(trace)}
    if who == "hawk":
        command = [str(find_program()), "runner", "eval-set", *[str(job.folder / f"{name}-config.json") for name in ("user", "infra")]]
    else:
        job.logs.mkdir()
        command = [str(python.parent / "inspect"), "eval-set", *[f"hawk_examples/numbered_{n}" for n in range(N_TASKS)],
                   "--model=hawk_examples/steady", f"--log-dir={job.logs}", "--continue-on-fail", "--max-tasks=10", "--retry-attempts=0"]
    cgroup = Cgroup()
    begun = time.monotonic()
    starts = 0
    status = -9
    while status == -9 and starts < (1 if who == "hawk" else STARTS_MAX):
        status = cgroup.run(command, cwd=job.folder, env=env)
        starts += 1
    seconds = time.monotonic() - begun
    whole, n_samples = finished(job.logs)
    runs = collections.Counter(trace.read_text().splitlines())
    others = [times for name, times in runs.items() if not name.startswith("numbered_0 ")]
    result = {
        "status of the program (times begun)": f"{status} ({starts})",
        "killed for want of memory": f"{cgroup.kills()}",
        "of the 29 tasks, finished": f"{len(whole - {'numbered_0'})}",
        "the leaking task, finished": "yes" if "numbered_0" in whole else "no",
        "samples done": f"{n_samples} of {N_TASKS * N_SAMPLES}",
        "runs of samples in vain, of the 29": f"{sum(others) - len(others)}",
        "the same, of the leaking task": f"{sum(runs.values()) - len(runs) - sum(others) + len(others)}",
        "most memory at once": f"{cgroup.peak_mb():.0f} MB of {LIMIT_MB}",
        "wall time": f"{seconds:.1f} s",
        "processor time": f"{cgroup.processor_seconds():.1f} s",
    }
    cgroup.close()
    return result


def run_both(leak_mb: int) -> None:
    """Run the thirty tasks by both and print what they came to."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hawk-bench-"))
    package = make_package(folder, leak_mb)
    cache = pathlib.Path(new_hawk().env["HAWK_CACHE"])
    group = {"package": str(package), "name": "hawk_examples"}
    config = {"tasks": [{**group, "items": [{"name": f"numbered_{n}"} for n in range(N_TASKS)]}],
              "models": [{**group, "items": [{"name": "steady"}]}]}
    warm = Job(folder / "warm", cache, {**config, "tasks": [{**group, "items": [{"name": "hello"}]}]}, max_tasks=10, retry_attempts=0)
    warm.run()
    python = venv_of(warm.logs, cache) / "bin/python"
    ours, theirs = (run_one(who, Job(folder / who, cache, config, max_tasks=10, retry_attempts=0), python) for who in ("hawk", "inspect"))
    for what in ours:
        row(what, ours[what], theirs[what])
    shutil.rmtree(folder)


def main() -> None:
    """Print the two tables."""
    if os.geteuid() != 0:
        sys.exit("needs root, for a cgroup")
    for leak_mb in (LEAK_MB, 0):
        row(f"{N_TASKS} tasks of {N_SAMPLES}, one keeps {leak_mb} MB a sample", "hawk runner", "inspect eval-set")
        run_both(leak_mb)
        print()


if __name__ == "__main__":
    main()
