"""What the samples of a task are at, for `hawk status` and `hawk explain`: the file `live/<task>.json` in the folder of the
job. A thread writes it, so that it also tells of an event loop that does not turn.

    {"at", "pid", "paused", "allowed", "loop_at", "progress_at", "running", "ended",
     "waits":   [{"kind", "detail", "n", "since"}]           of all running samples, by kind and detail
     "samples": [{"uuid", "id", "epoch", "log", "phase", "kind", "detail", "since", "failures", "error"}]
     "failing": [{"error", "n"}]                              of samples that ended
     "answers": {ID: {"ok", "text", "result"}}}               to commands

Kinds: `model` an answer of a model, `retry` the next try after its failures, `slot` a place under a limit, `sandbox`,
`approval`, `held` (paused, or memory is short), `work` none of these. Phases: `init` until its solver begins, `running`,
`awaiting_approval`, `scoring`. Times are seconds of the epoch.
"""

import functools
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspect_ai.log._samples import ActiveSample, active_samples, sample_active

FOLDER = Path("live").absolute()
SAMPLES_MAX = 500
ERRORS_MAX = 1000
ERROR_TEXT_MAX = 300
FAILING_SHOWN = 5
ANSWERS_MAX = 100

Json = dict[str, Any]


@dataclass(eq=False)
class Wait:
    """Something a sample waits for."""

    kind: str
    detail: str
    since: float = field(default_factory=time.time)
    failures: int = 0
    same: int = 0
    error: str | None = None


def plain_error(text: str) -> str:
    """An error without what differs each time: numbers of requests, addresses, times."""
    first = next((line for line in text.splitlines() if line.strip()), text)
    first = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b(?:req|chatcmpl|msg)[-_]\w+", "…", first)
    return first.strip()[:ERROR_TEXT_MAX]


class Live:
    """What is known of the samples of this process."""

    def __init__(self) -> None:
        self.waits: dict[str, list[Wait]] = {}
        self.uuids: dict[str, str] = {}
        self.scoring: set[str] = set()
        self.ended = 0
        self.errors: Counter[str] = Counter()
        self.answers: dict[str, Json] = {}
        self.paused = False
        self.allowed = 0
        self.loop_at = time.time()
        self.progress_at = time.time()
        self.mark: Any = None
        self.had_samples = False

    @contextmanager
    def waiting(self, kind: str, detail: str) -> Iterator[Wait]:
        """To be held by the task of a sample for as long as it waits."""
        wait = Wait(kind, detail)
        sample = sample_active()
        if sample is None:
            yield wait
            return
        waits = self.waits.setdefault(sample.id, [])
        waits.append(wait)
        try:
            yield wait
        finally:
            waits.remove(wait)
            if not waits:
                self.waits.pop(sample.id, None)

    def innermost(self, kind: str) -> Wait | None:
        """The last wait of this kind that the sample of this task has begun."""
        sample = sample_active()
        waits = list(self.waits.get(sample.id, [])) if sample else []
        return next((wait for wait in reversed(waits) if wait.kind == kind), None)

    def sample_ended(self, error: str | None) -> None:
        """A sample has come to its end."""
        self.ended += 1
        if error and len(self.errors) < ERRORS_MAX:
            self.errors[plain_error(error)] += 1

    def uuid(self, sample: ActiveSample) -> str:
        """The sample's uuid in the log; the id of an active sample is another, and old versions know no more of it."""
        return self.uuids.get(sample.id) or getattr(sample, "sample_uuid", sample.id)

    def answer(self, command: str, ok: bool, text: str, result: Any = None) -> None:
        """What came of a command."""
        while len(self.answers) >= ANSWERS_MAX:
            self.answers.pop(next(iter(self.answers)))
        self.answers[command] = {"ok": ok, "text": text, "result": result}

    def _phase(self, sample: ActiveSample, waits: list[Wait]) -> str:
        if any(wait.kind == "approval" for wait in waits):
            return "awaiting_approval"
        if sample.id in self.scoring:
            return "scoring"
        return "init" if sample.started is None or any(wait.kind == "sandbox" for wait in waits) else "running"

    def _row(self, sample: ActiveSample) -> Json:
        waits = list(self.waits.get(sample.id, []))
        # What an approver or a slot waits for is nearer than the model that it belongs to.
        wait = waits[-1] if waits else Wait("work", "", sample.started or time.time())
        kind = "retry" if wait.kind == "model" and wait.failures else wait.kind
        return {
            "uuid": self.uuid(sample), "id": str(sample.sample.id), "epoch": sample.epoch,
            "log": sample.log_location.rsplit("/", 1)[-1], "phase": self._phase(sample, waits), "kind": kind,
            "detail": wait.detail, "since": wait.since, "failures": wait.failures, "same": wait.same, "error": wait.error,
        }

    def _look_for_progress(self, samples: list[ActiveSample]) -> None:
        def count(sample: ActiveSample) -> int:
            events = sample.transcript
            return int(getattr(events, "_event_count", 0) or len(getattr(events, "_events", ())))

        mark = (self.ended, tuple((sample.id, count(sample)) for sample in samples))
        if mark != self.mark:
            self.mark = mark
            self.progress_at = time.time()

    def state(self) -> Json:
        """What the file says."""
        samples = list(active_samples())
        self._look_for_progress(samples)
        if not self.had_samples:
            # Nobody has asked the event loop to turn while there was none, before the first sample or between two tries.
            self.loop_at = time.time()
        self.had_samples = bool(samples)
        rows = [self._row(sample) for sample in samples]
        waits: dict[tuple[str, str], Json] = {}
        for row in rows:
            wait = waits.setdefault((row["kind"], row["detail"]), {
                "kind": row["kind"], "detail": row["detail"], "n": 0, "since": row["since"], "failures": 0, "error": None})
            wait["n"] += 1
            wait["since"] = min(wait["since"], row["since"])
            if row["failures"] > wait["failures"]:
                wait["failures"], wait["error"] = row["failures"], row["error"]
        rows.sort(key=lambda row: (row["kind"] == "work", row["since"]))
        failing = [{"error": error, "n": n} for error, n in self.errors.most_common(FAILING_SHOWN)]
        return {
            "at": time.time(), "pid": os.getpid(), "paused": self.paused, "allowed": self.allowed, "loop_at": self.loop_at,
            "progress_at": self.progress_at, "running": len(samples), "ended": self.ended, "waits": list(waits.values()),
            "samples": rows[:SAMPLES_MAX], "failing": failing, "answers": self.answers,
        }

    def write(self, number: int) -> None:
        """Replaces the file of a task, without the values of secrets."""
        from inspect_ai._util.json import to_json_safe

        FOLDER.mkdir(mode=0o700, exist_ok=True)
        draft = FOLDER / f".{number}.{os.getpid()}"
        draft.write_bytes(to_json_safe(json.loads(json.dumps(self.state(), default=str))))
        draft.rename(FOLDER / f"{number}.json")


