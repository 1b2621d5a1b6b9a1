"""The most memory that `hawk import` and the server take for logs whose samples are larger than memory should be.

One log has a sample of HAWK_BENCH_GB (3) GB in messages, events and attachments of 10 KB; others have a single message,
event or attachment of HAWK_BENCH_MB (200) MB; the last has a message of 2 GB, which is over the limit of a part, and a small
sample. Both databases; the server is asked for nothing else.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator

from common import Hawk, new_hawk, row
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401  (teaches zipfile about zstd)

import postgres  # isort: skip - common has put its folder on the path

GB = float(os.environ.get("HAWK_BENCH_GB", "3"))
MB = int(os.environ.get("HAWK_BENCH_MB", "200"))
ZSTD = 93
AT = b"2026-01-31T10:00:00+00:00"
CHANCE = random.Random(7)
TEXTS = [CHANCE.randbytes(5000).hex().encode() for _ in range(64)]
MEGABYTE = (b"".join(TEXTS) * 2)[: 1 << 20]

Pieces = Iterator[bytes]


def text(n: int) -> Pieces:
    """A string of n MB."""
    yield b'"'
    for _ in range(n):
        yield MEGABYTE
    yield b'"'


def sample(uuid: bytes, messages: Pieces, events: Pieces, attachments: Pieces) -> Pieces:
    """A sample of these."""
    yield b'{"id":"large","epoch":1,"input":"x","target":"","uuid":"%s","messages":[{"id":"m","role":"user","content":"x"}' % uuid
    yield from messages
    yield b'],"events":[{"event":"info","uuid":"e","timestamp":"%s","data":1}' % AT
    yield from events
    yield b'],"attachments":{"first":"x"'
    yield from attachments
    yield b"}}"


def message(i: int, content: Pieces) -> Pieces:
    """One message more."""
    yield b',{"id":"m%d","role":"%s","content":' % (i, (b"user", b"assistant")[i % 2])
    yield from content
    yield b"}"


def event(i: int, data: Pieces) -> Pieces:
    """One event more."""
    yield b',{"event":"info","uuid":"e%d","timestamp":"%s","data":' % (i, AT)
    yield from data
    yield b"}"


def attachment(i: int, content: Pieces) -> Pieces:
    """One attachment more."""
    yield b',"%032x":' % i
    yield from content


def short(i: int) -> Pieces:
    """A string of 10 KB."""
    yield b'"%s"' % TEXTS[i % len(TEXTS)]


def many(part, n: int) -> Pieces:
    """So many parts of one kind."""
    for i in range(n):
        yield from part(i, short(i))


def make_log(path: pathlib.Path, large: Pieces) -> None:
    """Write a log of a large sample and a small one."""
    evaluation = {
        "eval_id": f"eval-{path.stem}", "run_id": "run", "task_id": "task", "created": AT.decode(), "task": "large", "task_version": 0,
        "model": "mockllm/model", "dataset": {}, "config": {},
    }  # fmt: skip
    header = {"version": 2, "status": "success", "eval": evaluation, "plan": {}, "results": {"total_samples": 2, "completed_samples": 2}}
    small = {"id": "small", "epoch": 1, "input": "x", "target": "", "uuid": f"small-{path.stem}", "messages": [], "events": []}
    with zipfile.ZipFile(path, "w", ZSTD, compresslevel=3) as archive:
        with archive.open("samples/large_epoch_1.json", "w", force_zip64=True) as member:
            for piece in large:
                member.write(piece)
        archive.writestr("samples/small_epoch_1.json", json.dumps(small))
        archive.writestr("header.json", json.dumps(header))


def make_logs(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write all logs."""
    n = int(GB * (1 << 30) / 3 / 10100)
    none = iter(())
    samples = {
        "parts": sample(b"parts", many(message, n), many(event, n), many(attachment, n)),
        "message": sample(b"message", message(1, text(MB)), none, none),
        "event": sample(b"event", none, event(1, text(MB)), none),
        "attachment": sample(b"attachment", none, none, attachment(1, text(MB))),
        "too-large": sample(b"too-large", message(1, text(2048)), none, none),
    }
    for name, large in samples.items():
        make_log(folder / f"{name}.eval", large)
    return [folder / f"{name}.eval" for name in samples]


def peak_mb(pid: int) -> float:
    """The most memory that a process has had."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0)  # none of one that has ended


def state_of(hawk: Hawk, log: pathlib.Path) -> str:
    """What became of the import of a log."""
    items = hawk.get("/meta/imports")[1]["items"]
    return next((item["state"] for item in items if log.name in item["log"]), "not there")


def import_one(hawk: Hawk, log: pathlib.Path) -> tuple[float, float, str]:
    """Bring a log in; give the peaks of the command and of the server, and what became of the log."""
    assert hawk.server is not None
    pathlib.Path(f"/proc/{hawk.server.pid}/clear_refs").write_text("5")  # the peak begins anew
    command = [str(hawk.program), "import", str(log), "--name", log.stem, "--no-wait"]
    process = subprocess.Popen(command, env=hawk.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = 0.0
    while process.poll() is None:
        client = max(client, peak_mb(process.pid))
        time.sleep(0.005)
    hawk.wait_for(lambda: state_of(hawk, log) not in ("pending", "importing", "retrying"), 3600)
    hawk.wait_for(lambda: hawk.get("/meta/search?q=x")[1]["not_indexed"] == 0, 3600)
    return client, peak_mb(hawk.server.pid), state_of(hawk, log)


def measure(database: str, logs: list[pathlib.Path], url: str | None) -> None:
    """All logs into one server."""
    hawk = new_hawk()
    if url:
        hawk.env["HAWK_API_DATABASE_URL"] = url
    hawk.start()
    try:
        for log in logs:
            client, server, state = import_one(hawk, log)
            row(f"{database}, {log.stem}", f"{server:.0f} MB", f"{client:.0f} MB", state)
    finally:
        hawk.stop()
        shutil.rmtree(hawk.home)


def main() -> None:
    """Make the logs, then measure."""
    with tempfile.TemporaryDirectory(prefix="hawk-bench-") as folder:
        logs = make_logs(pathlib.Path(folder))
        print(f"parts: {GB} GB in parts of 10 KB; message, event, attachment: one of {MB} MB; too-large: a message of 2 GB")
        row("", "server", "command", "import")
        measure("SQLite", logs, None)
        if reason := postgres.why_not():
            print(reason)
            return
        server = postgres.Postgres(settings=("max_wal_size=4GB",))
        try:
            measure("PostgreSQL", logs, server.url(server.make("memory")))
        finally:
            server.close()


if __name__ == "__main__":
    main()
