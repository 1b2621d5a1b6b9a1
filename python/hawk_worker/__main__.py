"""The worker's command line and its exit statuses.

0: every task succeeded. 1: something failed. 78: the config cannot work, trying again is useless. 130: cancelled.
"""

import contextlib
import inspect
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from hawk_worker import hide
from hawk_worker.report import logger, outcome, phase, set_up
from hawk_worker.verdict import CANCELLED, CANNOT_WORK, FAILED

if TYPE_CHECKING:
    from hawk_worker.pool import Loaded

Json = dict[str, Any]


SLOTS = Path(".slots").absolute()
"""Places under limits that all workers share, in the folder of the job, which this process starts in."""
ONE_PROCESS = "HAWK_ONE_PROCESS"
"""Set in the environment of a run, it asks for no process for each task."""

RETRIES = 10
"""Of a failed task, where the config says nothing; as Inspect."""

was_cancelled = False
"""Whether SIGTERM came; Inspect may return from eval_set after it as if all had ended well."""


def _cancel(signal_number: int, frame: FrameType | None) -> None:
    global was_cancelled
    was_cancelled = True
    # As Ctrl-C, which Inspect knows how to end a run with.
    signal.raise_signal(signal.SIGINT)


class CannotWork(Exception):
    """The config cannot work, however often it is tried; the text says why."""


