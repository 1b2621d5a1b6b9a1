"""What a run finds of an earlier try: which log of a task it goes on from, and what was left half made."""

import os
import resource
import sqlite3
import sys
from contextlib import contextmanager

import pytest
from conftest import ROOT
from inspect_ai._eval import evalset
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSpec, write_eval_log

sys.path.insert(0, str(ROOT / "python"))

from hawk_worker import ledger, remains  # noqa: E402
from inspect_ai.log._recorders.buffer.database import SampleBufferDatabase  # noqa: E402


def write_log(folder, name: str, begun: str, written: int) -> None:
    """Write a log of the task, begun and written at these times."""
    spec = EvalSpec(created=begun, task="t", task_id="one", dataset=EvalDataset(), model="mockllm/model", config=EvalConfig())
    path = folder / f"{name}.eval"
    write_eval_log(EvalLog(eval=spec, status="cancelled"), str(path))
    os.utime(path, (written, written))


def test_a_run_goes_on_from_the_log_that_was_begun_last_and_not_from_the_one_that_was_written_last(tmp_path):
    """Closing an older log, or editing it, writes it anew; what a recovered log was made of may be closed after that."""
    write_log(tmp_path, "2026-01-01T10-00-00-00-00_t_one", "2026-01-01T10:00:00+00:00", 1_900_000_000)
    write_log(tmp_path, "2026-01-01T11-00-00-00-00_t_one", "2026-01-01T11:00:00+00:00", 1_800_000_000)
    write_log(tmp_path, "2026-01-01T11-00-00-00-00_t_one-recovered", "2026-01-01T11:00:00+00:00", 1_700_000_000)
    (newest,) = evalset.latest_completed_task_eval_logs(ledger._all_logs(str(tmp_path), set()))
    assert newest.info.name.endswith("T11-00-00-00-00_t_one-recovered.eval")


@pytest.mark.parametrize(("task", "tasks", "file", "is_read"), [
    ("a", ["a", "b"], "b", False),
    ("a", ["a", "b"], "a", True),
    ("p/a", ["p/a", "q/b"], "b", False),
    ("suite/math/easy", ["suite/math/easy", "math_easy"], "math-easy", True),
    ("hf/math/easy", ["hf/math/easy", "hf_math_easy"], "hf-math-easy", True),
    ("a_b", ["a_b", "a-b"], "a-b", True),
])
def test_only_logs_that_are_certainly_of_another_task_are_left_out(tmp_path, task, tasks, file, is_read):
    """By the names of files, which have not all that tasks are called, so that no finished sample is paid for again."""
    write_log(tmp_path, f"2026-01-01T10-00-00-00-00_{file}_one", "2026-01-01T10:00:00+00:00", 1_900_000_000)
    assert bool(ledger._all_logs(str(tmp_path), ledger._others(task, tasks))) == is_read


@pytest.mark.parametrize(("left", "now"), [("", None), ("my-", None), ("my-set", "my-set"), ("another", "another"), (None, None)])
def test_an_id_that_was_half_written_is_forgotten_and_another_is_not(tmp_path, left, now):
    """As a full disk or a kill leaves it."""
    path = tmp_path / ".eval-set-id"
    if left is not None:
        path.write_text(left)
    remains.forget_half_id(str(tmp_path), "my-set")
    assert (path.read_text() if path.exists() else None) == now


@contextmanager
def no_room(n_bytes: int):
    """Let files have so many bytes only."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def buffer_of(tmp_path, monkeypatch):
    """Make the live buffer of a log, as the worker lets Inspect do it."""
    monkeypatch.setattr(SampleBufferDatabase, "__init__", SampleBufferDatabase.__init__)
    remains.watch_buffers()
    return lambda: SampleBufferDatabase(str(tmp_path / "one.eval"), db_dir=tmp_path / "buffers")


def test_a_buffer_that_there_is_no_room_for_leaves_nothing_and_each_try_says_so(tmp_path, buffer_of):
    """Not that its tables are there already."""
    with no_room(16 << 10):
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match="disk"):
                buffer_of()
    assert not list((tmp_path / "buffers").rglob("*.db*"))
    buffer_of().cleanup()


def test_the_buffer_of_a_try_that_wrote_no_log_is_replaced(buffer_of):
    """The next try of the same second has the same name for it."""
    first = buffer_of()
    second = buffer_of()
    assert first.db_path == second.db_path and second.get_samples().samples == []
    second.cleanup()
