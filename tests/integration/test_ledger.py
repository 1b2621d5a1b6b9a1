"""Which log of a task a run goes on from."""

import os
import sys

from conftest import ROOT
from inspect_ai._eval import evalset
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSpec, write_eval_log

sys.path.insert(0, str(ROOT / "python"))

from hawk_worker import ledger  # noqa: E402


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
    (newest,) = evalset.latest_completed_task_eval_logs(ledger._all_logs(str(tmp_path)))
    assert newest.info.name.endswith("T11-00-00-00-00_t_one-recovered.eval")
