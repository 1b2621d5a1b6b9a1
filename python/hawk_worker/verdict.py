"""How tasks ended, in a form that one process can leave for another, and what that makes of the run."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from hawk_worker.report import logger, outcome

DONE = 0
FAILED = 1
CANNOT_WORK = 78
CANCELLED = 130

Json = dict[str, Any]

RESULTS = Path("results").absolute()
"""A file for each task that has ended, in the folder of the job, which this process starts in."""


def summaries_of(log: Any) -> list[Any]:
    """What there is of the samples of a log; nothing when it cannot be read, for it could not be written or not even begun."""
    from inspect_ai.log import read_eval_log_sample_summaries

    try:
        return list(read_eval_log_sample_summaries(log.location))
    except Exception as error:
        logger.warning(f"cannot read the samples of {log.location}: {error}")
        return []


def _of_log(log: Any) -> Json:
    """What came of one task, from the header of its log: its status, the reason if it failed, and its samples."""
    summaries = summaries_of(log)
    errors = [summary.error for summary in summaries if summary.error]
    reason = log.error.message if log.error else errors[0] if errors else log.status
    return {
        "task": log.eval.task,
        "status": log.status,
        "reason": reason,
        "n_samples": len(summaries),
        "n_errors": len(errors),
        "first_error": errors[0] if errors else None,
    }


def write(number: int, result: Json) -> None:
    """Leaves the result of a task as `results/<number>.json`, whole or not at all, without the values of secrets."""
    from inspect_ai._util.json import to_json_safe

    RESULTS.mkdir(mode=0o700, exist_ok=True)
    draft = RESULTS / f".{number}.{os.getpid()}"
    draft.write_bytes(to_json_safe(result))
    draft.rename(RESULTS / f"{number}.json")


def read(count: int) -> list[Json]:
    """The results of tasks 0 to count - 1; the runner has left one for each process that died."""
    return [json.loads((RESULTS / f"{number}.json").read_text(encoding="utf-8")) for number in range(count)]


def results_of(success: bool, logs: list[Any]) -> list[Json]:
    """The results of tasks, from what eval_set returned."""
    results = [_of_log(log) for log in logs]
    if not success and all(result["status"] == "success" for result in results):
        results.append({"task": None, "status": "incomplete", "reason": "not all tasks were completed"})
    return results


def judge(results: list[Json]) -> int:
    """Tells how the run of these tasks went and returns the exit status."""
    if any(result["status"] == "cancelled" for result in results):
        outcome(logging.ERROR, "cancelled")
        return CANCELLED
    failed = [result for result in results if result["status"] != "success"]
    if failed:
        first = failed[0]
        if first["task"] is None:
            outcome(logging.ERROR, first["reason"])
        else:
            outcome(logging.ERROR, f"{len(failed)} of {len(results)} tasks failed; {first['task']}: {first['reason']}")
        return CANNOT_WORK if all(result["status"] == "refused" for result in results) else FAILED
    total, errors = (sum(result[key] for result in results) for key in ("n_samples", "n_errors"))
    # Inspect calls a task a success although its samples ended with errors when fail_on_error allows them.
    if errors and errors == total:
        first = next(result["first_error"] for result in results if result["n_errors"])
        outcome(logging.ERROR, f"all {total} samples ended with an error; the first: {first}")
        return FAILED
    some = f"; {errors} of {total} samples ended with an error" if errors else ""
    outcome(logging.INFO, f"{len(results)} {'task' if len(results) == 1 else 'tasks'} done{some}")
    return DONE
