"""Requests and samples that fail in the same way again and again are not tried for ever.

Inspect tries a request again without end unless the config has `max_retries`. One that gets the same answer every time is a
request that cannot succeed: after HAWK_SAME_FAILURES answers in a row (20; with Inspect's waits some six hours) the sample
ends with that error. Rate limits, timeouts and connections that break are no answers; they are tried as long as Inspect does.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hawk_worker.live import live, plain_error
from hawk_worker.report import logger
from hawk_worker.verdict import summaries_of

SAME_REQUESTS = 20
SAME_SAMPLES = 3
"""Tries of a task in which the same sample may fail with the same error."""

FIRST_WAIT = 30.0
LONGEST_WAIT = 3600.0
"""Seconds before another try of a task whose failures look like those of machines and networks; others are tried at once."""

RATE_LIMIT = 429

_NO_ANSWER = re.compile(r"RateLimit|Throttl|Overloaded|Timeout|TimedOut|Connect|Network|RemoteProtocol|ReadError|NoStreamData")
_INFRASTRUCTURE = re.compile(
    r"rate.?limit|throttl|overloaded|time.?d?.?out|connection|network|unreachable|temporar|\b(?:429|502|503|504|529)\b", re.I
)


def _limit() -> int:
    """How many equal answers end a request; 0: none do."""
    try:
        return int(os.environ.get("HAWK_SAME_FAILURES", SAME_REQUESTS))
    except ValueError:
        return SAME_REQUESTS


def _is_answer(error: BaseException) -> bool:
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    return status != RATE_LIMIT and not isinstance(error, (OSError, TimeoutError)) and not _NO_ANSWER.search(names)


def watch_requests() -> None:
    """From now on failures of requests are counted and the same answer is not asked for again without end; to be called
    before Inspect runs a task."""
    from inspect_ai.model import Model

    should_retry, limit = Model.should_retry, _limit()

    def counted(self: Model, error: BaseException) -> bool:
        again = should_retry(self, error)
        wait = live.innermost("model")
        if wait is None:
            return again
        text = plain_error(f"{type(error).__name__}: {error}")
        wait.failures += 1
        wait.same = wait.same + 1 if text == wait.error else 1
        wait.error = text
        if again and limit and wait.same >= limit and _is_answer(error):
            logger.warning(f"{wait.detail} has answered {wait.same} times with the same error; it is not asked again: {text}")
            return False
        return again

    Model.should_retry = counted  # type: ignore[method-assign]


class _Tries:
    """The tries of one task, and whether another one makes sense."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, int, str]] = Counter()

    def failed(self, log: Any) -> str | None:
        """Takes in the log of a failed try; why another one would fail too, or None."""
        failures = [(str(summary.id), summary.epoch, plain_error(summary.error)) for summary in summaries_of(log) if summary.error]
        if not failures and log.error:
            failures = [("", 0, plain_error(log.error.message))]
        self.seen.update(failures)
        lasting = [failure for failure in failures if self.seen[failure] >= SAME_SAMPLES]
        if not failures or len(lasting) < len(failures):
            return None
        sample, epoch, error = lasting[0]
        what = f"sample {sample} (epoch {epoch})" if sample else "the task"
        return f"{what} has failed {self.seen[lasting[0]]} times in the same way: {error}"


def _is_infrastructure(log: Any) -> bool:
    """Whether a log's failures look like those of machines and networks, which pass."""
    texts = [summary.error for summary in summaries_of(log) if summary.error]
    return any(_INFRASTRUCTURE.search(text) for text in [*texts, log.error.message if log.error else ""])


def run(call: Callable[[], tuple[bool, list[Any]]], retries: int, is_stopped: Callable[[], bool], first_wait: float | None) -> tuple[bool, list[Any]]:
    """Calls eval_set for a task until it succeeds or another try makes no sense; samples that are done are not run again.

    Args:
        call: Makes one try.
        retries: How often it is tried again at most.
        is_stopped: Whether somebody has asked the run to stop.
        first_wait: Seconds before the first try again that waits; None for the default.
    """
    tries = _Tries()
    wait = first_wait or FIRST_WAIT
    for left in reversed(range(retries + 1)):
        success, logs = call()
        failed = [log for log in logs if log.status != "success"]
        if success or not left or not failed or is_stopped() or any(log.status == "cancelled" for log in failed):
            break
        why = next(filter(None, map(tries.failed, failed)), None)
        if why:
            logger.warning(f"not tried again: {why}")
            break
        logger.info(f"the task failed; it is tried again, {left} times at most")
        if any(map(_is_infrastructure, failed)):
            until = time.monotonic() + min(wait, LONGEST_WAIT)
            wait *= 2
            while time.monotonic() < until and not is_stopped():
                time.sleep(0.5)
    return success, logs