def _listen() -> None:
    """Lets SIGTERM cancel; in so many words for SIGINT, for a worker may have been started with it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _cancel)


def _plain(error: BaseException) -> str:
    """The text of an exception, without the markup that Inspect puts into some."""
    if isinstance(error, KeyError):
        return f"KeyError: {error}"
    text = str(error) or type(error).__name__
    try:
        from rich.text import Text

        return Text.from_markup(text).plain
    except Exception:
        return text


def _is_final(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    group = getattr(error, "exceptions", None)
    if isinstance(group, tuple):
        return all(_is_final(inner, kinds) for inner in group)
    return isinstance(error, kinds)


def _refuse_unsupported(user: Json) -> None:
    from hawk_worker.build import LoadError

    isolation = user.get("isolation") or "standard"
    level = isolation if isinstance(isolation, str) else isolation.get("level", "standard")
    if level != "standard":
        raise LoadError(f"isolation {level!r} needs a cluster")
    if user.get("human_eval"):
        raise LoadError("human_eval needs a cluster")
    if user.get("scan"):
        logger.warning("scan is not run with the eval set; it has no effect")


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """While the config is turned into objects.

    Raises:
        CannotWork: the config is wrong, and why; trying again is useless.
    """
    from inspect_ai._util.error import PrerequisiteError
    from pydantic import ValidationError

    from hawk_worker import build

    try:
        yield
    except Exception as error:
        if _is_final(error, (build.LoadError, LookupError, ImportError, TypeError, ValidationError, PrerequisiteError)):
            logger.info("the config could not be loaded", exc_info=error)
            raise CannotWork(_plain(error)) from error
        raise


def _load(user: Json, infra: Json) -> "Loaded":
    """Makes the models, solvers and tasks of the config.

    Raises:
        CannotWork: the config is wrong.
    """
    with _loading():
        from hawk_worker import build, options
        from hawk_worker.pool import Loaded

        _refuse_unsupported(user)
        roles = build.model_roles(user)
        models = build.models(user, options.generate_config(user))
        tasks = build.tasks(user, build.solvers(user), models)
        arguments = options.eval_set_arguments(user, infra, [*models, *roles.values()])
    return Loaded(tasks, roles, arguments)


def _scan(user: Json, infra: Json) -> int:
    """Runs the scanners of the config; returns the exit status."""
    with _loading():
        from hawk_worker.scan import Scans

        scans = Scans(user, infra)
    phase("running")
    trouble = scans.run()
    if was_cancelled:
        raise KeyboardInterrupt
    outcome(logging.ERROR if trouble else logging.INFO, trouble or "done")
    return FAILED if trouble else 0


def _run_tasks(tasks: list[Any], loaded: "Loaded", number: int, retries: int | None, **changes: Any) -> list[Json]:
    """Calls eval_set for these tasks; returns their results.

    Args:
        tasks: What to run.
        loaded: The eval set.
        number: The name under which the process tells what its samples are at.
        retries: How often a failed task is tried again; None: eval_set sees to that.
        changes: To the arguments of eval_set.

    Raises:
        CannotWork: Inspect refuses to begin.
        KeyboardInterrupt: it was cancelled.
    """
    import inspect_ai
    from inspect_ai._util.error import PrerequisiteError

    from hawk_worker import live, remains, repeats, stop, verdict

    live.watch_inspect()
    remains.watch_buffers()
    repeats.watch_requests()
    stop_watch = stop.watch(loaded.arguments["log_dir"], number)
    try:
        arguments = loaded.arguments | changes

        def call() -> tuple[bool, list[Any]]:
            return inspect_ai.eval_set(tasks=tasks, model_roles=loaded.roles or None, **arguments)

        success, logs = call() if retries is None else repeats.run(
            call, retries, lambda: bool(stop_watch.stop_all), arguments.get("retry_wait"))
    except PrerequisiteError as error:
        raise CannotWork(_plain(error)) from error
    except KeyboardInterrupt:
        if was_cancelled or not stop_watch.stop_all:
            raise
        reason = "stopped: all samples ended with an error, as asked"
        return [{"task": None, "status": "stopped", "reason": reason}]
    finally:
        stop_watch.end()
    results = verdict.results_of(success, logs)
    if was_cancelled:
        results.append({"task": None, "status": "cancelled", "reason": "cancelled"})
    return results


def _work_task(loaded: "Loaded", packet: Json) -> int:
    """One task, in a process of its own; its result becomes a file."""
    import inspect_ai

    from hawk_worker import ledger, verdict

    number = packet["task"]
    ledger.only_task(loaded.tasks[number].name, [task.name for task in loaded.tasks])
    retries = loaded.arguments.get("retry_attempts", RETRIES)
    changes = {"log_dir_allow_dirty": True, "retry_cleanup": False, "retry_attempts": 0}
    if "retry_immediate" in inspect.signature(inspect_ai.eval_set).parameters:
        changes["retry_immediate"] = False
    if packet.get("max_samples"):
        changes["max_samples"] = packet["max_samples"]
    try:
        (result, *more) = _run_tasks([loaded.tasks[number]], loaded, number, retries, **changes)
        if more and result["status"] == "success":
            result = more[-1]
    except CannotWork as error:
        result = {"status": "refused", "reason": str(error)}
    except KeyboardInterrupt:
        result = {"status": "cancelled", "reason": "cancelled"}
    except Exception as error:
        logger.error("the task failed", exc_info=error)
        result = {"status": "error", "reason": f"{type(error).__name__}: {_plain(error)}"}
    result["task"] = result.get("task") or loaded.tasks[number].name
    try:
        verdict.write(number, result)
    except OSError as error:
        # The runner makes a result of this.
        outcome(logging.ERROR, f"{result.get('reason') or result['status']}; the result of the task cannot be written: {error}")
        return FAILED
    statuses = {"success": verdict.DONE, "cancelled": verdict.CANCELLED, "refused": verdict.CANNOT_WORK}
    return statuses.get(result["status"], verdict.FAILED)


def _begin(arguments: Json) -> None:
    """Takes away what an earlier attempt has left that is not for this one."""
    from hawk_worker import remains, stop

    stop.forget(arguments["log_dir"])
    remains.forget_half_id(arguments["log_dir"], arguments["eval_set_id"])


def _work_books(loaded: "Loaded", packet: Json) -> int:
    """The eval set's own files, before the first task and after the last, which also judges the run."""
    import inspect_ai
    from inspect_ai._util.error import PrerequisiteError

    from hawk_worker import ledger, verdict

    begins = packet["kind"] == "open"
    ledger.only_books(begins=begins)
    arguments = loaded.arguments
    if begins:
        _begin(arguments)
        arguments = {key: value for key, value in arguments.items() if not key.startswith("bundle_")}
        arguments["retry_cleanup"] = False
    try:
        inspect_ai.eval_set(tasks=loaded.tasks, model_roles=loaded.roles or None, **arguments)
    except PrerequisiteError as error:
        outcome(logging.ERROR, _plain(error))
        return CANNOT_WORK
    return 0 if begins else verdict.judge(verdict.read(len(loaded.tasks)))


