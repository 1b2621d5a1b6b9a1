"""Keep the values of a job's secrets out of what Inspect and Scout write: logs, their live buffers, manifests, traces,
results of scans.

Nearly all of it goes through one function of Inspect's that makes JSON of a value. What a package writes to files of its own
does not, nor is a value found that was encoded or cut before it came there.
"""

import importlib
import json
import logging
import os
import re
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("hawk_worker")

NAMES = "HAWK_RUNNER_SECRETS"
"""The variable in which the runner names the variables to hide; not for the job to see."""

SHORTEST = 8
"""Shorter values would take ordinary words out of logs."""

MARK = b"[secret]"
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_WORD = re.compile(r"[a-z_]*")


def _parts(value: str) -> list[str]:
    """What is hidden of a value: the whole and each of its lines."""
    parts = {part.strip() for part in [value, *value.split("\n")]}
    # A word such as "validation" may be the name of something that readers of the log need.
    return [part for part in parts if len(part) >= SHORTEST and not _WORD.fullmatch(part)]


class Hider:
    """Takes values out of text."""

    def __init__(self, values: list[str]):
        parts = [part for value in values for part in _parts(value)]
        texts = {json.dumps(part, ensure_ascii=is_ascii)[1:-1] for part in parts for is_ascii in (False, True)}
        self._in_json = self._ordered(texts)
        self._in_text = self._ordered(texts | set(parts))

    @staticmethod
    def _ordered(texts: set[str]) -> list[bytes]:
        return [text.encode("utf-8", "surrogatepass") for text in sorted(texts, key=len, reverse=True)]

    def _without(self, string: re.Match[bytes]) -> bytes:
        text = string[0]
        for form in self._in_json:
            text = text.replace(form, MARK)
        return text

    def json(self, data: bytes) -> bytes:
        """JSON without the values, where they stand in strings."""
        return _STRING.sub(self._without, data) if any(form in data for form in self._in_json) else data

    def text(self, text: str) -> str:
        """Any text without the values, as they are and as JSON has them."""
        data = text.encode("utf-8", "surrogatepass")
        for form in self._in_text:
            data = data.replace(form, MARK)
        return data.decode("utf-8", "surrogatepass")


def _wrap(module: str, path: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put another function in the place of one of Inspect's."""
    *owners, name = path.split(".")
    try:
        owner: Any = importlib.import_module(module)
        for part in owners:
            owner = getattr(owner, part)
        setattr(owner, name, make(getattr(owner, name)))
    except (ImportError, AttributeError):
        logger.warning(f"this version of Inspect has no {module}.{path}: secrets may be in what it writes")


def _install_for_scans(hider: Hider) -> None:
    """Scout writes cells of Parquet files, and errors as lines of JSON."""

    def cell(plain: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
        def hidden(name: str, value: Any) -> Any:
            made = plain(name, value)
            if isinstance(made, (bytes, bytearray)):
                return hider.text(bytes(made).decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")
            return hider.text(made) if isinstance(made, str) else made

        return hidden

    def record(plain: Callable[..., Any]) -> Callable[..., Any]:
        async def recorded(buffer: Any, transcript: Any, scanner: str, results: Any, metrics: Any) -> None:
            for error in (result.error for result in results if result.error is not None):
                error.error, error.traceback = hider.text(error.error), hider.text(error.traceback)
            await plain(buffer, transcript, scanner, results, metrics)

        return recorded

    _wrap("inspect_scout._recorder.buffer", "_normalize_scalar", cell)
    _wrap("inspect_scout._recorder.buffer", "RecorderBuffer.record", record)


def install(for_scans: bool) -> None:
    """Hide the variables that the runner names, from now on.

    Args:
        for_scans: In what Scout writes too.
    """
    names = os.environ.pop(NAMES, "").split(",")
    values = [os.environ[name] for name in names if name in os.environ]
    if not values:
        return
    hider = Hider(values)

    def insert(plain: Callable[..., None]) -> Callable[..., None]:
        def inserted(buffer: Any, connection: Any, sample: Any, epoch: int, attachments: dict[str, str]) -> None:
            plain(buffer, connection, sample, epoch, {key: hider.text(text) for key, text in attachments.items()})

        return inserted

    _wrap("inspect_ai._util.json", "to_json", lambda plain: lambda *args, **kwargs: hider.json(plain(*args, **kwargs)))
    _wrap("inspect_ai._util.trace", "TraceFormatter.format", lambda plain: lambda *args: hider.text(plain(*args)))
    _wrap("inspect_ai.log._recorders.buffer.database", "SampleBufferDatabase._insert_attachments", insert)
    if for_scans:
        _install_for_scans(hider)