live = Live()
"""This process's."""


class _InSandbox:
    """The context of a sandbox, whose beginning is told."""

    def __init__(self, inner: Any, detail: str) -> None:
        self.inner = inner
        self.detail = detail

    async def __aenter__(self) -> Any:
        with live.waiting("sandbox", self.detail):
            return await self.inner.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:
        return await self.inner.__aexit__(*error)


class _Scoring:
    """The context of all scorers of a sample, which is told as long as it lasts."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.sample = sample_active()

    async def __aenter__(self) -> Any:
        if self.sample is not None:
            live.scoring.add(self.sample.id)
        return await self.inner.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:
        try:
            return await self.inner.__aexit__(*error)
        finally:
            if self.sample is not None:
                live.scoring.discard(self.sample.id)


def _kind_of_sandbox(arguments: tuple[Any, ...]) -> str:
    specs = [getattr(argument, "sandbox", argument) for argument in arguments[1:2] + arguments[4:5]]
    return next((str(spec.type) for spec in reversed(specs) if getattr(spec, "type", None)), "")


def watch_inspect() -> None:
    """From now on what samples wait for is noted; to be called before Inspect runs a task."""
    # This process may have been forked long after it loaded its packages.
    live.progress_at = time.time()
    from inspect_ai._eval.task import run
    from inspect_ai.approval import _apply
    from inspect_ai.model import Model

    span = getattr(run, "span", None)
    generate, approve, sandbox = Model.generate, _apply.apply_tool_approval, run.sandboxenv_context

    @functools.wraps(generate)
    async def told_generate(self: Model, *args: Any, **kwargs: Any) -> Any:
        with live.waiting("model", str(self)):
            return await generate(self, *args, **kwargs)

    @functools.wraps(approve)
    async def told_approve(message: str, call: Any, *args: Any, **kwargs: Any) -> Any:
        with live.waiting("approval", str(call.function)):
            return await approve(message, call, *args, **kwargs)

    @functools.wraps(sandbox)
    def told_sandbox(*args: Any, **kwargs: Any) -> Any:
        return _InSandbox(sandbox(*args, **kwargs), _kind_of_sandbox(args))

    def told_span(*args: Any, **kwargs: Any) -> Any:
        inner = span(*args, **kwargs)
        return _Scoring(inner) if "scorers" in (*args[:1], kwargs.get("name")) else inner

    if span is not None:
        run.span = told_span  # type: ignore[assignment]
    Model.generate = told_generate  # type: ignore[method-assign]
    _apply.apply_tool_approval = told_approve
    run.sandboxenv_context = told_sandbox  # type: ignore[assignment]
