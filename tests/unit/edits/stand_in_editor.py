#!/usr/bin/env python3
"""An editor that keeps to the files of src/runner/edit.h, without Inspect: it puts a member "applied/<request>" into the
archive. What else it is to do stands in the data of the first edit: die (once), fail (with a detail), touch (a file, once),
install (what it says that it does meanwhile), seconds. Marks of what was done once are beside the folder's parent.
"""

import json
import os
import pathlib
import shutil
import signal
import sys
import time
import zipfile


def once(folder: pathlib.Path, name: str) -> bool:
    try:
        os.close(os.open(folder.parent.parent / f"did-{name}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def leave(folder: pathlib.Path, status: int, detail: str) -> None:
    (folder / "exit.json").write_text(json.dumps({"attempt": 1, "exit_code": status, "detail": detail}))
    sys.exit(status)


def main() -> None:
    assert sys.argv[1:3] == ["runner", "edit"]
    folder = pathlib.Path(sys.argv[3])
    first = json.loads((folder / "edits.jsonl").read_text().splitlines()[0])
    log = json.loads((folder / "edit.json").read_text())["log"]
    wish = first["details"]["data"]
    if wish.get("install"):
        status = folder / "status.part"
        status.write_text(json.dumps({"phase": "installing", "detail": wish["install"]}))
        status.rename(folder / "status.json")
    time.sleep(wish.get("seconds", 0))
    if wish.get("die") and once(folder, "die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if wish.get("fail"):
        leave(folder, 78, wish["fail"])
    if wish.get("touch") and once(folder, "touch"):
        with zipfile.ZipFile(first["location"], "a") as archive:
            archive.writestr("touched", "")
    member = f"applied/{first['request_uuid']}"
    with zipfile.ZipFile(log) as archive:
        is_there = member in archive.namelist()
    if not is_there:
        shutil.copy(log, folder / "part")
        with zipfile.ZipFile(folder / "part", "a") as archive:
            archive.writestr(member, "")
        (folder / "part").rename(folder / "new.eval")
    leave(folder, 0, "done")


main()
