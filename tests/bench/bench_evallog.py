"""Reading logs: our reader and Inspect's on the same logs in one run, and what unpacking alone costs here.

The work is not the same: ours unpacks, checks the checksum and the grammar, and gives every part as JSON; Inspect's makes
its records of Python. Both are measured in a process that has begun, with the file in the page cache. The Rust loader that
one would put beside both, inspect_fast_loader, is on no package registry. Figures are seconds of the processor, since
the machine may be busy, with those of the clock in brackets.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from common import ROOT, row

BENCH = ROOT / "build/release/tests/bench/bench_evallog"
CACHE = pathlib.Path(os.environ.get("HAWK_DEV_CACHE", pathlib.Path.home() / ".cache/hawk-dev"))
LOGS = pathlib.Path(os.environ.get("HAWK_BENCH_LOGS", CACHE / "bench-logs"))
MANY = 2000

# Each prints {"wall", "cpu"}, the median of some runs, and the most memory it took.
THEIRS = """
import json, statistics, sys, time
from inspect_ai.log import list_eval_logs, read_eval_log, read_eval_log_sample
from inspect_ai.log._file import read_eval_log_headers
what, path, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
actions = {
    "headers": lambda: read_eval_log_headers(list_eval_logs(path)),
    "full": lambda: read_eval_log(path),
    "one": lambda: read_eval_log_sample(path, sys.argv[4], 1),
    "uuid": lambda: read_eval_log_sample(path, uuid=sys.argv[4]),
}
wall, cpu = [], []
for _ in range(times):
    from_wall, from_cpu = time.perf_counter(), time.process_time()
    actions[what]()
    wall.append(time.perf_counter() - from_wall)
    cpu.append(time.process_time() - from_cpu)
peak = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps({"wall": statistics.median(wall), "cpu": statistics.median(cpu), "peak_kb": peak[0]}))
"""


def ours(*args: object) -> dict:
    """What bench_evallog prints."""
    return json.loads(subprocess.run([BENCH, *map(str, args)], check=True, capture_output=True, text=True).stdout)


def theirs(*args: object) -> dict:
    """The same of Inspect."""
    return json.loads(subprocess.run([sys.executable, "-c", THEIRS, *map(str, args)], check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def show(figure: dict) -> str:
    """Seconds of processor and clock, and memory."""
    return f"{figure['cpu'] * 1000:.2f} ms ({figure['wall'] * 1000:.2f}), {figure['peak_kb'] / 1024:.0f} MB"


def compare(what: str, mine: dict, other: dict, target: str) -> None:
    """Print both and how they relate."""
    row(what, show(mine), f"{show(other)} = {other['cpu'] / mine['cpu']:.0f} x ({other['wall'] / mine['wall']:.0f} x)", target)


def some_of(log: pathlib.Path) -> dict[str, tuple[str, str]]:
    """Id and uuid of the sample in the middle of a log and of the last one: ours stops at the summary with the uuid."""
    from inspect_ai.log import read_eval_log_sample_summaries

    summaries = read_eval_log_sample_summaries(str(log))
    return {where: (str(one.id), one.uuid) for where, one in (("middle", summaries[len(summaries) // 2]), ("last", summaries[-1]))}


def main() -> None:
    """Make the logs once, then measure."""
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "bench_evallog"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, ROOT / "tests/bench/make_bench_logs.py", LOGS], check=True)
    many = LOGS / "many"
    if not many.exists():
        many.mkdir()
        for i in range(MANY):
            shutil.copyfile(LOGS / "small.eval", many / f"2026-01-31T10-00-00+00-00_bench_{i:022d}.eval")
    row("", "hawk", "inspect_ai", "target")
    compare("headers of 2,000 logs", ours("headers", many), theirs("headers", many, 1), "50 x, stretch 80 x")
    row("  on two threads", show(ours("headers", many, 2)))
    for name, target in (("medium", "50 x, stretch 100 x"), ("deflate", "")):
        log = LOGS / f"{name}.eval"
        alone = ours("unpack", log)
        mine = ours("parts", log)
        compare(f"all samples, {name}, {mine['bytes'] / 1e6:.0f} MB of JSON", mine, theirs("full", log, 1), target)
        row("  on two threads", show(ours("parts", log, 2)))
        row("  unpacking alone, the machine's limit", f"{show(alone)} = {alone['cpu'] / mine['cpu']:.0%} of ours")
    for name, what, target in (("medium", "340 KB of 500", "60 x, stretch 90 x"), ("fat", "19 MB", "")):
        log = LOGS / f"{name}.eval"
        some = some_of(log)
        id_, uuid = some["middle"]
        mine = ours("one", log, id_)
        alone = ours("unpack-one", log, id_)
        compare(f"one sample of {what}, by id", mine, theirs("one", log, 5, id_), target)
        row("  unpacking it alone, the machine's limit", f"{show(alone)} = {alone['cpu'] / mine['cpu']:.0%} of ours")
        compare("  by uuid", ours("uuid", log, uuid), theirs("uuid", log, 5, uuid), target)
        if some["last"] != some["middle"]:
            compare("  by uuid, the last in the log", ours("uuid", log, some["last"][1]), theirs("uuid", log, 5, some["last"][1]), "")
            alone = ours("unpack-member", log, "summaries.json")
            row("  unpacking all summaries alone", show(alone))
    huge = ours("parts", LOGS / "huge.eval")
    row(f"one sample of {huge['bytes'] / 1e6:.0f} MB in parts", f"{show(huge)}, {huge['bytes'] / huge['cpu'] / 1e6:.0f} MB/s", "", "memory: 64 MB + largest part")


if __name__ == "__main__":
    main()
