"""Where this process is: the frames of its threads and of the asyncio tasks that wait, innermost first.

It is asked from a thread of its own, so that it also tells of an event loop that does not turn.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

FRAMES_MAX = 100
TASKS_MAX = 200

Json = dict[str, Any]


def _frame(code: CodeType, line: int | None) -> Json:
    return {"name": code.co_name, "filename": code.co_filename, "line": line or 0}


def _frames_of_thread(frame: FrameType | None) -> list[Json]:
    frames: list[Json] = []
    while frame and len(frames) < FRAMES_MAX:
        frames.append(_frame(frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return frames


def _awaited(coroutine: Any) -> Iterator[Any]:
    """A coroutine, what it waits for, what that waits for, as far as they are Python."""
    for _ in range(FRAMES_MAX):
        if coroutine is None:
            return
        yield coroutine
        coroutine = next((inner for inner in (getattr(coroutine, name, None) for name in ("cr_await", "gi_yieldfrom", "ag_await"))
                          if inner is not None), None)


def _frames_of_task(coroutine: Any) -> list[Json]:
    frames = []
    for part in _awaited(coroutine):
        frame = next((frame for frame in (getattr(part, name, None) for name in ("cr_frame", "gi_frame", "ag_frame")) if frame), None)
        if frame:
            frames.append(_frame(frame.f_code, frame.f_lineno))
    return frames[::-1]


def stacks(loop: asyncio.AbstractEventLoop | None) -> Json:
    """All threads but the one that asks, and the tasks of an event loop."""
    names = {thread.ident: thread for thread in threading.enumerate()}
    threads = []
    for number, frame in sys._current_frames().items():
        if number == threading.get_ident():
            continue
        thread = names.get(number)
        threads.append({
            "thread_id": number, "os_thread_id": thread.native_id if thread else None,
            "thread_name": thread.name if thread else None, "frames": _frames_of_thread(frame),
        })
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name()) if loop and not loop.is_closed() else []
    return {
        "pid": os.getpid(), "python": sys.version.split()[0], "threads": threads,
        "tasks": [{"name": task.get_name(), "frames": _frames_of_task(task.get_coro())} for task in tasks[:TASKS_MAX]],
    }
