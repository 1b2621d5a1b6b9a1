"""Log lines of the worker, and the two of them that the runner acts on."""

import json
import logging
import os
import sys
from datetime import datetime, timezone

logger = logging.getLogger("hawk_worker")

LEVELS = {"TRACE": 13, "HTTP": 15}
"""Inspect's own level names and their numbers."""


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        when = datetime.fromtimestamp(record.created, timezone.utc)
        line = {
            "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": message,
        }
        event = getattr(record, "hawk_event", None)
        if event:
            line["event"] = event
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str | None) -> None:
    """Sends Inspect's, Scout's and our own log lines to stderr.

    The root logger stays at its level, for what it lets through ends up in transcripts.

    Args:
        level: Lowest level shown, by Inspect's names; None or `notset` is `info`.
    """
    name = (level or "notset").upper()
    number = LEVELS.get(name) or getattr(logging, name, 0) or logging.INFO
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(number)
    as_json = os.environ.get("HAWK_LOG_FORMAT") == "json"
    handler.setFormatter(_JsonFormatter() if as_json else logging.Formatter("%(levelname)s %(message)s"))
    for package in ("hawk_worker", "inspect_ai", "inspect_scout"):
        logging.getLogger(package).addHandler(handler)
        logging.getLogger(package).setLevel(min(number, logging.INFO))
        logging.getLogger(package).propagate = False


def phase(name: str) -> None:
    """Tells the runner what the worker is at, `running` or `finishing`."""
    logger.info(name, extra={"hawk_event": "phase"})


def outcome(level: int, message: str) -> None:
    """The last line: in one sentence, how it ended."""
    logger.log(level, message, extra={"hawk_event": "outcome"})
