"""Byte code in the virtualenv, which all runs of the same packages share, is whole or not there.

Python before 3.12.8 does not look whether a `.pyc` file was written to its end (gh-126606): on a full disk or over a quota half
of one stays, and every later run of these packages ends with "marshal data too short".
"""

import contextlib
import importlib._bootstrap_external as importer  # type: ignore[import-not-found]
import os
import sys


def _write_whole(path: str, data: bytes, mode: int = 0o666) -> None:
    """Write a file in one step, as the function of importlib that this replaces; OSError when it cannot be, and then no file."""
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode & 0o666), "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def keep_whole() -> None:
    """Write byte code again, which the runner has switched off, now that it is written to its end."""
    importer._write_atomic = _write_whole
    sys.dont_write_bytecode = False
