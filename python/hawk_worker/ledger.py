"""Which part of an eval set's work a process does: its books alone, or one task without the books.

Inspect's `eval_set` does both. The processes of one eval set share a folder of logs, so one of them writes
`eval-set.json` and `logs.json`, and the others leave them alone.
"""

import os
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import rich
from inspect_ai._eval import evalset
from inspect_ai.hooks import _hooks
from inspect_ai.log import read_eval_log

READ_TRIES = 5
READ_PAUSE = 0.5
RECOVERED = "-recovered"
"""What Inspect puts into the name of a log that it makes of one that was not finished."""

FILE_PATTERN = "INSPECT_EVAL_LOG_FILE_PATTERN"
"""How logs are named, where not as Inspect names them by itself."""

PARTS = [
    (evalset, "eval"),
    (evalset, "as_previous_tasks"),
    (evalset, "list_all_eval_logs"),
    (evalset, "list_eval_logs"),
    (evalset, "write_eval_set_info"),
    (evalset, "write_log_dir_manifest"),
    (evalset, "Log"),
    (evalset, "task_identifier"),
    (_hooks, "emit_eval_set_start"),
    (_hooks, "emit_eval_set_end"),
]
"""What of Inspect is replaced or used here; it is the same in all versions that the tests run with."""


def missing() -> str | None:
    """The first part that the installed Inspect does not have; None when all are there."""
    return next((name for module, name in PARTS if not hasattr(module, name)), None)


def _nothing(*args: Any, **kwargs: Any) -> None:
    pass


async def _no_hook(*args: Any, **kwargs: Any) -> None:
    pass


def _header(info: Any) -> Any:
    """The header of a log which another process may be writing just now."""
    for left in reversed(range(READ_TRIES)):
        try:
            return read_eval_log(info, header_only=True)
        except Exception:
            if left == 0:
                raise
            time.sleep(READ_PAUSE)
    return None


def _age(info: Any, header: Any) -> tuple[float, int, float]:
    """What later logs of a task have more of: a recovered log comes after the one that it was made of, with which it began."""
    begun = datetime.fromisoformat(str(header.eval.created).replace("Z", "+00:00")).timestamp()
    return begun, str(info.name).count(RECOVERED), info.mtime or 0


def _key(name: str) -> str:
    """The name of a task as far as it is the same in the name of a file."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _others(task: str, tasks: list[str]) -> set[str]:
    """Keys of logs that are certainly of other tasks. How many of the parts of a name are in that of a file depends on what
    stands before them."""
    parts = task.split("/")
    return {_key(name.rsplit("/", 1)[-1]) for name in tasks} - {_key("/".join(parts[i:])) for i in range(len(parts))}


def _all_logs(log_dir: str, others: set[str]) -> list[Any]:
    """All logs, oldest first, but for those that by the names of their files are of other tasks: nothing of them is needed,
    and with many tasks reading the headers of all again for each takes long.

    Inspect goes on from the log of a task that was written last. An older one may have been written after that, when it was
    closed, edited or copied; so the times that Inspect is told are the places in the order in which they were begun.
    """
    found = [(info, _header(info)) for info in evalset.list_eval_logs(log_dir) if _key(info.task) not in others]
    found.sort(key=lambda log: _age(*log))
    return [
        evalset.Log(info=info.model_copy(update={"mtime": float(place)}), header=header, task_identifier=evalset.task_identifier(header, None))
        for place, (info, header) in enumerate(found, 1)
    ]


def only_books(*, begins: bool) -> None:
    """From now on eval_set of this process runs no task and resumes none.

    Args:
        begins: Whether the eval set begins, for Inspect's hooks; else it ends.
    """
    rich.get_console().quiet = True  # Inspect says at the end that all tasks are complete
    none: Callable[..., list[Any]] = lambda *args, **kwargs: []  # noqa: E731
    evalset.eval = none
    evalset.as_previous_tasks = none
    setattr(_hooks, "emit_eval_set_end" if begins else "emit_eval_set_start", _no_hook)


def only_task(task: str, tasks: list[str]) -> None:
    """From now on eval_set of this process leaves the eval set's files alone.

    Args:
        task: The name of the task that it runs.
        tasks: The names of all tasks of the eval set.
    """
    others = set() if os.environ.get(FILE_PATTERN) else _others(task, tasks)
    evalset.write_eval_set_info = _nothing
    evalset.write_log_dir_manifest = _nothing
    evalset.list_all_eval_logs = lambda log_dir, *args, **kwargs: _all_logs(log_dir, others)
    _hooks.emit_eval_set_start = _no_hook
    _hooks.emit_eval_set_end = _no_hook
