"""Stop files: `.commands/stop.json` ends every sample, `.commands/stop-sample-<uuid>.json` one of them.

A file holds `{"type": "stop", "action": "score" | "error"}`: whether the sample is scored with what it has so far. The
thread that looks for them also looks for other commands (commands.py) and tells what the samples are at (live.py).
"""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable

import fsspec
from inspect_ai.hooks import Hooks, SampleEnd, SampleInit, SampleStart, hooks
from inspect_ai.log._samples import ActiveSample, active_samples, sample_active

from hawk_worker.commands import Commands
from hawk_worker.live import live
from hawk_worker.report import logger

POLL_SECONDS = 1.0
IDLE_POLLS = 5
"""After a stop with `error` and so many looks without a running sample, the run is ended: else Inspect would wait and
try the tasks again that failed by being stopped."""
PREFIX = "stop-sample-"
DO_PREFIX = "do-"
PAUSE = "pause"


def _action(text: bytes) -> str:
    try:
        action = json.loads(text).get("action")
    except (ValueError, AttributeError):
        action = None
    return "error" if action == "error" else "score"


class StopWatch:
    """Looks for stop files from a thread of its own and interrupts samples in the event loop they run in.

    Args:
        log_dir: The eval set's folder, a path or a URL.
        number: The task's, for what is told of its samples; None: nothing is.
    """

    def __init__(self, log_dir: str, number: int | None = None) -> None:
        self.fs, path = fsspec.url_to_fs(log_dir)
        self.folder = f"{path.rstrip('/')}/.commands"
        self.loop: asyncio.AbstractEventLoop | None = None
        self.stop_all: str | None = None
        self.stop_one: dict[str, str] = {}
        self.number = number
        self.commands = Commands()
        self.done: set[str] = set()
        self.idle = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, name="hawk-stop", daemon=True)

    def start(self) -> None:
        """Begins to look; what there is already counts from the first sample on."""
        self._try(self._look)
        self.thread.start()

    def forget(self) -> None:
        """Takes away the files of an earlier attempt but for a pause, which holds until somebody says that the run goes on."""
        for path in self._files():
            if not path.endswith(f"/{PAUSE}.json"):
                self.fs.rm_file(path)

    def end(self) -> None:
        """Stops looking."""
        self.ended.set()
        self.thread.join(10 * POLL_SECONDS)
        self._try(self._tell)

    async def sample_inits(self) -> None:
        """To be awaited by the task of the sample before it begins."""
        self.loop = asyncio.get_running_loop()
        sample = sample_active()
        if sample:
            await self.commands.hold(sample)

    def sample_starts(self, uuid: str, eval_id: str) -> None:
        """To be called by the task of the sample; uuid is the one that its log has."""
        self.loop = asyncio.get_running_loop()
        sample = sample_active()
        if sample:
            live.uuids[sample.id] = uuid
            self.commands.sample_starts(uuid, eval_id, sample)
        if self.stop_all or self.stop_one:
            self.loop.call_later(0.1, self._interrupt)

    def _files(self) -> list[str]:
        self.fs.invalidate_cache()
        try:
            return [str(path) for path in self.fs.ls(self.folder, detail=False) if str(path).endswith(".json")]
        except FileNotFoundError:
            return []

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception as error:
            logger.warning(f"cannot read the commands or tell of the samples: {error}")

    def _tell(self) -> None:
        if self.number is not None:
            live.write(self.number)

    def _look(self) -> None:
        files = self._files()
        self.commands.pause(any(path.endswith(f"/{PAUSE}.json") for path in files))
        for path in files:
            name = path.rsplit("/", 1)[-1].removesuffix(".json")
            if name == "stop" and not self.stop_all:
                self.stop_all = _action(self.fs.cat_file(path))
                logger.info(f"asked to stop all samples ({self.stop_all})")
            elif name.startswith(PREFIX) and name.removeprefix(PREFIX) not in self.stop_one:
                uuid = name.removeprefix(PREFIX)
                self.stop_one[uuid] = _action(self.fs.cat_file(path))
                logger.info(f"asked to stop sample {uuid} ({self.stop_one[uuid]})")
            elif name.startswith(DO_PREFIX):
                self.commands.do(name.removeprefix(DO_PREFIX), self.fs.cat_file(path))

    def _watch(self) -> None:
        while not self.ended.wait(POLL_SECONDS):
            self._try(self._look)
            self._try(self.commands.look_at_memory)
            self._try(self._tell)
            loop = self.loop
            if loop and not loop.is_closed():
                loop.call_soon_threadsafe(self._turn)
            self.idle = self.idle + 1 if self.stop_all == "error" and not active_samples() else 0
            if self.idle == IDLE_POLLS:
                os.kill(os.getpid(), signal.SIGINT)

    def _turn(self) -> None:
        """On the event loop, which with this has shown that it turns."""
        live.loop_at = time.time()
        self.commands.forget(active_samples())
        if self.stop_all or self.stop_one:
            self._interrupt()

    def _interrupt(self) -> None:
        for sample in list(active_samples()):
            action = self.stop_all or self.stop_one.get(live.uuid(sample))
            # A sample without a task group has not begun; it is looked at again a moment later.
            if not action or sample.id in self.done or sample.tg is None:
                continue
            self.done.add(sample.id)
            sample.interrupt(action)  # type: ignore[arg-type]


def forget(log_dir: str) -> None:
    """Takes away the commands to an earlier attempt, but for a pause; to be called before the first sample of this one."""
    StopWatch(log_dir).forget()


def watch(log_dir: str, number: int) -> StopWatch:
    """Starts to look for commands to the task of this number; Inspect tells us of samples through a hook."""
    stop_watch = StopWatch(log_dir, number)

    @hooks(name="hawk_stop", description="stops samples when asked to")
    class StopHooks(Hooks):
        async def on_sample_init(self, data: SampleInit) -> None:
            await stop_watch.sample_inits()

        async def on_sample_start(self, data: SampleStart) -> None:
            stop_watch.sample_starts(data.sample_id, data.eval_id)

        async def on_sample_end(self, data: SampleEnd) -> None:
            live.sample_ended(data.sample.error.message if data.sample.error else None)

    stop_watch.start()
    return stop_watch
