#!/usr/bin/env python3
"""A runner that keeps to the files of docs/architecture.md, "A job as a process", without any evaluation.

What it is to do stands in the config's metadata: seconds, exit_code, ignore_term, sample_errors, leave_child. It notes
what it did, one line each, in the job's `notes` file.
"""

import fcntl
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

job = pathlib.Path(sys.argv[3]).parent
attempt = int(sys.argv[sys.argv.index("--attempt") + 1])
cancelled = False


def note(text: str) -> None:
    fd = os.open(job / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{text} {attempt} {os.getpid()} {time.monotonic()}\n".encode())
    os.close(fd)


def put(name: str, value: object) -> None:
    temporary = job / f"{name}.{os.getpid()}.tmp"
    temporary.write_text(json.dumps(value))
    temporary.rename(job / name)


def stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def status(phase: str) -> None:
    put("status.json", {"phase": phase, "since": stamp(), "detail": None})


def leave(code: int, reason: str, detail: str | None = None) -> None:
    put("exit.json", {"attempt": attempt, "exit_code": code, "reason": reason, "detail": detail, "finished_at": stamp()})
    sys.exit(code)


def on_term(*_: object) -> None:
    global cancelled
    cancelled = True


def write_log(log_dir: pathlib.Path, job_id: str, sample_errors: int) -> None:
    header = {
        "version": 2,
        "status": "success",
        "eval": {"eval_id": f"e-{job_id}", "run_id": "r", "created": stamp(), "task": "stand_in", "task_id": "t1",
                 "task_version": 0, "task_args": {}, "model": "none/none", "model_args": {}, "packages": {},
                 "dataset": {"name": "d", "samples": 2}, "config": {"epochs": 1}, "metadata": {"eval_set_id": job_id}},
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {"total_samples": 2, "completed_samples": 2 - sample_errors, "scores": []},
        "stats": {"started_at": stamp(), "completed_at": stamp(), "model_usage": {}},
    }
    summaries = [{"id": i, "epoch": 1, "uuid": f"u{i}", "input": "i", "target": "t", "completed": True,
                  "metadata": {}, "scores": {}, "model_usage": {},
                  **({"error": "it broke"} if i < sample_errors else {})} for i in range(2)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("summaries.json", json.dumps(summaries))
        archive.writestr("header.json", json.dumps(header))
    log_dir.mkdir(parents=True, exist_ok=True)
    temporary = log_dir / "x.tmp"
    temporary.write_bytes(out.getvalue())
    temporary.rename(log_dir / f"2026-01-01T00-00-00+00-00_stand-in_{attempt}.eval")


def main() -> None:
    lock = open(job / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(75)
    ticks = int(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    put("runner.json", {"pid": os.getpid(), "start_ticks": ticks, "boot_id": boot_id, "attempt": attempt})
    infra = json.loads((job / "infra-config.json").read_text())
    wish = json.loads((job / "user-config.json").read_text()).get("metadata") or {}
    signal.signal(signal.SIGTERM, signal.SIG_IGN if wish.get("ignore_term") else on_term)
    status("queued")
    go = job / "go"
    while not (go.is_file() and go.read_text().strip() == str(attempt)):
        if cancelled:
            leave(130, "cancelled")
        time.sleep(0.01)
    note("begin")
    status("running")
    if wish.get("leave_child"):
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        (job / "child").write_text(str(child.pid))
    if name := wish.get("note_variable"):
        note(f"variable {len(os.environ.get(name, ''))}")
    end = time.monotonic() + wish.get("seconds", 0)
    while time.monotonic() < end:
        if cancelled:
            note("cancelled")
            leave(130, "cancelled", "cancelled by a signal")
        time.sleep(0.01)
    if code := wish.get("exit_code", 0):
        note("end")
        leave(code, wish.get("reason", "failed"), wish.get("detail"))
    write_log(pathlib.Path(infra["log_dir"]), infra["job_id"], wish.get("sample_errors", 0))
    note("end")
    leave(0, "done")


main()
