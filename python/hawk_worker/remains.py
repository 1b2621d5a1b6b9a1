"""What is left half made when a disk is full or a process is killed, and would be in the way of the next try."""

import functools
import sqlite3
from typing import Any

import fsspec

from hawk_worker.report import logger

ID_FILE = ".eval-set-id"


def forget_half_id(log_dir: str, eval_set_id: str | None) -> None:
    """Takes away the file with the id of an eval set if it holds only a beginning of that; Inspect would take it for another
    id and refuse to go on. To be called before Inspect begins."""
    fs, folder = fsspec.url_to_fs(log_dir)
    path = f"{folder.rstrip('/')}/{ID_FILE}"
    try:
        text = fs.cat_file(path).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return
    if eval_set_id and text != eval_set_id and eval_set_id.startswith(text):
        logger.info(f"{ID_FILE} was half written; it is written again")
        fs.rm_file(path)


def watch_buffers() -> None:
    """From now on a live buffer that cannot be made leaves no file, and one that a try of this process has left is replaced.

    A try that could not write its log, say because the disk was full, leaves its buffer. The name of the next has the same
    second in it, so that Inspect would find its tables made and tell of that, and not of the disk. No log belongs to the
    old buffer: for if there were one, Inspect would have given the next another name.
    """
    from inspect_ai.log._recorders.buffer.database import SampleBufferDatabase, cleanup_sample_buffer_db

    plain = SampleBufferDatabase.__init__

    @functools.wraps(plain)
    def made(self: Any, *args: Any, create: bool = True, **kwargs: Any) -> None:
        try:
            plain(self, *args, create=create, **kwargs)
        except sqlite3.OperationalError as error:
            if not create:
                raise
            cleanup_sample_buffer_db(self.db_path)
            if "already exists" not in str(error):
                raise
            plain(self, *args, create=create, **kwargs)

    SampleBufferDatabase.__init__ = made  # type: ignore[method-assign]
