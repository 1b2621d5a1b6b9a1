"""The worker's command line and its exit statuses.

0: every task succeeded. 1: something failed. 78: the config cannot work, trying again is useless. 130: cancelled.
"""

import json
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from hawk_worker import hide
from hawk_worker.report import logger, outcome, phase, set_up

FAILED = 1
CANNOT_WORK = 78
CANCELLED = 130

Json = dict[str, Any]


was_cancelled = False
"""Whether SIGTERM came; Inspect may return from eval_set after it as if all had ended well."""


def _cancel(signal_number: int, frame: FrameType | None) -> None:
    global was_cancelled
    was_cancelled = True
    # As Ctrl-C, which Inspect knows how to end a run with.
    signal.raise_signal(signal.SIGINT)


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


def _sample_errors(logs: list[Any]) -> tuple[int, list[str]]:
    """The number of samples in the logs, and the errors they ended with."""
    from inspect_ai.log import read_eval_log_sample_summaries

    summaries = []
    for log in logs:
        try:
            summaries += read_eval_log_sample_summaries(log.location)
        except Exception as error:
            logger.warning(f"cannot read the samples of {log.location}: {error}")
    return len(summaries), [summary.error for summary in summaries if summary.error]


def _judge(success: bool, logs: list[Any]) -> int:
    """Tells how it went and returns the exit status."""
    if was_cancelled or any(log.status == "cancelled" for log in logs):
        outcome(logging.ERROR, "cancelled")
        return CANCELLED
    total, errors = _sample_errors(logs)
    failed = [log for log in logs if log.status != "success"]
    if failed:
        reasons = [failed[0].error.message] if failed[0].error else _sample_errors(failed[:1])[1]
        reason = reasons[0] if reasons else failed[0].status
        outcome(logging.ERROR, f"{len(failed)} of {len(logs)} tasks failed; {failed[0].eval.task}: {reason}")
        return FAILED
    # Inspect calls a task a success although its samples ended with errors when fail_on_error allows them.
    if errors and len(errors) == total:
        outcome(logging.ERROR, f"all {total} samples ended with an error; the first: {errors[0]}")
        return FAILED
    if not success:
        outcome(logging.ERROR, "not all tasks were completed")
        return FAILED
    some = f"; {len(errors)} of {total} samples ended with an error" if errors else ""
    outcome(logging.INFO, f"{len(logs)} {'task' if len(logs) == 1 else 'tasks'} done{some}")
    return 0


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


def _run(user: Json, infra: Json) -> int:
    """Builds everything and calls eval_set; returns the exit status."""
    import inspect_ai
    from inspect_ai._util.error import PrerequisiteError
    from pydantic import ValidationError

    from hawk_worker import build, options, stop

    log_dir = infra["log_dir"]
    try:
        _refuse_unsupported(user)
        roles = build.model_roles(user)
        models = build.models(user, options.generate_config(user))
        tasks = build.tasks(user, build.solvers(user), models)
        arguments = options.eval_set_arguments(user, infra, [*models, *roles.values()])
    except Exception as error:
        if _is_final(error, (build.LoadError, LookupError, ImportError, TypeError, ValidationError, PrerequisiteError)):
            logger.info("the config could not be loaded", exc_info=error)
            outcome(logging.ERROR, _plain(error))
            return CANNOT_WORK
        raise
    stop_watch = stop.watch(log_dir)
    phase("running")
    try:
        success, logs = inspect_ai.eval_set(tasks=tasks, model_roles=roles or None, **arguments)
    except PrerequisiteError as error:
        outcome(logging.ERROR, _plain(error))
        return CANNOT_WORK
    except KeyboardInterrupt:
        if was_cancelled or not stop_watch.stop_all:
            raise
        outcome(logging.ERROR, "stopped: all samples ended with an error, as asked")
        return FAILED
    finally:
        phase("finishing")
        stop_watch.end()
    return _judge(success, logs)


def _edit(edits: Path, log: Path, new_log: Path) -> int:
    """Edits samples of a log; returns the exit status."""
    from pydantic import ValidationError

    from hawk_worker import edit

    try:
        note = edit.apply(edits, log, new_log)
    except (edit.EditError, ValidationError) as error:
        outcome(logging.ERROR, _plain(error))
        return CANNOT_WORK
    outcome(logging.INFO, note or "the edits are in the log")
    return 0


def main(argv: list[str]) -> int:
    """Runs the job of the two files, or edits a log; returns the exit status of the process."""
    if (argv[:1], len(argv)) not in ((["eval-set"], 3), (["edit"], 4)):
        print("usage: python -m hawk_worker eval-set USER_CONFIG INFRA_CONFIG | edit EDITS LOG NEW_LOG", file=sys.stderr)
        return 2
    # Set in so many words, for a worker may have been started with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _cancel)
    try:
        if argv[0] == "edit":
            set_up(None)
            return _edit(*(Path(path) for path in argv[1:]))
        user, infra = (json.loads(Path(path).read_text(encoding="utf-8")) for path in argv[1:])
        set_up(infra.get("log_level"))
        os.environ.setdefault("INSPECT_DISPLAY", "log")
        hide.install()
        return _run(user, infra)
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