def _work(loaded: "Loaded", packet: Json) -> int:
    """What a process of the pool is for; returns its exit status."""
    from hawk_worker import slots

    _listen()
    slots.share(SLOTS)
    return _work_task(loaded, packet) if packet["kind"] == "task" else _work_books(loaded, packet)


def _run_alone(loaded: "Loaded") -> int:
    """All tasks in this process, by one call of eval_set."""
    from hawk_worker import verdict

    _begin(loaded.arguments)
    phase("running")
    try:
        results = _run_tasks(loaded.tasks, loaded, 0, None)
    finally:
        phase("finishing")
    return verdict.judge(results)


def _run_pool(loaded: "Loaded", configs: list[str], environment: dict[str, str]) -> int:
    """Tasks in processes of their own, as the runner says; returns the exit status."""
    from hawk_worker import ledger
    from hawk_worker.pool import Pool

    missing = ledger.missing()
    if missing or os.environ.get(ONE_PROCESS):
        why = f"this Inspect has no {missing}" if missing else f"{ONE_PROCESS} is set"
        logger.warning(f"all tasks run in one process: {why}")
        return _run_alone(loaded)
    command = [sys.executable, "-m", "hawk_worker", "part", *configs]
    pool = Pool(loaded, lambda packet: _work(loaded, packet), command, environment)
    signal.signal(signal.SIGTERM, lambda *_: pool.end())
    pool.serve()
    return 0


def _edit(edits: Path, log: Path, new_log: Path) -> int:
    """Edits samples of a log; returns the exit status."""
    from hawk_worker import edit

    try:
        note = edit.apply(edits, log, new_log)
    except edit.EditError as error:
        outcome(logging.ERROR, _plain(error))
        return CANNOT_WORK
    outcome(logging.INFO, note or "the edits are in the log")
    return 0


def main(argv: list[str]) -> int:
    """Runs the job of the two files, or edits a log; returns the exit status of the process."""
    counts = {"eval-set": 3, "scan": 3, "pool": 3, "part": 4, "edit": 4}
    if not argv or counts.get(argv[0]) != len(argv):
        print("usage: python -m hawk_worker eval-set|scan|pool USER_CONFIG INFRA_CONFIG | part USER_CONFIG INFRA_CONFIG PACKET"
              " | edit EDITS LOG NEW_LOG", file=sys.stderr)
        return 2
    _listen()
    try:
        if argv[0] == "edit":
            set_up(None)
            return _edit(*(Path(path) for path in argv[1:]))
        user, infra = (json.loads(Path(path).read_text(encoding="utf-8")) for path in argv[1:3])
        set_up(infra.get("log_level"))
        os.environ.setdefault("INSPECT_DISPLAY", "log")
        environment = dict(os.environ)
        hide.install(for_scans=argv[0] == "scan")
        if argv[0] == "scan":
            return _scan(user, infra)
        loaded = _load(user, infra)
        if argv[0] == "pool":
            return _run_pool(loaded, argv[1:], environment)
        return _run_alone(loaded) if argv[0] == "eval-set" else _work(loaded, json.loads(argv[3]))
    except CannotWork as error:
        outcome(logging.ERROR, str(error))
        return CANNOT_WORK
    except KeyboardInterrupt:
        outcome(logging.ERROR, "cancelled")
        return CANCELLED
    except Exception as error:
        logger.error("the run failed", exc_info=error)
        outcome(logging.ERROR, f"{type(error).__name__}: {_plain(error)}")
        return FAILED


if __name__ == "__main__":
    status = main(sys.argv[1:])
    logging.shutdown()
    sys.exit(status)
