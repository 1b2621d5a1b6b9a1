"""Limits that hold for all workers of an eval set together: connections to a model, sandboxes, subprocesses, and what
tasks limit themselves by `concurrency()`.

Each place under a limit is a byte of a file that whoever has it locks (fcntl(2)): the kernel frees the places of a worker
that dies.
"""

import fcntl
import hashlib
import os
import random
from pathlib import Path
from typing import Any

import anyio
from inspect_ai._eval import context
from inspect_ai.util._concurrency import _AnyIOSemaphoreRegistry

from hawk_worker.live import live

SHORTEST_WAIT = 0.01
LONGEST_WAIT = 0.2
LOOKS = 64
"""Places that are tried before waiting; a limit may be of thousands."""


class _Places:
    """A limit as Inspect sees one: its own for this process, then a place that no other process has.

    Args:
        inner: Inspect's semaphore, whose limit may change.
        path: The file of places.
    """

    def __init__(self, inner: Any, path: Path) -> None:
        self.inner = inner
        self.name = str(getattr(inner, "name", path.name))
        self.own = inner.semaphore
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.held: set[int] = set()

    def _take(self) -> bool:
        free = [place for place in range(self.inner.concurrency) if place not in self.held]
        for place in random.sample(free, min(len(free), LOOKS)):
            try:
                fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except OSError:
                continue
            self.held.add(place)
            return True
        return False

    async def __aenter__(self) -> None:
        with live.waiting("slot", self.name):
            await self._enter()

    async def _enter(self) -> None:
        await self.own.__aenter__()
        wait = SHORTEST_WAIT
        try:
            while not self._take():
                await anyio.sleep(wait * random.uniform(0.5, 1.5))
                wait = min(2 * wait, LONGEST_WAIT)
        except BaseException:
            await self.own.__aexit__(None, None, None)
            raise

    async def __aexit__(self, *error: Any) -> Any:
        place = self.held.pop()
        fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, place)
        return await self.own.__aexit__(*error)


class _Registry(_AnyIOSemaphoreRegistry):
    """Inspect's registry, whose fixed limits are shared; one that adapts stays its process's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    async def get_or_create(self, name: str, concurrency: int, key: str | None, *args: Any, **kwargs: Any) -> Any:
        made = await super().get_or_create(name, concurrency, key, *args, **kwargs)
        adapts = (args[1] if len(args) > 1 else kwargs.get("adaptive")) is not None
        if not adapts and concurrency >= 1 and not isinstance(made.semaphore, _Places):
            # A key may hold a credential.
            file = hashlib.sha256((key or name).encode()).hexdigest()[:32]
            made.semaphore = _Places(made, self.folder / file)
        return made


def share(folder: Path) -> None:
    """Makes the limits of this process those of all that share the folder; to be called before Inspect runs a task."""
    folder.mkdir(mode=0o700, exist_ok=True)
    initialise = context.init_concurrency
    context.init_concurrency = lambda: initialise(_Registry(folder))
