"""The processes of one eval set, forked from this one, which has loaded everything once; or, where a package has started
threads, which do not survive a fork, processes that load everything again.

What starts, and when, the runner decides. It speaks a packet of JSON at a time over the socket on standard input:

    runner → {"start": ID, "kind": "open" | "task" | "close", "task": N, "max_samples": N | null} and a descriptor for
              the output of the process; `open` begins the books of the eval set, `close` ends them and judges
    pool   → {"task": N, "name": TEXT, "model": TEXT, "max_samples": N}     for each task, then
             {"loaded": COUNT, "max_tasks": N}
             {"started": ID, "pid": PID}
             {"ended": ID, "status": N, "signal": N, "peak_kb": N}

The end of the socket is the end of the pool. Results of tasks are `results/N.json` in the folder of the job.
"""

import atexit
import ctypes
import gc
import json
import logging
import os
import random
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.model import Model

from hawk_worker import ahead
from hawk_worker.report import logger

PACKET_MAX = 64 << 10
PR_SET_PDEATHSIG = 1
NOT_TO_BE_STARTED = 71
ENDING_SECONDS = 1
Json = dict[str, Any]


@dataclass
class Loaded:
    """An eval set that is ready to run: its tasks and the other arguments of eval_set."""

    tasks: list[Task]
    roles: dict[str, Model]
    arguments: Json


def samples_at_once(task: Task, arguments: Json) -> int:
    """How many samples of a task Inspect runs at once, as far as that can be told before it begins."""
    given = arguments.get("max_samples")
    if given:
        return int(given)
    model = task.model if isinstance(task.model, Model) else None
    if model is None:
        return int(arguments.get("max_connections") or 10)
    return int(model.config.max_connections or arguments.get("max_connections") or model.api.max_connections())


def _is_alone() -> bool:
    """Whether this process has one thread; one that is just ending gets a moment for it."""
    deadline = time.monotonic() + ENDING_SECONDS
    while len(os.listdir("/proc/self/task")) > 1:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_single_threaded() -> bool:
    """Whether this process can be forked: no package has started a thread, of Python or of its own, that a fork would
    lose. A library that knows of forks ends its threads before one, as OpenBLAS does; so one is tried."""
    if len(os.listdir("/proc/self/task")) > 1:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return _is_alone()


class Pool:
    """Starts processes when told to, and tells of their ends.

    Args:
        loaded: The eval set.
        work: Called in the new process with the packet that asked for it; returns its exit status.
        command: What a process that loads again runs, but for the packet.
        environment: The environment of such a process.
    """

    def __init__(self, loaded: Loaded, work: Any, command: list[str], environment: dict[str, str]) -> None:
        self.loaded = loaded
        self.work = work
        self.command = command
        self.environment = environment
        self.runner = socket.socket(fileno=os.dup(0))
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.selector = selectors.DefaultSelector()
        self.children: dict[int, tuple[int, int]] = {}
        self.told_to_end = False
        ahead.load()
        self.is_forked = is_single_threaded()

    def _send(self, packet: Json) -> None:
        self.runner.send(json.dumps(packet).encode())

    def _tell_tasks(self) -> None:
        arguments = self.loaded.arguments
        for number, task in enumerate(self.loaded.tasks):
            model = str(task.model) if task.model else None
            self._send({"task": number, "name": task.name, "model": model,
                        "max_samples": samples_at_once(task, arguments)})
        n_models = len({str(task.model) for task in self.loaded.tasks})
        self._send({"loaded": len(self.loaded.tasks), "max_tasks": arguments.get("max_tasks") or max(n_models, 10)})

    def _become_worker(self, packet: Json, output: int, parent: int) -> None:
        """The rest of the life of a forked process."""
        status = NOT_TO_BE_STARTED
        try:
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            self.selector.close()
            self.runner.close()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            random.seed()
            if "numpy.random" in sys.modules:
                sys.modules["numpy.random"].seed()
            if os.getppid() != parent:
                return
            if not self.is_forked:
                os.execve(self.command[0], [*self.command, json.dumps(packet)], self.environment)
            status = self.work(packet)
        except BaseException as error:
            logger.error("the worker failed", exc_info=error)
            status = 1
        finally:
            atexit._run_exitfuncs()
            logging.shutdown()
            os._exit(status)

    def _start(self, packet: Json, output: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(packet, output, parent)
        os.close(output)
        watched = os.pidfd_open(pid)
        self.children[watched] = (packet["start"], pid)
        self.selector.register(watched, selectors.EVENT_READ)
        self._send({"started": packet["start"], "pid": pid})

    def _ended(self, watched: int) -> None:
        self.selector.unregister(watched)
        os.close(watched)
        number, pid = self.children.pop(watched)
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._send({"ended": number, "status": max(code, 0), "signal": max(-code, 0), "peak_kb": usage.ru_maxrss})

    def end(self) -> None:
        """Asks all processes to end, as Inspect ends a run. May be called from a signal handler."""
        self.told_to_end = True
        for _, pid in list(self.children.values()):
            os.kill(pid, signal.SIGTERM)

    def _take_packet(self) -> bool:
        """Does what the next packet says; False at the end of the socket."""
        data, descriptors, _, _ = socket.recv_fds(self.runner, PACKET_MAX, 1)
        if not data:
            return False
        packet = json.loads(data)
        if self.told_to_end:
            os.close(descriptors[0])
            self._send({"ended": packet["start"], "status": 130, "signal": 0, "peak_kb": 0})
        else:
            self._start(packet, descriptors[0])
        return True

    def serve(self) -> None:
        """Runs until the runner has gone away and all processes have ended."""
        if self.is_forked:
            gc.collect()
            gc.freeze()
        else:
            logger.info("a package has started threads, so each task loads the packages again")
        self._tell_tasks()
        self.selector.register(self.runner, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is not self.runner:
                    self._ended(key.fd)
                elif not self._take_packet():
                    return
