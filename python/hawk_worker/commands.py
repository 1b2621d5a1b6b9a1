"""What users ask of a running task besides stopping it, as files in the eval set's `.commands`:

    pause.json       while it is there no sample begins; those that run go on
    do-<id>.json     {"type": "requeue" | "retry" | "score" | "stack", "sample_uuid": TEXT | null, "at": SECONDS}

All but `stack`, which asks where the process is, are relayed to Inspect's control channel. Without one, samples are held
before they begin, and the rest is answered with what is missing. Answers stand in the file of live.py.
"""

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import anyio
from inspect_ai import __version__

from hawk_worker import channel
from hawk_worker.live import live
from hawk_worker.report import logger
from hawk_worker.stacks import stacks

HOLD_SECONDS = 0.2
PRESSURE = Path(".slots/pressure").absolute()
"""How short memory is, as the runner says: 0 not, and with each step half as many samples run at once."""
SCORE_SECONDS = 20.0
SCORE_POLL_SECONDS = 0.5

Json = dict[str, Any]


class Commands:
    """Carries out commands; all but `hold` and the sample hooks on the thread that looks for files."""

    def __init__(self) -> None:
        self.began_at = time.time()
        self.seen: set[str] = set()
        self.begun: set[str] = set()
        """Samples that were let in and have not ended, by the id of their active sample."""
        self.known: dict[str, tuple[str, str, int]] = {}
        """By the uuid of a sample: its eval, id and epoch."""
        self.relayed = False
        self.level = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        """That samples run in, once one has begun."""
        self.stack: str | None = None
        """The last command that asked for stacks; what it got is not kept beside that of the next."""

    def sample_starts(self, uuid: str, eval_id: str, sample: Any) -> None:
        """To be told of each sample that begins."""
        self.known[uuid] = (eval_id, str(sample.sample.id), sample.epoch)

    async def hold(self, active: Any) -> None:
        """Waits, on the sample's own task, for as long as no sample may begin."""
        self.loop = asyncio.get_running_loop()
        with live.waiting("held", ""):
            while live.paused or (live.allowed and len(self.begun) >= live.allowed):
                await anyio.sleep(HOLD_SECONDS)
        self.begun.add(active.id)

    def forget(self, active: list[Any]) -> None:
        """Takes away those that have ended, for the places they had."""
        self.begun &= {sample.id for sample in active}

    def pause(self, paused: bool) -> None:
        """Brings this process in line with whether the run is paused."""
        if paused != live.paused:
            logger.info("paused: no more samples begin" if paused else "resumed")
            self.relayed = False
        live.paused = paused
        if self.relayed or not channel.is_known():
            return
        try:
            channel.ask("POST", "/pause" if paused else "/resume")
            self.relayed = True
        except channel.ChannelError:
            # It is there only while Inspect runs a task; until then samples are held.
            self.relayed = False

    def look_at_memory(self) -> None:
        """Brings the number of samples at once in line with how short memory is."""
        try:
            level = int(PRESSURE.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            level = 0
        if level == self.level:
            return
        if level > self.level:
            live.allowed = max(1, (live.allowed or len(self.begun)) // 2)
        else:
            live.allowed = 0 if level == 0 else live.allowed * 2
        self.level = level
        logger.info(f"memory is short: {live.allowed} samples at once" if level else "memory is free again")

    def do(self, name: str, text: bytes) -> None:
        """Carries out a command, once."""
        if name in self.seen:
            return
        self.seen.add(name)
        try:
            command = json.loads(text)
            kind, uuid, asked_at = command["type"], command.get("sample_uuid"), float(command.get("at", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if asked_at < self.began_at:
            return  # it was for a process that is gone
        if kind == "stack":
            self._stack(name)
            return
        actions = {"requeue": self._requeue, "retry": self._retry, "score": self._score}
        if kind not in actions:
            return
        if not channel.is_known():
            live.answer(name, False, f"Inspect {__version__} cannot {kind}: it has no control channel")
            return
        logger.info(f"asked to {kind} {uuid or 'all'}")

        def act() -> None:
            try:
                actions[kind](name, uuid)
            except channel.ChannelError as error:
                live.answer(name, False, str(error))

        # Scoring takes as long as scorers do, and a stop must not wait for it.
        threading.Thread(target=act, name="hawk-command", daemon=True).start()

    def _stack(self, name: str) -> None:
        live.answers.pop(self.stack or "", None)
        self.stack = name
        live.answer(name, True, "", stacks(self.loop))

    def _requeue(self, name: str, uuid: str | None) -> None:
        if uuid not in self.known:
            return
        eval_id, sample_id, epoch = self.known[uuid]
        got = channel.ask("POST", f"/evals/{eval_id}/sample/requeue", sample_id=sample_id, epoch=epoch)
        said = "it runs again" if got.get("changed") else got.get("reason") or f"it is {got.get('status')} already"
        live.answer(name, True, f"sample {sample_id} (epoch {epoch}): {said}")

    def _retry(self, name: str, uuid: str | None) -> None:
        again, refused = 0, ""
        for eval_id in {eval_id for eval_id, _, _ in list(self.known.values())}:
            for sample in channel.ask("GET", f"/evals/{eval_id}/samples", status="error", all="true")["samples"]:
                try:
                    got = channel.ask("POST", f"/evals/{eval_id}/sample/requeue", sample_id=sample["sample_id"],
                                      epoch=sample["epoch"])
                    again += 1 if got.get("changed") else 0
                except channel.ChannelError as error:
                    refused = str(error)
        live.answer(name, not refused, refused or f"{again} failed {'sample runs' if again == 1 else 'samples run'} again",
                    {"n": again})

    def _score(self, name: str, uuid: str | None) -> None:
        if uuid is not None and uuid not in self.known:
            return
        if uuid is not None:
            eval_id, sample_id, epoch = self.known[uuid]
            paths, query = [f"/evals/{eval_id}/sample/score"], {"sample_id": sample_id, "epoch": epoch}
        else:
            paths, query = [f"/tasks/{row['task_id']}/score" for row in channel.ask("GET", "/tasks")], {}
        for path in paths:
            channel.ask("POST", path, **query)
        deadline = time.monotonic() + SCORE_SECONDS
        got = [channel.ask("GET", path, **query) for path in paths]
        while any(scoring.get("running") for scoring in got) and time.monotonic() < deadline:
            time.sleep(SCORE_POLL_SECONDS)
            got = [channel.ask("GET", path, **query) for path in paths]
        # A sample that runs is scored at its next call of a model, which may be long in coming.
        is_done = not any(scoring.get("running") for scoring in got)
        text = "scored with what there is so far" if is_done else "scoring goes on as samples come to their next call of a model"
        live.answer(name, True, text, [{key: scoring.get(key) for key in ("metrics", "samples", "progress")} for scoring in got])
